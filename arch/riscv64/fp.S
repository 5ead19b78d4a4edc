/* The FP registers of whoever runs outside the kernel, which has none of its own (arch/fp.h). */
#include <asm_offsets.h>

#define SSTATUS_FS_INITIAL (1 << 13)

	.section .text.fp, "ax"
	.option push
	.option arch, +f, +d
	.globl fp_state_save
fp_state_save:
	.irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
	fsd f\n, (8 * \n)(a0)
	.endr
	frcsr t0
	sd t0, FP_FCSR(a0)
	ret

	.globl fp_state_load
fp_state_load:
	/* Who was left last may have had it off. */
	li t0, SSTATUS_FS_INITIAL
	csrs sstatus, t0
	.irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
	fld f\n, (8 * \n)(a0)
	.endr
	ld t0, FP_FCSR(a0)
	fscsr t0
	ret
	.option pop
