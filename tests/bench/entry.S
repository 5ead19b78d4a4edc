/*
 * A raw S-mode image that prints the time counter as it was at its first
 * instruction, with the console call that every firmware has, and shuts down.
 */
	.globl	_start
_start:
	rdtime	s0
	la	sp, stack_top
	mv	a0, s0
	call	decimal
	mv	s1, a0
	add	s2, a0, a1
next:	lbu	a0, 0(s1)
	li	a7, 1			/* legacy console putchar */
	ecall
	addi	s1, s1, 1
	bltu	s1, s2, next
	li	a0, 0			/* shutdown */
	li	a1, 0			/* no reason */
	li	a6, 0
	li	a7, 0x53525354		/* SRST */
	ecall
1:	j	1b

#include "decimal.S"

	.balign	16
	.space	64
stack_top:
