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

/* A request of v is there to be found: wake it. @return the hart that is to be interrupted, as a mask; 0: none. */
static uint64_t tell(struct vcpu *v)
{
	int hart = __atomic_load_n(&v->running_on, __ATOMIC_SEQ_CST);

	if (hart < 0)
		wake(v);
	/* On its own hart it looks by itself before it enters. */
	return hart < 0 || (unsigned)hart == this_hart()->index ? 0 : BIT(hart);
}

static void kick(uint64_t harts_mask)
{
	if (harts_mask)
		ipi_send_mask(harts_mask, IPI_KICK);
}

void vcpu_request(struct vcpu *v, uint64_t req)
{
	/* Off: whoever finds an IPI on its way trusts that it is, and may wait for what it does. */
	irqflags_t flags = irq_save();

	__atomic_or_fetch(&v->requests, req, __ATOMIC_SEQ_CST);
	kick(tell(v));
	irq_restore(flags);
}

void vcpu_request_still(struct vcpu *v)
{
	irqflags_t flags = irq_save(); /* as above */

	__atomic_or_fetch(&v->requests, VCPU_REQ_STILL, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&v->running_on, __ATOMIC_SEQ_CST) >= 0)
		kick(tell(v));
	irq_restore(flags);
}

/* lines or soft have changed. Who finds that somebody has asked before has nobody to tell: that one does. */
static uint64_t __attribute__((noinline)) ask_for_lines(struct vcpu *v)
{
	uint64_t before = __atomic_fetch_or(&v->requests, VCPU_REQ_IRQ, __ATOMIC_SEQ_CST);

	return before & VCPU_REQ_IRQ ? 0 : tell(v);
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
		kick(ask_for_lines(v));
	else if (level)
		vcpu_live_hvip_set(bit);
	else
		vcpu_live_hvip_clear(bit);
}

static uint64_t send_ipi(struct vcpu *v)
{
	if (loaded_here(v)) {
		vcpu_live_hvip_set(BIT(IRQ_VS_SOFT));
		return 0;
	}
	__atomic_store_n(&v->soft, 1, __ATOMIC_SEQ_CST);
	return ask_for_lines(v);
}

void vcpu_send_ipi(struct vcpu *v)
{
	kick(send_ipi(v));
}

void vcpu_send_ipis(struct vm *vm, uint64_t vcpus)
{
	uint64_t harts_mask = 0;

	for (unsigned i = 0; vcpus >> i; i++)
		if (vcpus >> i & 1)
			harts_mask |= send_ipi(vm->vcpus[i]);
	kick(harts_mask);
}

/* Bits that vcpu_serve() does something for: out of line, since mostly there is none. */
#define SERVED ((uint64_t)(VCPU_REQ_IRQ | VCPU_REQ_FENCE | VCPU_REQ_RESCHED))

static uint64_t __attribute__((noinline)) serve(struct vcpu *v, uint64_t req)
{
	if (req & VCPU_REQ_FENCE)
		vcpu_fence_serve(v);
	/* Cleared before the lines are read: a new line asks again. A fence asked for meanwhile is not ours to clear. */
	req = __atomic_and_fetch(&v->requests, ~(req & SERVED & ~(uint64_t)VCPU_REQ_FENCE), __ATOMIC_SEQ_CST);
	sync_lines(v);
	return req;
}

uint64_t vcpu_serve(struct vcpu *v)
{
	uint64_t req = __atomic_load_n(&v->requests, __ATOMIC_SEQ_CST);

	return likely(!(req & SERVED)) ? req : serve(v, req);
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
