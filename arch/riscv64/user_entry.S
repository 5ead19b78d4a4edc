/* Into U-mode and back (arch/user.h). */
#include <asm_offsets.h>

#define SSTATUS_SPIE (1 << 5)
#define SSTATUS_SPP (1 << 8)
#define SSTATUS_FS (3 << 13)
#define SSTATUS_FS_INITIAL (1 << 13)
#define HSTATUS_SPV (1 << 7)
#define FRAME 112

	.section .text.user_run, "ax"
	.globl user_run
user_run:
	addi sp, sp, -FRAME
	sd ra, 0(sp)
	sd s0, 8(sp)
	sd s1, 16(sp)
	.irp n, 2,3,4,5,6,7,8,9,10,11
	sd s\n, (8 + 8 * \n)(sp)
	.endr
	sd sp, UCTX_HOST_SP(a0)
	sd tp, UCTX_HOST_TP(a0)

	csrw sscratch, a0
	la t0, user_trap
	csrw stvec, t0
	ld t0, UCTX_PC(a0)
	csrw sepc, t0
#ifdef CONFIG_VMM
	li t0, HSTATUS_SPV                  /* a guest may have run last */
	csrc hstatus, t0
#endif
	li t0, SSTATUS_SPP | SSTATUS_FS
	csrc sstatus, t0
	ld t0, UCTX_FS(a0)
	ori t0, t0, SSTATUS_SPIE
	csrs sstatus, t0
	.irp n, 1,2,3,4,5,6,7,8,9,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
	ld x\n, (UCTX_X + 8 * \n)(a0)
	.endr
	ld a0, (UCTX_X + 8 * 10)(a0)
	sret

	.balign 4
user_trap:
	csrrw a0, sscratch, a0
	.irp n, 1,2,3,4,5,6,7,8,9,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
	sd x\n, (UCTX_X + 8 * \n)(a0)
	.endr
	csrrw t0, sscratch, zero
	sd t0, (UCTX_X + 8 * 10)(a0)
	la t0, trap_entry
	csrw stvec, t0
	csrr t0, sepc
	sd t0, UCTX_PC(a0)
	csrr t0, scause
	sd t0, UCTX_CAUSE(a0)
	csrr t0, stval
	sd t0, UCTX_TVAL(a0)
	li t1, SSTATUS_FS
	csrr t0, sstatus
	and t0, t0, t1
	sd t0, UCTX_FS(a0)
	csrc sstatus, t1
	li t0, SSTATUS_FS_INITIAL           /* as arch_hart_init left it */
	csrs sstatus, t0

	ld tp, UCTX_HOST_TP(a0)
	ld sp, UCTX_HOST_SP(a0)
	ld ra, 0(sp)
	ld s0, 8(sp)
	ld s1, 16(sp)
	.irp n, 2,3,4,5,6,7,8,9,10,11
	ld s\n, (8 + 8 * \n)(sp)
	.endr
	addi sp, sp, FRAME
	ret
