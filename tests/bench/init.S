/* A Linux init that prints the time counter as it was at its first instruction, and powers off. */
	.globl	_start
_start:
	rdtime	a0
	call	decimal
	mv	a2, a1
	mv	a1, a0
	li	a0, 1
	li	a7, 64			/* write */
	ecall
	li	a0, 0xfee1dead
	li	a1, 0x28121969
	li	a2, 0x4321fedc		/* power off */
	li	a3, 0
	li	a7, 142			/* reboot */
	ecall
1:	j	1b

#include "decimal.S"
