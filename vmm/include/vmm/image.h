/*
 * Guest images: what kind a file is, where it goes, and putting it there.
 * RISC-V Image (Linux Documentation/arch/riscv/boot-image-header), ELF64, raw.
 * (gzip-compressed images were unpacked by the host tool.)
 *
 * Pure but for the copy into guest memory, so all of it runs in host tests.
 */
#pragma once

#include <caisson/types.h>

struct vm_config;

/** Where everything goes (guest-physical). Sizes in bytes; 0: not there. */
struct image_layout {
	uint64_t kernel_start, kernel_size;   /* occupied range, bss included */
	uint64_t entry;
	uint64_t initrd_start, initrd_size;
	uint64_t dtb_start, dtb_size;         /* dtb_size: room for it */
};

/** How bytes get into guest memory: guest_write for a VM, a buffer in tests. memset is not needed: RAM starts zeroed. */
struct image_sink {
	int (*write)(void *arg, uint64_t gpa, const void *from, uint64_t n);
	void *arg;
};

/**
 * Decide the placement for RAM at [ram, ram + memory): kernel at RAM + text_offset (Image), its addresses (ELF,
 * physical where inside RAM, else virtual), or RAM + 2 MiB (raw), or config->load (not for ELF); the device tree as
 * high as it fits below the end of RAM's first GiB, aligned to 2 MiB (to 4 KiB or 8 bytes where it fits only so), the
 * initrd as high as it fits below that or, failing that, above it, aligned to 4 KiB; or both where config->dtb_load and
 * config->initrd_load say. Nothing overlaps. The firmware's 2 MiB stay free unless something was put there.
 * @param[out] err  a message that names the file as the user typed it and what is wrong
 * @return 0, -EINVAL (a bad or contradictory image), -E2BIG (does not fit)
 */
int image_place(const struct vm_config *cfg, uint64_t ram, uint64_t dtb_room,
		struct image_layout *out, char *err, size_t err_size) __must_check;

/** Copy kernel and initrd to where image_place, with the same cfg and ram, decided. @return 0 or the sink's error. */
int image_load(const struct vm_config *cfg, uint64_t ram, const struct image_layout *layout,
	       const struct image_sink *sink) __must_check;
