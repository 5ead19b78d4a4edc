/*
 * The cap of a VM, kept by its vCPUs (vmm/share.h). Each counts the time that it
 * has a hart, from its task's switch to it until the switch away; a timer on that
 * hart takes it out of the guest when the period's quota will be used up. Where
 * there is no cap nothing of this runs.
 */
#include <caisson/hart.h>
#include <caisson/time.h>
#include <vmm/partition.h>
#include <vmm/vcpu.h>
#include <vmm/vm.h>

#include "vcpu_internal.h"

/* The run loop looks before it enters the guest again. */
static void quota_used(struct timer *t)
{
	(void)t;
	this_hart()->resched = true;
}

void vcpu_cap_init(struct vcpu *v)
{
	timer_init(&v->cap.timer, quota_used);
}

static void count(struct vm_share *s, struct vcpu *v, uint64_t now)
{
	uint64_t from = MAX(v->cap.counted_at, s->since);

	/* The clocks of two harts may differ by a little. */
	if (now > from)
		s->used += now - from;
	v->cap.counted_at = now;
}

/* Each period that has begun pays for what was used. */
static void renew(struct vm_share *s, uint64_t now)
{
	uint64_t period = time_from_us(VM_CAP_PERIOD_US), n;

	if (now < s->period_end)
		return;
	n = (now - s->period_end) / period + 1;
	s->used -= MIN(s->used, n * s->quota);
	s->period_end += n * period;
}

void vcpu_cap_begin(struct vcpu *v)
{
	v->cap.counted_at = time_now();
}

void vcpu_cap_end(struct vcpu *v)
{
	struct vm_share *s = &v->vm->share;

	timer_cancel(&v->cap.timer);
	spin_lock(&s->lock);
	count(s, v, time_now());
	spin_unlock(&s->lock);
}

/* @return ticks left now; none: when to look again is in *again. */
static uint64_t quota_left(struct vcpu *v, uint64_t *again)
{
	struct vm_share *s = &v->vm->share;
	uint64_t now = time_now(), left;

	spin_lock(&s->lock);
	count(s, v, now);
	renew(s, now);
	left = s->used < s->quota ? s->quota - s->used : 0;
	s->throttled += !left && s->quota;
	*again = s->period_end;
	spin_unlock(&s->lock);
	return left;
}

static bool stops_waiting(void *arg)
{
	const uint64_t reasons = VCPU_REQ_STOP | VCPU_REQ_PAUSE | VCPU_REQ_SHARE;

	return __atomic_load_n(&((struct vcpu *)arg)->requests, __ATOMIC_SEQ_CST) & reasons;
}

bool vcpu_cap_wait(struct vcpu *v)
{
	uint64_t again, left = quota_left(v, &again);

	if (left) {
		timer_arm(&v->cap.timer, time_now() + left);
		return false;
	}
	__atomic_store_n(&v->running_on, -1, __ATOMIC_SEQ_CST);
	vcpu_steal_withhold(v);
	irq_enable();
	waitq_wait(&v->wait, stops_waiting, v, again);
	irq_disable();
	vcpu_steal_release(v);
	return true;
}

void vcpu_share_changed(struct vcpu *v)
{
	__atomic_and_fetch(&v->requests, ~(uint64_t)VCPU_REQ_SHARE, __ATOMIC_SEQ_CST);
	task_set_mask(task_current(), vm_vcpu_harts(v->vm, v->id));
}
