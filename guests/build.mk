# Our own guest programs: build/guests/NAME.bin from guests/NAME and guests/lib.
# They need no kernel configuration and share nothing with the kernel's build.

GUESTS      := $(patsubst guests/%/,%,$(dir $(wildcard guests/*/main.[cS])))
GUEST_O     := build/guests
GUEST_FLAGS := -march=rv64imac -mabi=lp64 -mcmodel=medany --specs=picolibc.specs
GUEST_CFLAGS := $(GUEST_FLAGS) -march=rv64imac_zicsr_zifencei -std=gnu11 -O2 -g -ffreestanding -fno-common -fno-strict-aliasing -mno-relax \
	-ffunction-sections -fdata-sections \
	-Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla \
	-Iguests/lib -isystem $(LIBFDT)
GUEST_LDFLAGS := $(GUEST_FLAGS) -DPICOLIBC_INTEGER_PRINTF_SCANF -nostartfiles -static -T guests/lib/guest.ld \
	-Wl,--gc-sections -Wl,--fatal-warnings -Wl,--no-warn-rwx-segments

GUEST_LIB := $(addprefix $(GUEST_O)/,$(addsuffix .o,$(basename $(wildcard guests/lib/*.c)))) \
	$(addprefix $(GUEST_O)/libfdt/,fdt.o fdt_ro.o fdt_strerror.o)
guest_objects = $(addprefix $(GUEST_O)/,$(addsuffix .o,$(basename $(wildcard guests/$(1)/*.[cS]))))

.PHONY: guests
guests: $(GUESTS:%=$(GUEST_O)/%.bin) $(GUEST_O)/hello-image.bin

$(GUEST_O)/%.o: %.c guests/build.mk
	@mkdir -p $(@D)
	@echo "  CC      $<"
	@$(CC) $(GUEST_CFLAGS) -MMD -MP -c $< -o $@

$(GUEST_O)/%.o: %.S guests/build.mk
	@mkdir -p $(@D)
	@echo "  AS      $<"
	@$(CC) $(GUEST_CFLAGS) -Wa,-march=rv64imafdc_zicsr_zifencei -MMD -MP -c $< -o $@

$(GUEST_O)/start-image.o: guests/lib/start.S guests/build.mk
	@mkdir -p $(@D)
	@$(CC) $(GUEST_CFLAGS) -DIMAGE_HEADER -MMD -MP -c $< -o $@

$(GUEST_O)/libfdt/%.o: $(LIBFDT)/%.c guests/build.mk
	@mkdir -p $(@D)
	@echo "  CC      libfdt/$(<F)"
	@$(CC) $(GUEST_FLAGS) -mno-relax -O2 -g -ffunction-sections -fdata-sections -I$(LIBFDT) -c $< -o $@

# The last lines of the link: which program, entered through which start file.
define GUEST_LINK
@echo "  LD      $@"
@$(CC) $(GUEST_LDFLAGS) $^ -lgcc -o $@
endef

$(GUESTS:%=$(GUEST_O)/%.elf): $(GUEST_O)/%.elf: $(GUEST_O)/guests/lib/start.o $$(call guest_objects,$$*) $(GUEST_LIB)
	$(GUEST_LINK)

$(GUEST_O)/hello-image.elf: $(GUEST_O)/start-image.o $$(call guest_objects,hello) $(GUEST_LIB)
	$(GUEST_LINK)

$(GUEST_O)/%.bin: $(GUEST_O)/%.elf
	@$(OBJCOPY) -O binary $< $@

-include $(wildcard $(GUEST_O)/*.d $(GUEST_O)/guests/*/*.d)
