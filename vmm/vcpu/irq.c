/*
 * Interrupts into vCPUs, and requests to them.
 *
 * Ordering: whoever asks first sets the bit in requests, then reads running_on;
 * the vCPU first sets running_on, then reads requests (run.c). Both are
 * sequentially consistent, so at least one of the two sees the other, and a
 * request is never left unseen: either the vCPU finds it before it enters the
 * guest, or the asker finds the hart to kick.
 */
#include <arch/timer.h>
#include <caisson/hart.h>
#include <caisson/smp.h>
#include <vmm/vcpu.h>
#include <vmm/vm.h>

#include "vcpu_internal.h"

#define LEVEL_LINES (BIT(IRQ_VS_EXT) | BIT(IRQ_VS_TIMER))

static bool loaded_here(const struct vcpu *v)
{
	return this_hart()->loaded_vcpu == v && __atomic_load_n(&v->running_on, __ATOMIC_RELAXED) ==
							(int)this_hart()->index;
}

/*
 * Out of a device's write, whose exit path goes straight back: the guest that runs on this hart must not keep
 * it for the rest of its turn from the one that was woken.
 */
static void wake(struct vcpu *v)
{
	struct vcpu *here = this_hart()->loaded_vcpu;

	waitq_notify_all(&v->wait);
	if (this_hart()->resched && here && loaded_here(here))
		__atomic_or_fetch(&here->requests, VCPU_REQ_RESCHED, __ATOMIC_SEQ_CST);
}

void vcpu_request(struct vcpu *v, uint64_t req)
{
	int hart;

	__atomic_or_fetch(&v->requests, req, __ATOMIC_SEQ_CST);
	hart = __atomic_load_n(&v->running_on, __ATOMIC_SEQ_CST);
	if (hart < 0)
		wake(v);
	else if ((unsigned)hart != this_hart()->index) /* on its own hart it looks by itself before it enters */
		ipi_send((unsigned)hart, IPI_KICK);
}

/* Bring hvip in line with what is wanted. v is loaded on this hart. */
static void sync_lines(struct vcpu *v)
{
	uint64_t lines = __atomic_load_n(&v->lines, __ATOMIC_SEQ_CST);

	/* With Sstc the timer line is vstimecmp's, and VSTIP in hvip stays 0. */
	vcpu_live_hvip_clear(LEVEL_LINES & ~lines);
	vcpu_live_hvip_set(LEVEL_LINES & lines);
	if (__atomic_exchange_n(&v->soft, 0, __ATOMIC_SEQ_CST))
		vcpu_live_hvip_set(BIT(IRQ_VS_SOFT));
}

void vcpu_set_line(struct vcpu *v, uint64_t bit, bool level)
{
	uint64_t old = level ? __atomic_fetch_or(&v->lines, bit, __ATOMIC_SEQ_CST) :
			       __atomic_fetch_and(&v->lines, ~bit, __ATOMIC_SEQ_CST);

	if (!!(old & bit) == level)
		return;
	if (!loaded_here(v))
		vcpu_request(v, VCPU_REQ_IRQ);
	else if (level)
		vcpu_live_hvip_set(bit);
	else
		vcpu_live_hvip_clear(bit);
}

void vcpu_send_ipi(struct vcpu *v)
{
	if (loaded_here(v)) {
		vcpu_live_hvip_set(BIT(IRQ_VS_SOFT));
		return;
	}
	__atomic_store_n(&v->soft, 1, __ATOMIC_SEQ_CST);
	vcpu_request(v, VCPU_REQ_IRQ);
}

uint64_t vcpu_serve(struct vcpu *v)
{
	const uint64_t mine = VCPU_REQ_IRQ | VCPU_REQ_FENCE_I | VCPU_REQ_FENCE | VCPU_REQ_RESCHED;
	uint64_t req = __atomic_load_n(&v->requests, __ATOMIC_SEQ_CST);

	if (likely(!(req & mine)))
		return req;
	if (req & VCPU_REQ_FENCE_I)
		cpu_fence_i();
	if (req & VCPU_REQ_FENCE)
		vcpu_hfence_vvma_all();
	/* Cleared after the fence is done, before the lines are read: a waiter may go on, a new line asks again. */
	req = __atomic_and_fetch(&v->requests, ~(req & mine), __ATOMIC_SEQ_CST);
	sync_lines(v);
	return req;
}

/* Has `v` served req, or left the guest (then it will before it enters again)? */
static bool served(struct vcpu *v, uint64_t req)
{
	return !(__atomic_load_n(&v->requests, __ATOMIC_SEQ_CST) & req) ||
	       __atomic_load_n(&v->running_on, __ATOMIC_SEQ_CST) < 0;
}

void vcpu_request_sync(struct vcpu *self, uint64_t vcpu_mask, uint64_t req)
{
	struct vm *vm = self->vm;

	for (unsigned i = 0; i < vm->n_vcpus; i++)
		if (vcpu_mask & BIT(i))
			vcpu_request(vm->vcpus[i], req);
	/* The other hart may wait for us in the same way: our own requests are served meanwhile. */
	for (unsigned i = 0; i < vm->n_vcpus; i++)
		while ((vcpu_mask & BIT(i)) && !served(vm->vcpus[i], req)) {
			vcpu_serve(self);
			cpu_relax();
		}
}

void vcpu_timer_expired(struct vcpu *v)
{
	v->deadline = UINT64_MAX;
	__atomic_or_fetch(&v->lines, BIT(IRQ_VS_TIMER), __ATOMIC_SEQ_CST);
	vcpu_live_hvip_set(BIT(IRQ_VS_TIMER));
}

void vcpu_set_timer(struct vcpu *v, uint64_t deadline)
{
	if (likely(v->sstc)) {
		vcpu_live_set_vstimecmp(deadline);
		return;
	}
	__atomic_and_fetch(&v->lines, ~BIT(IRQ_VS_TIMER), __ATOMIC_SEQ_CST);
	vcpu_live_hvip_clear(BIT(IRQ_VS_TIMER));
	v->deadline = deadline;
	timer_set_guest_deadline(deadline);
}
