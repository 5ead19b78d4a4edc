/*
 * The device tree a guest sees: generated from its configuration, or the
 * user's own blob with only /chosen and the memory node brought up to date.
 */
#pragma once

#include <caisson/types.h>

struct dt_writer;
struct vm_config;
struct image_layout;

/** What of the host machine the guest's tree repeats. */
struct guest_dt_machine {
	uint32_t timebase_hz;
	const char *isa;            /* guest's riscv,isa string, "rv64imafdc_..." without h */
	const char *const *isa_extensions; /* NULL-terminated, for riscv,isa-extensions */
	const char *mmu_type;       /* "riscv,sv39" ... */
	uint32_t cbom_block, cboz_block, cbop_block; /* bytes, 0: absent */
	struct { uint8_t rng[32], kaslr[8]; } seeds;
	/** Write the nodes of the VM's devices, /soc being open (vmm/dt_writer.h). May be NULL. */
	void (*write_devices)(struct dt_writer *w, void *arg);
	void *arg;
	uint32_t plic_phandle;      /* interrupt-parent for devices */
};

/** phandle of the interrupt controller in the cpu node of vCPU n is GUEST_CPU_INTC_PHANDLE + n. */
#define GUEST_CPU_INTC_PHANDLE 1
#define GUEST_PLIC_PHANDLE 0x10

/** The largest dtb of the user's that is taken, in bytes. */
#define GUEST_DT_USER_MAX MiB

/** Room that is enough for the tree of a VM (for image_place and guest_dt_build), in bytes. */
uint64_t guest_dt_room(const struct vm_config *cfg);

/**
 * Build the tree in buf, which is 8-byte aligned; no more of it is used than layout->dtb_size.
 *
 * Of the user's dtb, if there is one: the bootargs, initrd range and seeds in /chosen are set (or removed), the memory
 * node gets the VM's one range, further memory nodes go; the rest stays as it is. Without one, the tree is generated:
 * its /reserved-memory keeps the firmware's 2 MiB free, up to where something of the VM's own was put there.
 *
 * @param[out] err  on failure a message that names the file as the user typed it
 * @return its size in bytes, -ENOSPC (buf too small), -EINVAL (the user's dtb is not one, or cannot say the memory's range)
 */
int guest_dt_build(const struct vm_config *cfg, uint64_t ram, const struct image_layout *layout,
		   const struct guest_dt_machine *machine, void *buf, size_t size,
		   char *err, size_t err_size) __must_check;
