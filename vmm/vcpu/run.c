/* The run loop of a vCPU's task: enter the guest, and what cannot be done on the exit path. */
#include <errno.h>

#include <arch/sbi.h>
#include <caisson/hart.h>
#include <caisson/log.h>
#include <vmm/vcpu.h>
#include <vmm/vm.h>

#include "vcpu_internal.h"

#define LOG_NAME "vcpu"

/* Requests that end a wait in the guest (WFI, HSM suspend). */
#define WAKE_WFI (~(uint64_t)(VCPU_REQ_SHARE | VCPU_REQ_FENCE | VCPU_REQ_STILL))
/* A stopped vCPU waits for these only. */
#define WAKE_STOPPED (VCPU_REQ_STOP | VCPU_REQ_START)

struct wait_for {
	struct vcpu *v;
	uint64_t requests;
};

static bool has_request(void *arg)
{
	const struct wait_for *w = arg;

	return __atomic_load_n(&w->v->requests, __ATOMIC_SEQ_CST) & w->requests;
}

static bool may_go_on(void *arg)
{
	uint64_t req = __atomic_load_n(&((struct vcpu *)arg)->requests, __ATOMIC_SEQ_CST);

	return !(req & VCPU_REQ_STAY) || (req & VCPU_REQ_STOP);
}

static void wait_for_requests(struct vcpu *v, uint64_t requests, uint64_t deadline)
{
	struct wait_for w = { v, requests };

	irq_enable();
	waitq_wait(&v->wait, has_request, &w, deadline);
	irq_disable();
}

/* When the guest's own timer will be due. */
static uint64_t guest_deadline(const struct vcpu *v)
{
	return v->sstc ? vcpu_live_vstimecmp() : v->deadline;
}

uint64_t vcpu_wait_deadline(const struct vcpu *v)
{
	return vcpu_live_timer_enabled() ? guest_deadline(v) : UINT64_MAX;
}

static void begin_at_start(struct vcpu *v)
{
	uint64_t pc = v->start_pc, opaque = v->start_opaque;

	__atomic_and_fetch(&v->requests, ~(uint64_t)VCPU_REQ_START, __ATOMIC_SEQ_CST);
	vcpu_power_on(v);
	vcpu_csrs_load(&v->csrs);
	fp_state_load(&v->fp);
	/* What it executes may have been written elsewhere: by us, or by other vCPUs. */
	cpu_fence_i();
	v->ctx.sepc = pc;
	v->ctx.x[10] = v->id;
	v->ctx.x[11] = opaque;
	__atomic_store_n(&v->hsm_state, SBI_HSM_STARTED, __ATOMIC_SEQ_CST);
	/* hvip is empty now, but lines that are up stay up. */
	vcpu_request(v, VCPU_REQ_IRQ);
}

/* The guest loses its registers, but not the interrupts that may have woken it. */
static void resume_nonretentive(struct vcpu *v)
{
	uint64_t deadline = guest_deadline(v);
	bool ipi = vcpu_live_irqs() & BIT(IRQ_VS_SOFT);

	v->suspended_nonretentive = false;
	begin_at_start(v);
	if (deadline != UINT64_MAX)
		vcpu_set_timer(v, deadline);
	if (ipi)
		vcpu_send_ipi(v);
}

static void wait_for_start(struct vcpu *v)
{
	__atomic_store_n(&v->running_on, -1, __ATOMIC_SEQ_CST);
	while (!(__atomic_load_n(&v->requests, __ATOMIC_SEQ_CST) & WAKE_STOPPED))
		wait_for_requests(v, WAKE_STOPPED, UINT64_MAX);
}

/* Paused from outside: stay out of the guest until that is taken back, or the VM ends. Its timers go on. */
static void stay_paused(struct vcpu *v)
{
	__atomic_store_n(&v->running_on, -1, __ATOMIC_SEQ_CST);
	irq_enable();
	waitq_wait(&v->wait, may_go_on, v, UINT64_MAX);
	irq_disable();
}

static void stop_self(struct vcpu *v)
{
	vcpu_steal_set(v, NULL);
	vcpu_counters_reset(v);
	__atomic_store_n(&v->hsm_state, SBI_HSM_STOPPED, __ATOMIC_SEQ_CST);
	vm_vcpu_inactive(v->vm);
	wait_for_start(v);
}

static bool suspended(const struct vcpu *v)
{
	return __atomic_load_n(&v->hsm_state, __ATOMIC_SEQ_CST) == SBI_HSM_SUSPENDED;
}

/* Sleep until something is asked of v or its timer is due, and serve it. @return requests left. */
static uint64_t sleep_and_serve(struct vcpu *v)
{
	__atomic_store_n(&v->running_on, -1, __ATOMIC_SEQ_CST);
	wait_for_requests(v, WAKE_WFI, vcpu_wait_deadline(v));
	if (__atomic_load_n(&v->requests, __ATOMIC_SEQ_CST) & VCPU_REQ_STAY)
		stay_paused(v);
	__atomic_store_n(&v->running_on, (int)this_hart()->index, __ATOMIC_SEQ_CST);
	return vcpu_serve(v);
}

/*
 * Trapped WFI or HSM suspend: nothing to do for the guest until an interrupt.
 * WFI may end without one, a suspended hart may not.
 */
static void wait_for_interrupt(struct vcpu *v)
{
	while (!vcpu_live_irqs()) {
		uint64_t req = sleep_and_serve(v);

		if (!suspended(v) || (req & VCPU_REQ_STOP))
			break;
	}
	if (!suspended(v))
		return;
	if (v->suspended_nonretentive)
		resume_nonretentive(v);
	__atomic_store_n(&v->hsm_state, SBI_HSM_STARTED, __ATOMIC_SEQ_CST);
}

static void after_leave(struct vcpu *v)
{
	switch (v->leave) {
	case LEAVE_RESCHED:
		break;
	case LEAVE_WFI:
		wait_for_interrupt(v);
		break;
	case LEAVE_YIELD:
		if (vcpu_spins(v))
			sched_check();
		else
			task_yield();
		break;
	case LEAVE_CALL:
		irq_enable();
		v->deferred(v);
		irq_disable();
		__atomic_thread_fence(__ATOMIC_RELEASE); /* what it did in the guest's memory, then v->leave (vm_stand_still) */
		break;
	case LEAVE_HSM_STOP:
		stop_self(v);
		break;
	}
	v->leave = LEAVE_RESCHED;
}

/*
 * WFI is the hart's own while nobody else wants it, and trapped (to give the hart away) otherwise. Of a cap, idle time
 * must take nothing.
 */
static void choose_wfi(struct vcpu *v)
{
	if (sched_others_runnable() || v->vm->share.quota) {
		v->ctx.hstatus |= HSTATUS_VTW;
		if (v->vm->n_vcpus > 1)
			vcpu_spin_arm(v);
	} else {
		v->ctx.hstatus &= ~HSTATUS_VTW;
		if (!v->alone)
			vcpu_sample_arm(v);
	}
}

static void log_if_bound(const struct vcpu *v)
{
	uint64_t mask = task_current()->asked_mask;

	if (hart_count() > 1 && mask != UINT64_MAX)
		log_info("%s: vCPU %u begins on hart %u, bound to %lx", v->vm->config->name, v->id,
			 this_hart()->index, (unsigned long)mask);
}

void vcpu_run(void *arg)
{
	struct vcpu *v = arg;

	irq_disable();
	wait_for_start(v);
	if (!(__atomic_load_n(&v->requests, __ATOMIC_SEQ_CST) & VCPU_REQ_STOP))
		log_if_bound(v);
	for (;;) {
		uint64_t req;

		if (this_hart()->resched)
			sched_check();
		__atomic_store_n(&v->running_on, (int)this_hart()->index, __ATOMIC_SEQ_CST);
		req = vcpu_serve(v);
		if (req & VCPU_REQ_STOP)
			break;
		if (req & VCPU_REQ_STAY) {
			vcpu_steal_withhold(v);
			stay_paused(v);
			vcpu_steal_release(v);
			continue;
		}
		if (req & VCPU_REQ_START) {
			begin_at_start(v);
			continue;
		}
		if (req & VCPU_REQ_SHARE) {
			vcpu_share_changed(v);
			continue;
		}
		if (unlikely(v->vm->share.quota) && vcpu_cap_wait(v))
			continue;
		if (this_hart()->resched)
			continue;
		choose_wfi(v);
		vcpu_enter(&v->ctx);
		after_leave(v);
	}
	__atomic_store_n(&v->running_on, -1, __ATOMIC_SEQ_CST);
	irq_enable();
	v->past_run_time += task_run_time(task_current());
	/* Not STOPPED: a sibling must not start what has no task any more. A start that came before is counted already. */
	if (__atomic_exchange_n(&v->hsm_state, SBI_HSM_STOP_PENDING, __ATOMIC_SEQ_CST) != SBI_HSM_STOPPED)
		vm_vcpu_inactive(v->vm);
	task_exit(0);
}
