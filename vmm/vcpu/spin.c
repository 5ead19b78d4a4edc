/*
 * A vCPU that waits in a loop for a sibling which waits for the same hart would
 * keep it for a whole slice in vain. While the hart is wanted by others, a timer
 * looks soon after a vCPU of a larger VM got it: with a `pause` (Zihintpause) close
 * to its pc it spins, and the hart goes to the sibling that has not had it for the
 * longest. The look comes sooner after one that found a spin, later after one that did not.
 */
#include <caisson/hart.h>
#include <caisson/time.h>
#include <vmm/vcpu.h>
#include <vmm/vm.h>

#include "vcpu_internal.h"

#define SOONEST_US 50
#define FIRST_US 200
#define LATEST_US 1600 /* within the shortest slice */
/* Bytes before and after the pc that belong to a waiting loop. */
#define LOOP_BYTES 32
#define INSN_PAUSE_LOW 0x000f
#define INSN_PAUSE_HIGH 0x0100

static void look_due(struct timer *t)
{
	struct vcpu *v = container_of(t, struct vcpu, spin.timer);

	/* Its exit looks (vcpu_sample); where v is not on this hart any more there is nothing to look at. */
	if (__atomic_load_n(&v->running_on, __ATOMIC_RELAXED) == (int)this_hart()->index)
		vcpu_sample_now(v);
}

void vcpu_spin_init(struct vcpu *v)
{
	timer_init(&v->spin.timer, look_due);
	v->spin.after = time_from_us(FIRST_US);
}

void vcpu_spin_arm(struct vcpu *v)
{
	if (!v->spin.timer.queued)
		timer_arm(&v->spin.timer, time_now() + v->spin.after);
}

static bool pause_near(uint64_t pc)
{
	uint16_t last = 0, half;

	for (uint64_t at = pc - LOOP_BYTES; at != pc + LOOP_BYTES; at += 2) {
		/* Of what cannot be fetched (another page, perhaps) the rest is still looked at. */
		if (vcpu_live_fetch16(GVA(at), &half))
			half = 0;
		if (last == INSN_PAUSE_LOW && half == INSN_PAUSE_HIGH)
			return true;
		last = half;
	}
	return false;
}

bool vcpu_yield_to(struct vcpu *v)
{
	return v->task && sched_yield_to(v->task);
}

bool vcpu_spins(struct vcpu *v)
{
	struct vm *vm = v->vm;

	v->spin.count++;
	for (unsigned i = 1; i < vm->n_vcpus; i++) {
		unsigned id = (v->id + i) % vm->n_vcpus;

		if (vcpu_yield_to(vm->vcpus[id]))
			return true;
	}
	return false;
}

void vcpu_spin_look(struct vcpu *v)
{
	if (!sched_others_runnable())
		return;
	if (pause_near(vcpu_live_pc())) {
		v->spin.after = time_from_us(SOONEST_US);
		(void)vcpu_spins(v);
	} else {
		v->spin.after = MIN(2 * v->spin.after, time_from_us(LATEST_US));
	}
	vcpu_spin_arm(v);
}
