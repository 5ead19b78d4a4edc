/*
 * From the firmware's jump to C at the high addresses.
 *
 * Entered in S/HS-mode with the MMU off, a0 = hart id, a1 = device tree, at any
 * 2 MiB-aligned physical address (RISC-V Linux boot protocol; SBI, "HSM Extension"
 * for the other harts).
 */
#include <arch/layout.h>
#include <asm_offsets.h>

#define SATP_SV39 (8 << 60)
#define PTE_LEAF_RW 0xc7   /* V R W A D */
#define PTE_LEAF_RWX 0xcf  /* V R W X A D */
#define PTE_TABLE 0x01     /* V */
#define IMAGE_LEAVES 16    /* of 2 MiB: room for a 32 MiB image */

	.section .head.text, "ax"
	.globl _start
_start:
	/* RISC-V Image header, as booti, QEMU and boot loaders read it. */
	j boot
	.balign 4
	.word 0
	.dword 0x200000                     /* text_offset */
	.dword __image_end - __image_start  /* image_size, bss included */
	.dword 0                            /* flags: little-endian */
	.word 2                             /* header version 0.2 */
	.word 0
	.dword 0
	.ascii "RISCV\0\0\0"
	.ascii "RSC\x05"
	.word 0

boot:
	csrw sie, zero
	csrw sscratch, zero                 /* "the host runs" */
	la t0, trap_entry
	csrw stvec, t0
	la sp, boot_stack_top
	la tp, harts
	mv s0, a0
	mv s1, a1

	la t0, __bss_start
	la t1, __bss_end
1:	.irp n, 0,1,2,3,4,5,6,7             /* both ends are aligned to 64 */
	sd zero, (8 * \n)(t0)
	.endr
	addi t0, t0, 64
	bltu t0, t1, 1b

	/* s2 = physical start of the image, s3 = virtual minus physical */
	la s2, __image_start
	li s3, IMAGE_BASE
	sub s3, s3, s2
	la t0, image_offset
	sd s3, 0(t0)

	/* Root table: zero, identity gigapage of the image, linear map, image table. */
	la s4, boot_root
	li t1, 512
	mv t0, s4
1:	.irp n, 0,1,2,3,4,5,6,7
	sd zero, (8 * \n)(t0)
	.endr
	addi t0, t0, 64
	addi t1, t1, -8
	bnez t1, 1b

	srli t0, s2, 30
	slli t1, t0, 28
	ori t1, t1, PTE_LEAF_RWX
	slli t0, t0, 3
	add t0, t0, s4
	sd t1, 0(t0)

	li t0, ((LINEAR_BASE >> 30) & 511) * 8
	add t0, t0, s4
	li t1, PTE_LEAF_RW
	li t2, LINEAR_SIZE >> 30
	li t3, 1 << 28
1:	sd t1, 0(t0)
	add t1, t1, t3
	addi t0, t0, 8
	addi t2, t2, -1
	bnez t2, 1b

	la t0, boot_image_table
	srli t1, t0, 2
	ori t1, t1, PTE_TABLE
	li t2, ((IMAGE_BASE >> 30) & 511) * 8
	add t2, t2, s4
	sd t1, 0(t2)

	li t1, 512
	mv t2, t0
1:	sd zero, 0(t2)
	addi t2, t2, 8
	addi t1, t1, -1
	bnez t1, 1b

	srli t1, s2, 2
	ori t1, t1, PTE_LEAF_RWX
	li t2, IMAGE_LEAVES
	li t3, 1 << 19
1:	sd t1, 0(t0)
	add t1, t1, t3
	addi t0, t0, 8
	addi t2, t2, -1
	bnez t2, 1b

	call enable_mmu
	csrr t0, satp                       /* of the kernel, until it has a space of its own (if it ever has) */
	la t1, kernel_satp
	sd t0, 0(t1)
	la a2, image_offset
	mv a0, s0
	mv a1, s1
	tail boot_entry

/*
 * Switch to the boot page table and continue the caller at the high addresses
 * (ra, sp, tp and the trap vector are moved). Expects s3 = image_offset.
 */
enable_mmu:
	la t0, boot_root
	srli t0, t0, 12
	li t1, SATP_SV39
	or t0, t0, t1
	sfence.vma
	csrw satp, t0
	sfence.vma
	la t0, 1f
	add t0, t0, s3
	jr t0
1:	add ra, ra, s3
	add sp, sp, s3
	add tp, tp, s3
	la t0, trap_entry
	csrw stvec, t0
	ret

/* A hart started through SBI HSM: a0 = hart id, a1 = struct hart (virtual address). */
	.section .text._start_secondary, "ax"
	.globl _start_secondary
_start_secondary:
	csrw sie, zero
	csrw sscratch, zero
	la t0, trap_entry
	csrw stvec, t0
	la t0, image_offset
	ld s3, 0(t0)
	mv s1, a1
	sub tp, a1, s3                      /* enable_mmu moves it up again */
	la sp, boot_stack_top               /* not used before the next line but one */
	call enable_mmu
	mv tp, s1
	/* The hart's own stack is mapped in the kernel space only. */
	la t0, kernel_satp
	ld t0, 0(t0)
	csrw satp, t0
	sfence.vma
	ld sp, HART_BOOT_STACK_TOP(tp)
	mv a0, tp
	tail secondary_entry

	.section .noinit, "aw", @nobits
	.balign 4096
boot_root:
	.space 4096
boot_image_table:
	.space 4096
	/* The stack is the upper half of a slot (see trap_entry.S): the lower half, which the linker
	 * script aligns, holds the tables. */
	.if BOOT_STACK_SIZE > 8192
	.space BOOT_STACK_SIZE - 8192
	.endif
	.space BOOT_STACK_SIZE
	.globl boot_stack_top
boot_stack_top:

	.section .bss.image_offset, "aw", @nobits
	.globl image_offset
	.balign 8
image_offset:
	.space 8
