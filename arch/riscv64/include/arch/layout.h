/*
 * The kernel's virtual address map (Sv39, upper half). Also read by assembly
 * and the linker script.
 *
 *   LINEAR_BASE   all of RAM at LINEAR_BASE + physical address, read-write
 *   KSTACK_BASE   task stacks, each with an unmapped guard page below
 *   IO_BASE       windows of host devices
 *   IMAGE_BASE    our image, wherever it was loaded, with section permissions
 *
 * Where they begin can be configured (arch/riscv64/Kconfig).
 */
#pragma once

#define KERNEL_BASE 0xffffffc000000000 /* the upper half begins */
#define LINEAR_BASE CONFIG_LINEAR_BASE
#define LINEAR_SIZE 0x3000000000
#define KSTACK_BASE CONFIG_KSTACK_BASE
#define KSTACK_SIZE 0x100000000
#define IO_BASE CONFIG_IO_BASE
#define IO_SIZE 0x100000000
#define IMAGE_BASE CONFIG_IMAGE_BASE
#define IMAGE_SIZE 0x40000000

/*
 * Every kernel stack, the boot stack too, is the upper half of a naturally aligned slot of twice its size, so that
 * this bit of sp is set while it is in the stack. Half of it is more than any task was seen to need
 * (docs/performance.md, `task` in the monitor).
 */
#define BOOT_STACK_SHIFT 13
#define BOOT_STACK_SIZE (1 << BOOT_STACK_SHIFT)

#ifndef __ASSEMBLER__
#include <caisson/types.h>

/** Virtual minus physical address of the image; set by _start. */
extern uint64_t image_offset;

/* Section bounds from the linker script, page-aligned. */
extern char __image_start[], __text_start[], __text_end[], __rodata_start[], __rodata_end[],
	__data_start[], __image_end[];
#endif
