/*
 * The one trap vector. sscratch says who ran: 0, the host; else the running
 * vCPU's struct vcpu_ctx, and the guest's exit path takes it (vcpu_switch.S).
 */
#include <arch/layout.h>
#include <asm_offsets.h>

/* The registers of the record at sp are saved: add what trapped. a0: the record. */
.macro record_trap
	csrr t0, sepc
	csrr t1, sstatus
	csrr t2, scause
	csrr t3, stval
	sd t0, TRAP_PC(sp)
	sd t1, TRAP_STATUS(sp)
	sd t2, TRAP_CAUSE(sp)
	sd t3, TRAP_TVAL(sp)
	mv a0, sp
.endm

	.section .text.trap_entry, "ax"
	.globl trap_entry
	.balign 4
trap_entry:
	csrrw a0, sscratch, a0
#ifdef CONFIG_VMM
	bnez a0, guest_exit
#endif
	csrrw a0, sscratch, a0

	/*
	 * Every kernel stack is the upper half of a naturally aligned slot whose lower half
	 * is unmapped, so one bit of sp tells an overflow before it faults again.
	 */
	csrw sscratch, t0
	addi sp, sp, -TRAP_FRAME_SIZE
	srli t0, sp, BOOT_STACK_SHIFT
	andi t0, t0, 1
	beqz t0, overflow
	csrrw t0, sscratch, zero

	.irp n, 1,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
	sd x\n, (TRAP_X + 8 * \n)(sp)
	.endr
	addi t0, sp, TRAP_FRAME_SIZE
	sd t0, (TRAP_X + 8 * 2)(sp)
	record_trap
	call trap_handle

	ld t0, TRAP_PC(sp)
	ld t1, TRAP_STATUS(sp)
	csrw sepc, t0
	csrw sstatus, t1
	/* All but tp (x4): a task that was preempted here may go on on another hart. */
	.irp n, 1,3,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
	ld x\n, (TRAP_X + 8 * \n)(sp)
	.endr
	addi sp, sp, TRAP_FRAME_SIZE
	sret

/* The stack is used up: build the record on the overflow stack and report. t0's value is in sscratch. */
overflow:
	mv t0, sp
	la sp, overflow_stack_top
	addi sp, sp, -TRAP_FRAME_SIZE
	sd t0, (TRAP_X + 8 * 2)(sp)
	.irp n, 1,3,4,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
	sd x\n, (TRAP_X + 8 * \n)(sp)
	.endr
	csrrw t0, sscratch, zero
	sd t0, (TRAP_X + 8 * 5)(sp)
	ld t0, (TRAP_X + 8 * 2)(sp)
	addi t0, t0, TRAP_FRAME_SIZE
	sd t0, (TRAP_X + 8 * 2)(sp)
	record_trap
	tail trap_stack_overflow

	/* As every stack: the upper half of a slot, so that a trap on it is not taken for an overflow. */
	.section .noinit, "aw", @nobits
	.balign 2 * BOOT_STACK_SIZE
	.space BOOT_STACK_SIZE
	.space BOOT_STACK_SIZE
	.globl overflow_stack_top
overflow_stack_top:
