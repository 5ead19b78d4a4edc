/*
 * arch_page_zero(void *page, uint64_t n): zero n bytes, a multiple of 4 KiB.
 * cbo.zero by blocks of cboz_block bytes where the machine has it, else stores.
 */
	.section .text.arch_page_zero, "ax"
	.globl arch_page_zero
arch_page_zero:
	add a1, a0, a1
	lwu t0, cboz_block
	li t1, 64
	beq t0, t1, 2f
	bnez t0, 3f
1:	.irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
	sd zero, (8 * \n)(a0)
	.endr
	addi a0, a0, 256
	bltu a0, a1, 1b
	ret
2:	/* the usual block size, unrolled: a page in 64 blocks */
	.rept 64
	cbo.zero (a0)
	addi a0, a0, 64
	.endr
	bltu a0, a1, 2b
	ret
3:	cbo.zero (a0)
	add a0, a0, t0
	bltu a0, a1, 3b
	ret

	.section .sdata.cboz_block, "aw"
	.globl cboz_block
	.balign 4
cboz_block:
	.word 0
