/*
 * Entry of a guest (a0 hart id, a1 device tree), entry of the harts it starts,
 * and the trap vector. Interrupts stay off until a guest switches them on.
 */
#include "hart.h"

	.section .text.start, "ax"
	.globl _start
_start:
#ifdef IMAGE_HEADER
	/* The RISC-V Linux image header: placed by its text_offset, sized with bss. */
	j	entry
	.balign	8
	.dword	0x200000
	.dword	guest_end - _start
	.dword	0
	.word	2
	.word	0
	.dword	0
	.ascii	"RISCV\0\0\0"
	.ascii	"RSC\x05"
	.word	0
entry:
#endif
	la	t0, bss_start
	la	t1, bss_end
1:	bgeu	t0, t1, 2f
	sd	zero, (t0)
	addi	t0, t0, 8
	j	1b
2:	la	tp, harts
	sd	a0, HART_ID(tp)
	call	hart_set_up
	mv	s0, a1
	call	guest_begin
	call	main
	tail	guest_exit

/* a0 hart id, a1 the struct hart that hart_start() prepared. */
	.globl hart_entry
hart_entry:
	rdtime	t2
	mv	tp, a1
	sd	t2, HART_STARTED(tp)
	call	hart_set_up
	ld	t0, HART_FUNCTION(tp)
	ld	a0, HART_ARGUMENT(tp)
	jalr	t0
1:	li	a7, 0x48534D	/* HSM, hart_stop */
	li	a6, 1
	ecall
	j	1b

/* Stack, trap vector and trap frame of the hart in tp. Changes t0 and t1 only. */
hart_set_up:
	li	t0, HART_STACK_TOP
	add	sp, tp, t0
	csrw	sie, zero
	csrw	sscratch, tp
	la	t0, trap_entry
	csrw	stvec, t0
	ret

/*
 * sscratch points at the hart's block, which begins with its trap frame. The
 * handler runs on a stack of its own, so a test may do what it likes with sp.
 * A trap inside the handler overwrites the frame: handlers do not fault.
 */
	.balign	4
	.globl trap_entry
trap_entry:
	csrrw	tp, sscratch, tp
	.irp r, 1,2,3,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
	sd	x\r, \r * 8(tp)
	.endr
	csrrw	t0, sscratch, tp
	sd	t0, 4 * 8(tp)
	csrr	t0, sepc
	sd	t0, TRAP_SEPC(tp)
	csrr	t0, scause
	sd	t0, TRAP_SCAUSE(tp)
	csrr	t0, stval
	sd	t0, TRAP_STVAL(tp)
	li	t0, HART_TRAP_STACK_TOP
	add	sp, tp, t0
	mv	a0, tp
	ld	t0, HART_HANDLER(tp)
	jalr	t0
	ld	t0, TRAP_SEPC(tp)
	csrw	sepc, t0
	.irp r, 1,2,3,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
	ld	x\r, \r * 8(tp)
	.endr
	ld	tp, 4 * 8(tp)
	sret
