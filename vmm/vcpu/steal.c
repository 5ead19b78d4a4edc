/*
 * Stolen time: what a vCPU could have run but was kept from running (SBI 3.0,
 * "Steal-time Accounting Extension"). It is the time that its task waited for a
 * hart, and that its VM was paused while it had something to do; not the time
 * it slept. Written into the guest's memory when it gets its hart again.
 */
#include <string.h>

#include <arch/sbi.h>
#include <caisson/hart.h>
#include <caisson/time.h>
#include <vmm/vcpu.h>

#include "vcpu_internal.h"

/** What guests see, little-endian. Guests may write there: we never read it. */
struct steal_record {
	uint32_t sequence;  /* odd: steal is being written */
	uint32_t flags;
	uint64_t steal;     /* ns */
	uint8_t preempted;
	uint8_t pad[47];
};

_Static_assert(sizeof(struct steal_record) == VCPU_STEAL_SIZE, "as the specification says");

static uint64_t stolen_so_far(const struct vcpu *v)
{
	return this_hart()->current->wait_time + v->steal.withheld;
}

void vcpu_steal_set(struct vcpu *v, void *record)
{
	v->steal.record = record;
	v->steal.ns = 0;
	v->steal.idle_from = UINT64_MAX;
	v->steal.from = stolen_so_far(v);
	if (record)
		memset(record, 0, VCPU_STEAL_SIZE);
}

/* A guest that cannot run just now (suspended, paused) keeps its memory as it is. */
static struct steal_record *writable_record(const struct vcpu *v)
{
	if (__atomic_load_n(&v->hsm_state, __ATOMIC_RELAXED) == SBI_HSM_SUSPENDED ||
	    (__atomic_load_n(&v->requests, __ATOMIC_RELAXED) & VCPU_REQ_STAY))
		return NULL;
	return v->steal.record;
}

/* It waited for the hart only to execute its next WFI: no loss, until its timer was due. */
static void forgive_idle(struct vcpu *v)
{
	uint64_t now = time_now(), waited, late;

	if (v->steal.idle_from == UINT64_MAX)
		return;
	waited = this_hart()->current->wait_time - v->steal.idle_from;
	late = now > v->steal.idle_until ? now - v->steal.idle_until : 0;
	v->steal.from += waited - MIN(waited, late);
	v->steal.idle_from = UINT64_MAX;
}

void vcpu_steal_publish(struct vcpu *v)
{
	struct steal_record *r = writable_record(v);

	forgive_idle(v);
	/* A task whose wait is over has a hart before the run loop has counted that wait: it will publish. */
	if (!r || v->steal.withholding)
		return;
	/* The clocks of two harts may differ by a little; guests do not expect it to shrink. */
	v->steal.ns = MAX(v->steal.ns, time_to_ns(stolen_so_far(v) - v->steal.from));
	__atomic_store_n(&r->sequence, ++v->steal.sequence, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	__atomic_store_n(&r->steal, v->steal.ns, __ATOMIC_RELAXED);
	__atomic_store_n(&r->sequence, ++v->steal.sequence, __ATOMIC_RELEASE);
	__atomic_store_n(&r->preempted, 0, __ATOMIC_RELAXED);
}

void vcpu_steal_begin(struct vcpu *v)
{
	struct steal_record *r = writable_record(v);

	if (!r || this_hart()->current->state != TASK_RUNNING)
		return;
	if (vcpu_after_wfi(v->ctx.sepc) && !vcpu_live_irqs()) {
		v->steal.idle_from = this_hart()->current->wait_time;
		v->steal.idle_until = vcpu_wait_deadline(v);
	} else {
		__atomic_store_n(&r->preempted, 1, __ATOMIC_RELAXED);
	}
}

/* Time that passes, but for what wait_time counts by itself. */
static uint64_t time_not_waiting(void)
{
	return time_now() - this_hart()->current->wait_time;
}

void vcpu_steal_withhold(struct vcpu *v)
{
	v->steal.withholding = true;
	v->steal.since = time_not_waiting();
}

void vcpu_steal_release(struct vcpu *v)
{
	v->steal.withholding = false;
	v->steal.withheld += time_not_waiting() - v->steal.since;
	vcpu_steal_publish(v);
}
