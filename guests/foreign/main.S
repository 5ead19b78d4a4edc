/*
 * A guest for another machine (H14): it reads a CSR that S-mode does not have and a word where virt has nothing.
 * It powers off with what it got in a1 and a0. The plug-in vmm/plugin/example.c answers both.
 */
	.globl main
main:
	csrr	a1, mhartid
	li	t0, 64
	lw	a0, (t0)
	li	t0, 0x100000	/* the test finisher: passed */
	li	t1, 0x5555
	sw	t1, (t0)
1:	wfi
	j	1b
