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
#define CAUSE_LOAD_GUEST_PAGE 21
#define CAUSE_STORE_GUEST_PAGE 23
#define HSTATUS_SPV 0x80

/* What a handler preserves: op is ld or sd, a0 the struct vcpu_ctx *. */
	.macro preserved op
	\op x3, X(3)(a0)
	.irp n, 8,9,18,19,20,21,22,23,24,25,26,27
	\op x\n, X(\n)(a0)
	.endr
	.endm

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
#ifdef CONFIG_COSTS_BY_CAUSE
	csrr a1, hpmcounter3
	call costs_exit
	ld a0, 0(sp)
#endif
	csrr a1, scause
	li t1, CAUSE_ECALL_VS
	bne a1, t1, not_ecall
	call vcpu_exit_ecall

/* a0 = enum vcpu_next */
next:
	bnez a0, not_resume
resume:
	ld a0, 0(sp)
resume_fast:
	csrw sscratch, a0
	.irp n, 1,2,4,5,6,7,11,12,13,14,15,16,17,28,29,30,31
	ld x\n, X(\n)(a0)
	.endr
	ld a0, X(10)(a0)
	sret

not_ecall:
	bltz a1, interrupt
	li t1, CAUSE_STORE_GUEST_PAGE
	beq a1, t1, store_fault
	li t1, CAUSE_LOAD_GUEST_PAGE
	bne a1, t1, exception
	call vcpu_exit_load_fault
	beqz a0, resume
	bltz a0, move
	j not_resume
store_fault:
	call vcpu_exit_store_fault
	beqz a0, resume
	bltz a0, move
	j not_resume
interrupt:
	call vcpu_exit_interrupt
	j next
exception:
	call vcpu_exit_exception
	j next

not_resume:
	bltz a0, move
	ld a0, 0(sp)
	preserved sd
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

/* The registers that a handler preserves hold the guest's values again when it has returned. */
move:
	lla t0, moves_end
	add t0, t0, a0
	ld a0, 0(sp)
	jr t0
save_all:
	preserved sd
	call vcpu_exit_saved
	mv t1, a0
	ld a0, 0(sp)
	bnez t1, leave
resume_all:
	preserved ld
	j resume_fast
saved:
	call vcpu_exit_store_value
	beqz a0, resume
	j not_resume

/* What enum vcpu_next counts back from moves_end: VCPU_MOVE_SIZE for each register, then VCPU_SAVED. */
	.option push
	.option norvc
	.option norelax
	.irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
	.if VCPU_SAVED_EARLY >> \n & 1
	.zero VCPU_MOVE_SIZE
	.else
	ld x\n, X(\n)(a0)
	j resume_fast
	sd x\n, X(\n)(a0)
	j saved
	.endif
	.endr
	j save_all
moves_end:
	.option pop
