/* Offsets and sizes for assembly, computed by the compiler: the build turns @OFFSET lines into asm_offsets.h. */
#include <arch/context.h>
#include <arch/fp.h>
#include <arch/trap.h>
#include <caisson/hart.h>
#ifdef CONFIG_PROCESS
#include <arch/user.h>
#endif
#ifdef CONFIG_VMM
#include <arch/vcpu.h>
#endif

#define DEFINE(name, value) __asm__ volatile("# @OFFSET " #name " %0" ::"i"(value))

void asm_offsets(void);
void asm_offsets(void)
{
	DEFINE(TRAP_X, offsetof(struct trap_frame, x));
	DEFINE(TRAP_PC, offsetof(struct trap_frame, pc));
	DEFINE(TRAP_STATUS, offsetof(struct trap_frame, status));
	DEFINE(TRAP_CAUSE, offsetof(struct trap_frame, cause));
	DEFINE(TRAP_TVAL, offsetof(struct trap_frame, tval));
	DEFINE(TRAP_FRAME_SIZE, ALIGN_UP(sizeof(struct trap_frame), 16));
	DEFINE(CONTEXT_RA, offsetof(struct context, ra));
	DEFINE(CONTEXT_SP, offsetof(struct context, sp));
	DEFINE(CONTEXT_S, offsetof(struct context, s));
	DEFINE(HART_SIZE, sizeof(struct hart));
	DEFINE(HART_BOOT_STACK_TOP, offsetof(struct hart, boot_stack_top));
	DEFINE(FP_FCSR, offsetof(struct fp_state, fcsr));
#ifdef CONFIG_PROCESS
	DEFINE(UCTX_X, offsetof(struct user_ctx, x));
	DEFINE(UCTX_PC, offsetof(struct user_ctx, pc));
	DEFINE(UCTX_CAUSE, offsetof(struct user_ctx, cause));
	DEFINE(UCTX_FS, offsetof(struct user_ctx, fs));
	DEFINE(UCTX_TVAL, offsetof(struct user_ctx, tval));
	DEFINE(UCTX_HOST_SP, offsetof(struct user_ctx, host_sp));
	DEFINE(UCTX_HOST_TP, offsetof(struct user_ctx, host_tp));
#endif
#ifdef CONFIG_VMM
	DEFINE(VCTX_X, offsetof(struct vcpu_ctx, x));
	DEFINE(VCTX_SEPC, offsetof(struct vcpu_ctx, sepc));
	DEFINE(VCTX_SSTATUS, offsetof(struct vcpu_ctx, sstatus));
	DEFINE(VCTX_HSTATUS, offsetof(struct vcpu_ctx, hstatus));
	DEFINE(VCTX_HOST_SP, offsetof(struct vcpu_ctx, host_sp));
	DEFINE(VCTX_HOST_TP, offsetof(struct vcpu_ctx, host_tp));
	DEFINE(VCPU_SAVED_EARLY, VCPU_SAVED_EARLY);
	DEFINE(VCPU_MOVE_SIZE, VCPU_MOVE_SIZE);
#endif
}
