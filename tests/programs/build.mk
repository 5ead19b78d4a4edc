# Flat programs for the monolith's tests: build/programs/NAME.bin from tests/programs/NAME.c.
PROGRAMS := $(patsubst tests/programs/%.c,build/programs/%.bin,$(wildcard tests/programs/*.c))

.PHONY: programs
programs: $(PROGRAMS)
guests: programs

build/programs/%.elf: tests/programs/%.c tests/programs/program.h tests/programs/flat.ld tests/programs/build.mk
	@mkdir -p $(@D)
	@echo "  CC      $<"
	@$(CC) -march=rv64imac_zicsr -mabi=lp64 -mcmodel=medany -mno-relax -std=gnu11 -O2 -ffreestanding -nostdlib -static \
		-Wall -Wextra -Werror -T tests/programs/flat.ld -Wl,--build-id=none -Wl,--no-warn-rwx-segments $< -o $@

build/programs/%.bin: build/programs/%.elf
	@$(OBJCOPY) -O binary $< $@
