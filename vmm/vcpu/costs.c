/* Whose the instructions are that this hart executes outside guests (vmm/costs.h). */
#include <arch/cpu.h>
#include <arch/outside.h>
#include <caisson/hart.h>
#include <vmm/costs.h>
#include <vmm/vcpu.h>
#include <vmm/vm.h>

#include "vcpu_internal.h"

/* Instructions from the trap to where vcpu_switch.S reads the counter; and what vcpu_count_exit has more. */
#define ENTRY 24
#define COUNT_EXIT 2

static struct hart_costs {
	uint64_t mark;            /* the counter when the last of them was told whose it was */
	struct vcpu *vcpu;        /* whose it is now; NULL: the host's */
	struct vcpu *interrupted; /* while an interrupt of the host is handled: whose task it came into */
	uint64_t host;
	uint64_t probe;           /* what counting adds to an exit */
} ALIGNED_TO(64) hart_costs[HART_MAX];

static struct hart_costs *here(void)
{
	return &hart_costs[this_hart()->index];
}

/* Up to now they were so. */
static void settle(struct hart_costs *h)
{
	uint64_t now = outside_count();

	*(h->vcpu ? &h->vcpu->costs[h->vcpu->exit_kind] : &h->host) += now - h->mark;
	h->mark = now;
}

void costs_switch_in(struct vcpu *v)
{
	struct hart_costs *h = here();

	settle(h);
	h->vcpu = v;
}

void costs_switch_out(void)
{
	struct hart_costs *h = here();

	settle(h);
	h->vcpu = NULL;
}

void costs_interrupt_begin(void)
{
	struct hart_costs *h = here();

	if (!h->vcpu)
		return;
	settle(h);
	h->interrupted = h->vcpu;
	h->vcpu = NULL;
}

void costs_interrupt_end(void)
{
	struct hart_costs *h = here();

	if (!h->interrupted)
		return;
	settle(h);
	h->vcpu = h->interrupted;
	h->interrupted = NULL;
}

/* The guest was left; the handler has yet to say why. */
void __attribute__((noinline)) costs_exit(struct vcpu_ctx *ctx, uint64_t count)
{
	struct vcpu *v = vcpu_of(ctx);
	struct hart_costs *h = here();

	count -= ENTRY;
	v->costs[v->exit_kind] += count - h->mark - h->probe;
	h->mark = count;
	v->exit_kind = EXIT_OTHER;
}

uint64_t costs_host(void)
{
	struct hart_costs *h = here();

	if (!h->vcpu)
		settle(h);
	return h->host;
}

/*
 * A call takes as many instructions here as in vcpu_switch.S. Twice, so that what is measured is in the hart's caches,
 * where it has any.
 */
void costs_calibrate(void)
{
	static struct vcpu nobody;
	struct hart_costs *h = here();

	for (unsigned i = 0; i < 2; i++) {
		uint64_t from = outside_count(), empty = outside_count() - from;

		from = outside_count();
		costs_exit(&nobody.ctx, from);
		h->probe = outside_count() - from - empty + COUNT_EXIT;
	}
	h->mark = outside_count();
}
