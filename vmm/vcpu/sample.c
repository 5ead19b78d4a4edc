/*
 * Looking at a running guest now and then.
 *
 * While WFI is not trapped the host cannot see when the guest idles, so whenever
 * an interrupt takes the guest out, the instruction before its pc tells: a WFI
 * means that the time since the last look was idle, anything else that it was
 * run time. A timer makes sure of a look every 10 ms. The same look finds a
 * guest that does nothing but fault at its own trap vector. And when it finds one
 * waiting while the stock of zeroed frames is low, somebody with nothing else to do is to
 * fill it: another hart, or this one, which the guest then gives away by its next WFI.
 */
#include <arch/cpu.h>
#include <caisson/mm.h>
#include <caisson/time.h>
#include <vmm/vcpu.h>
#include <vmm/vm.h>

#include "vcpu_internal.h"

#define SAMPLE_US 10000
static uint64_t sample_ticks;
/** The next look for the stock's sake, even if the guest is not left until then. Seldom: a look ends the guest's WFI. */
#define STOCK_LOOKS 5 /* x SAMPLE_US */
/** A hart is lent by a guest that will wait for so long yet: it pays for a trap and two switches. */
#define LEND_US 200
/** Looks in a row at the trap vector, with a trap taken from the vector itself, that mean "for ever". */
#define VECTOR_FAULTS_MAX 20
#define INSN_WFI_LOW 0x0073
#define INSN_WFI_HIGH 0x1050

static void sample_due(struct timer *t)
{
	(void)t; /* the interrupt itself is the look */
}

void vcpu_sample_init(struct vcpu *v)
{
	sample_ticks = time_from_us(SAMPLE_US);
	timer_init(&v->sample, sample_due);
}

void vcpu_sample_arm(struct vcpu *v)
{
	if (!v->sample.queued)
		timer_arm(&v->sample, cpu_time() + sample_ticks);
}

void vcpu_sample_now(struct vcpu *v)
{
	v->sampled_at -= sample_ticks;
	v->sampled_early = v->sampled_at;
}

bool vcpu_after_wfi(uint64_t pc)
{
	uint16_t low, high;

	return vcpu_live_fetch16(GVA(pc - 4), &low) == 0 && low == INSN_WFI_LOW &&
	       vcpu_live_fetch16(GVA(pc - 2), &high) == 0 && high == INSN_WFI_HIGH;
}

/* A trap taken at the vector itself, with the guest still there: its handler cannot even begin. */
static bool stuck_at_vector(struct vcpu *v)
{
	uint64_t vector = vcpu_live_vstvec();

	if (vcpu_live_pc() != vector || vcpu_live_vsepc() != vector) {
		v->vector_faults = 0;
		return false;
	}
	return ++v->vector_faults >= VECTOR_FAULTS_MAX;
}

static bool waits_for_long(const struct vcpu *v, uint64_t now)
{
	uint64_t deadline = vcpu_wait_deadline(v);

	/* Without Sstc this may be the very exit that its timer ended the last wait with. */
	return deadline > now ? deadline - now > time_from_us(LEND_US) : !v->sstc;
}

/* The stock is low. */
static void fill_stock(struct vcpu *v, uint64_t now, bool waits)
{
	if (!v->sample.queued)
		timer_arm(&v->sample, now + STOCK_LOOKS * sample_ticks);
	if (!sched_rouse_idle() && waits && waits_for_long(v, now))
		vcpu_live_trap_wfi();
}

/* Out of line, so that an interrupt that is no look saves no registers for it. */
static bool __attribute__((noinline)) look(struct vcpu *v, uint64_t now, uint64_t since)
{
	bool waits;

	if (v->sampled_at == v->sampled_early) {
		vcpu_spin_look(v);
		v->sampled_early = 0;
		v->sampled_at += sample_ticks;
		since -= sample_ticks;
		if (since < sample_ticks)
			return true;
	}
	v->sampled_at = now;
	waits = vcpu_after_wfi(vcpu_live_pc());
	if (waits)
		v->idle_ticks += since;
	else
		v->guest_ticks += since;
	if (IS_ENABLED(CONFIG_FRAME_STOCK) && !v->alone && frame_stock_low())
		fill_stock(v, now, waits);
	return !stuck_at_vector(v);
}

bool vcpu_sample(struct vcpu *v)
{
	uint64_t now = cpu_time();
	uint64_t since = now - v->sampled_at;

	return likely(since < sample_ticks) || look(v, now, since);
}
