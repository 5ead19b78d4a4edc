# Caisson's build. Newcomers use ./caisson, which also installs what this needs.
#
#   make                      the hypervisor
#   make FLAVOUR=unikernel    another flavour: configs/FLAVOUR_defconfig
#   make APP=hello            a unikernel application: apps/hello/defconfig
#   make ... SET="DEBUG=y SCHED_CFS=y"     the same with other switches, in a folder of its own
#   make unit                 the host unit tests
#   make coverage             which lines of the tree they run
#   make fuzz [T=ring]        devices of VMs against guests that lie (SECONDS=60 each)
#
# Each folder says in its build.mk which objects it has:  obj-$(CONFIG_X) += dir/file.o

FLAVOUR ?= hypervisor
APP     ?=
SET     ?=
DEFCONFIG := $(if $(APP),apps/$(APP)/defconfig,configs/$(FLAVOUR)_defconfig)
nothing :=
space   := $(nothing) $(nothing)
VARIANT := $(subst $(space),,$(foreach s,$(SET),+$(subst =,-,$(s))))
O       ?= build/$(if $(APP),apps/$(APP),$(FLAVOUR))$(VARIANT)
CROSS   ?= riscv64-unknown-elf-
PYTHON  ?= /usr/bin/python3
CACHE   ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/caisson
LIBFDT  ?= $(CACHE)/src/libfdt

CC      := $(CROSS)gcc
OBJCOPY := $(CROSS)objcopy

.SECONDEXPANSION:
.DELETE_ON_ERROR:
.PHONY: all unit coverage fuzz clean config compile_commands.json
all: $(O)/caisson.bin

unit:
	$(MAKE) -f tests/unit/unit.mk

# Lines of the tree that the unit tests run.
coverage:
	$(MAKE) -f tests/unit/unit.mk COVERAGE=1
	$(PYTHON) tools/coverage.py build/unit-coverage

fuzz:
	$(MAKE) -f tests/fuzz/fuzz.mk run

# --- configuration -----------------------------------------------------------
KCONFIGS := Kconfig $(wildcard */Kconfig */*/Kconfig)
$(O)/auto.conf $(O)/config.h &: $(DEFCONFIG) $(KCONFIGS) tools/kconfig.py
	@mkdir -p $(O)
	$(PYTHON) tools/kconfig.py $(DEFCONFIG) $(O)/auto.conf $(O)/config.h $(SET)

ifeq ($(filter unit coverage fuzz clean,$(MAKECMDGOALS)),)
-include $(O)/auto.conf
endif
# Images whose configurations differ in the application alone share their objects, in S.
NO_APP := grep -v CONFIG_APP
S := $(if $(filter command environment,$(origin O)),$(O),build/objects/$(shell $(NO_APP) $(O)/auto.conf 2>&1 | md5sum | cut -c-12))

include $(wildcard */build.mk */*/build.mk)
app := apps/$(subst ",,$(CONFIG_APP))
obj-y += $(patsubst %.c,%.o,$(wildcard $(app)/*.c $(app)/*/*.c))

# --- compilation -------------------------------------------------------------
# The kernel itself uses no floating point; FP state belongs to the guests.
ARCHFLAGS := -march=rv64imac -mabi=lp64 -mcmodel=medany
CPPFLAGS  := -include $(S)/include/config.h -Iinclude -Iarch/riscv64/include -Ivmm/include -Ishell/include -I$(S)/include -isystem $(LIBFDT)
CFLAGS    := $(ARCHFLAGS) --specs=picolibc.specs -std=gnu11 -O2 -g -ffreestanding -fno-common -fno-strict-aliasing \
	-mno-riscv-attribute -fstack-usage -ffunction-sections -fdata-sections \
	-Wa,-march=rv64imac_zicsr_zifencei_zicboz_h \
	-Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wundef -Wframe-larger-than=2048
ifeq ($(CONFIG_DEBUG),y)
CFLAGS    += -fno-omit-frame-pointer -fno-inline-functions
endif
LDFLAGS   := $(ARCHFLAGS) --specs=picolibc.specs -DPICOLIBC_INTEGER_PRINTF_SCANF -nostartfiles -static \
	-Wl,--gc-sections -Wl,--fatal-warnings -Wl,-z,max-page-size=4096 -Wl,--no-warn-rwx-segments -Wl,-Map=$(O)/caisson.map

OBJS := $(addprefix $(S)/,$(sort $(obj-y))) $(addprefix $(S)/libfdt/,fdt.o fdt_ro.o fdt_wip.o fdt_rw.o fdt_strerror.o fdt_addresses.o)

$(S)/include/config.h: | $(O)/config.h
	@mkdir -p $(@D)
	@$(NO_APP) $(O)/config.h > $@

$(OBJS): $(S)/include/config.h
$(filter %.o,$(OBJS)): | $(S)/include/asm_offsets.h

$(S)/%.o: %.c Makefile
	@mkdir -p $(@D)
	@echo "  CC      $<"
	@$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c $< -o $@

$(S)/%.o: %.S Makefile
	@mkdir -p $(@D)
	@echo "  AS      $<"
	@$(CC) $(CPPFLAGS) $(ARCHFLAGS) -g -Wa,-march=rv64imac_zicsr_zifencei_zicboz_h -D__ASSEMBLER__ -MMD -MP -c $< -o $@

$(S)/libfdt/%.o: $(LIBFDT)/%.c Makefile
	@mkdir -p $(@D)
	@echo "  CC      libfdt/$(<F)"
	@$(CC) $(ARCHFLAGS) --specs=picolibc.specs -mno-riscv-attribute -O2 -g -ffunction-sections -fdata-sections -I$(LIBFDT) -c $< -o $@

# Offsets of the structure members that assembly touches, computed by the compiler.
$(S)/include/asm_offsets.h: arch/riscv64/asm_offsets.c $(S)/include/config.h Makefile
	@mkdir -p $(@D)
	@echo "  GEN     $@"
	@$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -MT $@ -MF $(S)/asm_offsets.d -S $< -o $(S)/asm_offsets.s
	@sed -n 's/^.*@OFFSET \([A-Z0-9_]*\) \([-0-9]*\).*/#define \1 \2/p' $(S)/asm_offsets.s > $@

$(O)/caisson.elf: $(OBJS) $(O)/auto.conf arch/riscv64/caisson.ld
	@echo "  LD      $@"
	@$(CC) $(LDFLAGS) -Wl,--defsym=IMAGE_BASE=$(CONFIG_IMAGE_BASE) -T arch/riscv64/caisson.ld $(OBJS) -lgcc -o $@

$(O)/caisson.bin: $(O)/caisson.elf
	@echo "  OBJCOPY $@"
	@$(OBJCOPY) -O binary $< $@

-include $(OBJS:.o=.d) $(S)/asm_offsets.d

DATABASE ?= compile_commands.json
compile_commands.json:
	@$(MAKE) --no-print-directory -Bnk FLAVOUR=$(FLAVOUR) APP="$(APP)" SET="$(SET)" 2>/dev/null | $(PYTHON) tools/compile_commands.py > $(DATABASE)

clean:
	rm -rf build compile_commands.json
