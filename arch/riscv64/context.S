/* Switching between host tasks: the callee-saved registers, interrupts off. */
#include <asm_offsets.h>

	.section .text.context_switch, "ax"
	.globl context_switch
context_switch:
	sd ra, CONTEXT_RA(a0)
	sd sp, CONTEXT_SP(a0)
	sd s0, (CONTEXT_S + 0)(a0)
	sd s1, (CONTEXT_S + 8)(a0)
	.irp n, 2,3,4,5,6,7,8,9,10,11
	sd s\n, (CONTEXT_S + 8 * \n)(a0)
	.endr
	ld ra, CONTEXT_RA(a1)
	ld sp, CONTEXT_SP(a1)
	ld s0, (CONTEXT_S + 0)(a1)
	ld s1, (CONTEXT_S + 8)(a1)
	.irp n, 2,3,4,5,6,7,8,9,10,11
	ld s\n, (CONTEXT_S + 8 * \n)(a1)
	.endr
	ret

/* First run of a task: s0 = entry, s1 = argument (context_init). */
	.section .text.context_start, "ax"
	.globl context_start
context_start:
	mv a0, s1
	jalr s0
	unimp
