/*
 * Where the exit code arrives (arch/vcpu.h). Interrupts are off, the guest's
 * CSRs live; each handler says whether the guest goes on straight away.
 */
#include <arch/hext.h>
#include <arch/trap.h>
#include <caisson/hart.h>
#include <caisson/irq.h>
#include <caisson/log.h>
#include <caisson/smp.h>
#include <caisson/time.h>
#include <vmm/sbi.h>
#include <vmm/vcpu.h>
#include <vmm/vm.h>

#include "vcpu_internal.h"

#define LOG_NAME "vcpu"
#define ECALL_LEN 4

enum vcpu_next vcpu_exit_ecall(struct vcpu_ctx *ctx)
{
	struct vcpu *v = vcpu_of(ctx);
	const struct sbi_ext *ext = sbi_find_in(v->sbi, ctx->x[17]);

	vcpu_count_exit(v, EXIT_ECALL);
	vcpu_live_skip(ECALL_LEN);
	if (unlikely(!ext))
		return sbi_return(v, SBI_ERR_NOT_SUPPORTED, 0);
	return ext->call(v);
}

/* By cause number: those that arch_hart_init enables. */
static const uint8_t interrupt_kinds[16] = {
	[IRQ_S_SOFT] = EXIT_IPI,
	[IRQ_S_TIMER] = EXIT_TIMER,
	[IRQ_S_EXT] = EXIT_EXTERNAL,
};

/* After the host's work for an interrupt: go on with the guest if nobody wants the hart or this vCPU. */
static enum vcpu_next go_on(struct vcpu *v)
{
	const uint64_t leave_for = VCPU_REQ_STOP | VCPU_REQ_STAY | VCPU_REQ_SHARE;

	if (unlikely(vcpu_serve(v) & leave_for) || this_hart()->resched)
		return vcpu_leave(v, LEAVE_RESCHED);
	return VCPU_RESUME;
}

enum vcpu_next vcpu_exit_interrupt(struct vcpu_ctx *ctx, uint64_t scause)
{
	struct vcpu *v = vcpu_of(ctx);
	unsigned cause = (unsigned)scause;

	vcpu_count_exit(v, interrupt_kinds[cause % 16]);
	irq_dispatch(cause);
	if (unlikely(!vcpu_sample(v)))
		vm_end(v->vm, VM_END_CRASH, 1, "vCPU %u can only fault at its own trap vector %lx", v->id,
		       (unsigned long)vcpu_live_vstvec());
	return go_on(v);
}

static enum vcpu_next inject(struct vcpu *v, uint64_t cause, uint64_t tval)
{
	(void)v;
	vcpu_live_inject(cause, tval);
	return VCPU_RESUME;
}

enum vcpu_next vcpu_inject_access_fault(struct vcpu *v, uint64_t cause)
{
	uint64_t pc = vcpu_live_pc();

	vcpu_count_exit(v, EXIT_BAD_ACCESS);
	switch (cause) {
	case CAUSE_FETCH_GUEST_PAGE:
		/* The handler of this fault is where the fault is: nothing can ever follow. */
		if (pc == vcpu_live_vstvec()) {
			vm_end(v->vm, VM_END_CRASH, 1,
			       "vCPU %u can only fault at its own trap vector %lx (fetch from %lx)", v->id,
			       (unsigned long)pc, (unsigned long)vcpu_live_stval());
			return vcpu_leave(v, LEAVE_RESCHED);
		}
		return inject(v, CAUSE_FETCH_ACCESS, vcpu_live_stval());
	case CAUSE_LOAD_GUEST_PAGE:
		v->counters.events[FW_ACCESS_LOAD]++;
		return inject(v, CAUSE_LOAD_ACCESS, vcpu_live_stval());
	default:
		v->counters.events[FW_ACCESS_STORE]++;
		return inject(v, CAUSE_STORE_ACCESS, vcpu_live_stval());
	}
}

/* A cause that cannot come from a guest with our delegation: the VM ends, the host goes on. */
static enum vcpu_next unexpected(struct vcpu *v, uint64_t cause)
{
	vm_end(v->vm, VM_END_CRASH, 1, "vCPU %u: %s at pc %lx (address %lx)", v->id,
	       trap_cause_name((unsigned)cause), (unsigned long)vcpu_live_pc(),
	       (unsigned long)vcpu_live_stval());
	return vcpu_leave(v, LEAVE_RESCHED);
}

/* Every exception cause has its place here, also those that our delegation keeps from coming. */
enum vcpu_next vcpu_exit_exception(struct vcpu_ctx *ctx, uint64_t cause)
{
	struct vcpu *v = vcpu_of(ctx);

	switch (cause) {
	case CAUSE_FETCH_GUEST_PAGE:
		return vcpu_fetch_fault(v);
	case CAUSE_VIRTUAL_INSN:
		return vcpu_virtual_insn(v);
	case CAUSE_ILLEGAL:
		return vcpu_illegal_insn(v, VCPU_SAVED_EARLY);
	case CAUSE_LOAD_ACCESS:
	case CAUSE_STORE_ACCESS:
		v->counters.events[cause == CAUSE_LOAD_ACCESS ? FW_ACCESS_LOAD : FW_ACCESS_STORE]++;
		/* fall through */
	case CAUSE_FETCH_ACCESS:
		/* The machine refused an access that our tables allow: the guest sees what bare hardware shows. */
	case CAUSE_FETCH_MISALIGNED:
	case CAUSE_BREAKPOINT:
	case CAUSE_LOAD_MISALIGNED:
	case CAUSE_STORE_MISALIGNED:
	case CAUSE_ECALL_U:
	case CAUSE_FETCH_PAGE:
	case CAUSE_LOAD_PAGE:
	case CAUSE_STORE_PAGE:
		vcpu_count_exit(v, EXIT_OTHER);
		return inject(v, cause, vcpu_live_stval());
	case CAUSE_LOAD_GUEST_PAGE:  /* these three have handlers of their own */
	case CAUSE_STORE_GUEST_PAGE:
	case CAUSE_ECALL_VS:
	case CAUSE_ECALL_HS:
	default:
		vcpu_count_exit(v, EXIT_OTHER);
		return unexpected(v, cause);
	}
}

#define INSN_WFI 0x10500073
#define INSN_WRS_NTO 0x00d00073

/* stval may hold the instruction or 0 (Privileged Architecture, stval). */
uint32_t vcpu_trapped_insn(void)
{
	uint64_t pc = vcpu_live_pc();
	uint16_t low, high;

	if (vcpu_live_stval())
		return (uint32_t)vcpu_live_stval();
	if (vcpu_live_fetch16(GVA(pc), &low) || vcpu_live_fetch16(GVA(pc + 2), &high))
		return 0;
	return (uint32_t)high << 16 | low;
}

/* Does the guest wait for something (WFI; WRS.NTO of Zawrs) while VTW keeps the hart for others? */
static bool is_trapped_wait(uint32_t insn)
{
	return (insn == INSN_WFI || insn == INSN_WRS_NTO) && (vcpu_live_hstatus() & HSTATUS_VTW) &&
	       (vcpu_live_sstatus() & SSTATUS_SPP);
}

/* What HS-mode keeps from VS-mode though the instruction exists: waits under VTW, and what is illegal to a guest. */
enum vcpu_next vcpu_virtual_insn(struct vcpu *v)
{
	uint32_t insn = vcpu_trapped_insn();

	if (is_trapped_wait(insn)) {
		vcpu_count_exit(v, EXIT_WFI);
		vcpu_live_skip(4);
		return vcpu_leave(v, insn == INSN_WFI ? LEAVE_WFI : LEAVE_YIELD);
	}
	if (vcpu_is_counter_read(v, insn))
		return vcpu_read_counter(v, insn);
	vcpu_count_exit(v, EXIT_VIRTUAL_INSN);
	return inject(v, CAUSE_ILLEGAL, vcpu_live_stval());
}

/* The vCPU whose task has this hart, be it in the guest or on its way to sleep: its CSRs are live. */
static struct vcpu *current_vcpu(void)
{
	struct vcpu *v = this_hart()->loaded_vcpu;

	return v && this_hart()->current->ext == &v->ext ? v : NULL;
}

static void guest_timer_expired(void)
{
	struct vcpu *v = current_vcpu();

	if (!v)
		return;
	/* Without Sstc a guest's timer comes this way and is look enough; programming the next one costs a firmware call. */
	if (v->sample.queued)
		timer_cancel(&v->sample);
	vcpu_timer_expired(v);
}

void vcpu_init_hooks(void)
{
	timer_guest_expired = guest_timer_expired;
}
