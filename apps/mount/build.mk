# The program that the application loads from a disk: build/apps/mount/program.bin.
ifeq ($(CONFIG_APP),"mount")
all: $(O)/program.bin
endif

PROGRAM := $(wildcard apps/mount/program/*)
$(O)/program.bin: $(PROGRAM) apps/mount/services.h apps/mount/build.mk
	@mkdir -p $(@D)
	@echo "  LD      $@"
	@$(CC) $(ARCHFLAGS) --specs=picolibc.specs -std=gnu11 -O2 -ffreestanding -fpie -mno-relax -fno-jump-tables -Wall -Wextra -Werror \
		-nostartfiles -nostdlib -static -Wl,--no-relax -Wl,--build-id=none -T apps/mount/program/flat.ld \
		$(filter %.c %.S,$(PROGRAM)) -o $(O)/program.elf
	@$(OBJCOPY) -O binary $(O)/program.elf $@
