/*
 * The measured loops and the trap vector of the bench guest. Each loop is as
 * short as its operation allows: what it counts is the operation.
 */
	.equ	STATE_COUNT, 256
	.equ	STATE_TIME, 264
	.equ	STATE_CLAIM, 272

	.macro	begin name
	.balign	8
	.globl	\name
\name:
	.endm

	.macro	again
	addi	t0, t0, -1
	bnez	t0, 1b
	ret
	.endm

	.text
begin loop_empty
	mv	t0, a0
1:
	again

begin loop_null_call
	mv	t0, a0
1:	li	a7, 0x10	/* BASE, get_spec_version */
	li	a6, 0
	ecall
	again

begin loop_unknown_call
	mv	t0, a0
1:	li	a7, 0x123
	li	a6, 0
	ecall
	again

begin loop_call
	mv	t0, a0
	mv	t1, a1
1:	mv	a7, t1
	li	a6, 0x7f
	ecall
	again

begin loop_set_timer
	mv	t0, a0
	mv	t1, a1
1:	li	a7, 0x54494D45
	li	a6, 0
	mv	a0, t1
	ecall
	again

begin loop_stimecmp
	mv	t0, a0
	li	t1, -1
1:	csrw	0x14d, t1
	again

begin loop_time
	mv	t0, a0
1:	rdtime	a0
	again

begin loop_cycle
	mv	t0, a0
1:	rdcycle	a0
	again

begin loop_read8
	mv	t0, a0
1:	lbu	a0, (a1)
	again

begin loop_read8_s1
	mv	t0, a0
	mv	t1, s1
1:	lbu	s1, (a1)
	addi	t0, t0, -1
	bnez	t0, 1b
	mv	s1, t1
	ret

begin loop_write8
	mv	t0, a0
1:	sb	a2, (a1)
	again

begin loop_write8_s1
	mv	t0, a0
	mv	t1, s1
	mv	s1, a2
1:	sb	s1, (a1)
	addi	t0, t0, -1
	bnez	t0, 1b
	mv	s1, t1
	ret

/* As a driver that polls: once more for each byte, is there room? */
begin loop_uart_output
	mv	t0, a0
	li	a2, 0x10000000
1:	lbu	a0, 5(a2)
	andi	a0, a0, 0x20
	beqz	a0, 1b
	sb	a1, (a2)
	again

begin loop_read32
	mv	t0, a0
1:	lw	a0, (a1)
	again

/* Of each page in turn the first word. */
begin loop_read_in_turn
	mv	t0, a0
	li	t2, 4096
1:	mv	t1, a1
2:	lw	a0, (t1)
	add	t1, t1, t2
	bne	t1, a2, 2b
	again

begin loop_remote_sfence
	mv	t0, a0
	mv	t1, a1
1:	li	a7, 0x52464E43
	li	a6, 1
	li	a0, 1
	mv	a1, t1
	li	a2, 0
	li	a3, 0x1000
	ecall
	again

begin loop_remote_fence_i
	mv	t0, a0
	mv	t1, a1
1:	li	a7, 0x52464E43
	li	a6, 0
	li	a0, 1
	mv	a1, t1
	ecall
	again

begin loop_dbcn_write
	mv	t0, a0
	mv	t1, a1
	mv	t2, a2
1:	li	a7, 0x4442434E
	li	a6, 0
	mv	a0, t2
	mv	a1, t1
	li	a2, 0
	ecall
	again

begin loop_touch
	li	t1, 4096
	slli	a0, a0, 12
	add	t0, a0, a1
1:	sd	zero, (a1)
	add	a1, a1, t1
	bne	a1, t0, 1b
	ret

begin loop_ipi
	mv	t0, a0
	mv	t1, a1
	csrr	t2, sscratch
1:	ld	t3, STATE_COUNT(t2)
	li	a7, 0x735049
	li	a6, 0
	li	a0, 1
	mv	a1, t1
	ecall
2:	ld	t4, STATE_COUNT(t2)
	beq	t3, t4, 2b
	again

begin loop_uart_interrupt
	mv	t0, a0
	csrr	t2, sscratch
	li	a1, 0x10000001
	li	a2, 2
1:	ld	t3, STATE_COUNT(t2)
	sb	a2, (a1)
2:	ld	t4, STATE_COUNT(t2)
	beq	t3, t4, 2b
	again

begin align_tick
	la	t2, 2f
	li	t1, 100
	sub	t1, t1, a0
	slli	t1, t1, 2
	add	t2, t2, t1
	rdtime	t0
1:	rdtime	t1
	beq	t0, t1, 1b
	jr	t2
	.option	push
	.option	norvc
2:	.rept	100
	nop
	.endr
	.option	pop
	ret

begin arm_stimecmp
	rdtime	t0
	add	a0, a0, t0
	csrw	0x14d, a0
	ret

begin arm_sbi
	rdtime	t0
	add	a0, a0, t0
	mv	t1, a0
	li	a7, 0x54494D45
	li	a6, 0
	ecall
	mv	a0, t1
	ret

begin spin_for_interrupt
	csrr	t2, sscratch
	ld	t3, STATE_COUNT(t2)
	csrsi	sstatus, 2
1:	ld	t4, STATE_COUNT(t2)
	beq	t3, t4, 1b
	csrci	sstatus, 2
	ld	a0, STATE_TIME(t2)
	ret

begin wfi_for_interrupt
	csrr	t2, sscratch
	ld	t3, STATE_COUNT(t2)
	csrsi	sstatus, 2
1:	wfi
	ld	t4, STATE_COUNT(t2)
	beq	t3, t4, 1b
	csrci	sstatus, 2
	ld	a0, STATE_TIME(t2)
	ret

/* Timer: off. Software: cleared. External: claim, IIR, IER off, complete. */
begin bench_vector
	csrrw	tp, sscratch, tp
	.irp r, 1,2,3,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
	sd	x\r, \r * 8(tp)
	.endr
	rdtime	t0
	sd	t0, STATE_TIME(tp)
	csrr	t1, scause
	slli	t1, t1, 1
	li	t2, 2 * 5
	beq	t1, t2, timer
	li	t2, 2 * 1
	beq	t1, t2, software
	li	t2, 2 * 9
	bne	t1, t2, unexpected
	ld	t3, STATE_CLAIM(tp)
	lw	t4, (t3)
	li	t5, 0x10000000
	lbu	t6, 2(t5)
	sb	zero, 1(t5)
	sw	t4, (t3)
	j	done
timer:
	li	t1, 1 << 5
	csrc	sie, t1
	j	done
software:
	csrci	sip, 2
done:
	ld	t0, STATE_COUNT(tp)
	addi	t0, t0, 1
	sd	t0, STATE_COUNT(tp)
	.irp r, 1,2,3,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
	ld	x\r, \r * 8(tp)
	.endr
	csrrw	tp, sscratch, tp
	sret
unexpected:
	mv	a0, tp
	csrr	a1, scause
	csrr	a2, sepc
	csrr	a3, stval
	ld	tp, 4 * 8(tp)
	tail	bench_unexpected
