/* A number as decimal digits with a line end, for the two programs here. */

/* in: a0 number; out: a0 first byte, a1 length. Uses t0 to t3 and 32 bytes below the stack pointer. */
decimal:
	addi	t0, sp, -1
	li	t1, '\n'
	sb	t1, 0(t0)
	li	t2, 10
1:	remu	t1, a0, t2
	divu	a0, a0, t2
	addi	t1, t1, '0'
	addi	t0, t0, -1
	sb	t1, 0(t0)
	bnez	a0, 1b
	mv	a0, t0
	sub	a1, sp, t0
	ret
