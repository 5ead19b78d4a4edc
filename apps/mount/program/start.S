# The first instruction of the flat binary.
	.section .text.start, "ax"
	.globl	_start
_start:
	tail	program
