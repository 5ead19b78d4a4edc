/*
 * Guest memory: the only way to a guest's RAM. Every function checks bounds
 * and permissions and copies once, so a guest that changes memory meanwhile
 * changes nothing that was checked.
 */
#pragma once

#include <caisson/segment.h>
#include <caisson/types.h>

struct vm;

/** Default guest-physical map: as QEMU `virt`, so that images built for it start unchanged. */
#define GUEST_FINISHER_BASE UINT64_C(0x00100000)
#define GUEST_RTC_BASE UINT64_C(0x00101000)
#define GUEST_WATCHDOG_BASE UINT64_C(0x00102000)
#define GUEST_PLIC_BASE UINT64_C(0x0c000000)
#define GUEST_UART_BASE UINT64_C(0x10000000)
/** The n-th virtio device, n pages on; its interrupt is n on. */
#define GUEST_VIRTIO_BASE UINT64_C(0x10001000)
#define GUEST_VIRTIO_IRQ 1
#define GUEST_VIRTIO_PLACES 8
/** The n-th channel's registers, n pages on, and its memory, n times CHANNEL_SIZE_MAX on; its interrupt is n on. */
#define GUEST_CHANNEL_BASE UINT64_C(0x10010000)
#define GUEST_CHANNEL_MEMORY UINT64_C(0x18000000)
#define GUEST_CHANNEL_IRQ 16
#define GUEST_RAM_BASE UINT64_C(0x80000000)
/** The firmware's place at the start of RAM: backed, reserved in the device tree. */
#define GUEST_FIRMWARE_SIZE (2 * MiB)
#define GUEST_UART_IRQ 10
#define GUEST_RTC_IRQ 11

/** Copy to or from guest RAM, resolving lazy pages. @return 0; -EFAULT partly or wholly outside RAM (nothing copied); -ENOMEM. */
int guest_read(struct vm *vm, gpa_t from, void *to, uint64_t n) __must_check;
int guest_write(struct vm *vm, gpa_t to, const void *from, uint64_t n) __must_check;
/**
 * Where n bytes of guest RAM stand in the kernel's memory, for reading and writing; until the VM is booted anew or
 * destroyed. Any context. @return NULL: they are not wholly in RAM or not in one page, or memory is out.
 */
void *guest_address(struct vm *vm, gpa_t at, uint64_t n) __must_check;
/**
 * As guest_address, for as many of n bytes as stand in one piece: more than a page where RAM is backed so. Any context.
 * @return 0; -EFAULT: [at, at + n) is not wholly in RAM, or n is 0; -ENOMEM
 */
int guest_segment(struct vm *vm, gpa_t at, uint64_t n, struct segment *out) __must_check;
/** A piece of guest RAM that stands in one piece in the kernel's memory, too. */
struct guest_extent {
	uint64_t gpa, len;
	char *data;
};

/**
 * As guest_segment, for what stands around an address as well, so that it can be kept. Any context.
 * @param at  in RAM
 * @return 0 or -ENOMEM
 */
int guest_extent(struct vm *vm, gpa_t at, struct guest_extent *out) __must_check;
/**
 * For who keeps pointers to RAM that stands in single pages (from guest_segment, guest_extent): before he uses one while
 * a block is folded (vmm/fold.h). The fold is given up; or it is too late, then he asks for them anew. Any context.
 */
void guest_stop_fold(struct vm *vm);
/** Is [start, start + n) wholly inside RAM? n may be anything. */
bool guest_in_ram(const struct vm *vm, gpa_t start, uint64_t n);
