/* Registers under test, where C cannot say which register is used. */

	.bss
	.balign	16
kept:	.space	8 * 16		/* what C expects to find again */
pointer: .space	8		/* out[] while every register is in use */

	.text
	.macro	save_c
	la	t0, kept
	.irp r, 0,1,2,3,4,5,6,7,8,9,10,11
	sd	s\r, \r * 8(t0)
	.endr
	sd	ra, 96(t0)
	sd	sp, 104(t0)
	sd	gp, 112(t0)
	sd	tp, 120(t0)
	.endm

	.macro	restore_c
	la	t0, kept
	.irp r, 0,1,2,3,4,5,6,7,8,9,10,11
	ld	s\r, \r * 8(t0)
	.endr
	ld	ra, 96(t0)
	ld	sp, 104(t0)
	ld	gp, 112(t0)
	ld	tp, 120(t0)
	.endm

	/* Meanwhile sscratch holds out[]: a trap here would be lost, and none is due. */
	.macro	with_registers name, op:vararg
	.globl	\name
\name:
	save_c
	csrw	sscratch, a1
	mv	x31, a0
	.irp r, 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
	ld	x\r, \r * 8(x31)
	.endr
	\op
	csrrw	x31, sscratch, x31
	.irp r, 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30
	sd	x\r, \r * 8(x31)
	.endr
	csrr	x1, sscratch
	sd	x1, 31 * 8(x31)
	restore_c
	csrw	sscratch, tp
	ret
	.endm

	with_registers registers_ecall, ecall
	with_registers registers_load, lbu x5, (x6)
	with_registers registers_store, sb x5, (x6)

/* a0 type, a1 hart id, a2 extension, a3 function */
	.globl suspend_and_resume
suspend_and_resume:
	save_c
	mv	s0, a1
	mv	a7, a2
	mv	a6, a3
	mv	a2, t0
	sd	s0, pointer, t1
	la	a1, resumed
	ecall
	restore_c
	ret
/* a0 hart id, a1 what was a2 */
resumed:
	la	t0, kept
	ld	t1, pointer
	xor	a0, a0, t1
	xor	a1, a1, t0
	or	a0, a0, a1
	snez	a0, a0
	restore_c
	csrw	sscratch, tp
	la	t0, trap_entry
	csrw	stvec, t0
	ret

	.globl fp_load
fp_load:
	.irp r, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
	fld	f\r, \r * 8(a0)
	.endr
	ld	t0, 256(a0)
	fscsr	t0
	ret

	.globl fp_store
fp_store:
	.irp r, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
	fsd	f\r, \r * 8(a0)
	.endr
	frcsr	t0
	sd	t0, 256(a0)
	ret

	.macro	load_one op, r, base, out
	csrw	sscratch, x\r
	\op	x\r, (\base)
	sd	x\r, \r * 8(\out)
	csrr	x\r, sscratch
	.endm

	.macro	load_every name, op
	.globl	\name
\name:
	mv	t3, a0
	mv	t4, a1
	\op	x0, (t3)
	.irp r, 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,30,31
	load_one \op, \r, t3, t4
	.endr
	load_one \op, 28, a0, a1
	load_one \op, 29, a0, a1
	csrw	sscratch, tp
	ret
	.endm

	load_every load_all_lb, lb
	load_every load_all_lbu, lbu
	load_every load_all_lh, lh
	load_every load_all_lhu, lhu
	load_every load_all_lw, lw
	load_every load_all_lwu, lwu
	load_every load_all_ld, ld
