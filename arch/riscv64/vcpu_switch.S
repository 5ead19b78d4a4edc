/*
 * Into the guest and out of it. See arch/vcpu.h for what is saved when.
 *
 * The host's frame while a guest runs, at host_sp:
 *     0    struct vcpu_ctx *
 *     8    ra
 *     16.. s0 to s11
 * gp is not used by the host (the linker script defines no __global_pointer$), so
 * the guest's stays in it until the full exit.
 */
#include <asm_offsets.h>

#define FRAME 112
#define X(n) (VCTX_X + 8 * (n))
#define CAUSE_ECALL_VS 10
#define HSTATUS_SPV 0x80
#define VCPU_SAVED 2 /* enum vcpu_next */

	.section .text.vcpu_switch, "ax"
	.globl vcpu_enter
vcpu_enter:
	addi sp, sp, -FRAME
	sd a0, 0(sp)
	sd ra, 8(sp)
	sd s0, 16(sp)
	sd s1, 24(sp)
	.irp n, 2,3,4,5,6,7,8,9,10,11
	sd s\n, (16 + 8 * \n)(sp)
	.endr
	sd sp, VCTX_HOST_SP(a0)
	sd tp, VCTX_HOST_TP(a0)

	ld t0, VCTX_SEPC(a0)
	ld t1, VCTX_SSTATUS(a0)
	ld t2, VCTX_HSTATUS(a0)
	csrw sepc, t0
	csrw sstatus, t1
	csrw hstatus, t2
	j resume_all

	.globl guest_exit
	.balign 4
guest_exit:
	.irp n, 1,2,4,5,6,7,11,12,13,14,15,16,17,28,29,30,31
	sd x\n, X(\n)(a0)
	.endr
	csrrw t0, sscratch, zero
	sd t0, X(10)(a0)
	ld sp, VCTX_HOST_SP(a0)
	ld tp, VCTX_HOST_TP(a0)
	csrr a1, scause
	li t1, CAUSE_ECALL_VS
	bne a1, t1, not_ecall
	call vcpu_exit_ecall

/* a0 = enum vcpu_next */
next:
	bnez a0, not_resume
	ld a0, 0(sp)
resume_fast:
	csrw sscratch, a0
	.irp n, 1,2,4,5,6,7,11,12,13,14,15,16,17,28,29,30,31
	ld x\n, X(\n)(a0)
	.endr
	ld a0, X(10)(a0)
	sret

not_ecall:
	bgez a1, exception
	call vcpu_exit_interrupt
	j next
exception:
	call vcpu_exit_exception
	j next

resume_all:
	ld x3, X(3)(a0)
	.irp n, 8,9,18,19,20,21,22,23,24,25,26,27
	ld x\n, X(\n)(a0)
	.endr
	j resume_fast

not_resume:
	mv t1, a0
	ld a0, 0(sp)
	.irp n, 8,9,18,19,20,21,22,23,24,25,26,27
	sd x\n, X(\n)(a0)
	.endr
	sd x3, X(3)(a0)
	li t0, VCPU_SAVED
	bne t1, t0, leave
	call vcpu_exit_saved
	mv t1, a0
	ld a0, 0(sp)
	beqz t1, resume_all
leave:
	csrr t0, sepc
	csrr t1, sstatus
	csrr t2, hstatus
	sd t0, VCTX_SEPC(a0)
	sd t1, VCTX_SSTATUS(a0)
	sd t2, VCTX_HSTATUS(a0)
	/* The guest is left: a host trap that another task takes up again must not return to V = 1. */
	li t0, HSTATUS_SPV
	csrc hstatus, t0
	ld ra, 8(sp)
	ld s0, 16(sp)
	ld s1, 24(sp)
	.irp n, 2,3,4,5,6,7,8,9,10,11
	ld s\n, (16 + 8 * \n)(sp)
	.endr
	addi sp, sp, FRAME
	ret
