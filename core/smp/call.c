/* Inter-processor interrupts, and the calls that a hart runs for others. */
#include <caisson/smp.h>

#include <errno.h>

#include <arch/cpu.h>
#include <arch/sbi.h>
#include <caisson/hart.h>
#include <caisson/irq.h>
#include <caisson/log.h>
#include <caisson/spinlock.h>

#include "smp.h"

#define LOG_NAME "smp"

static struct call_queue {
	spinlock_t lock;          /* innermost */
	bool open;                /* the hart runs and takes calls */
	struct smp_call *first;   /* the oldest */
	struct smp_call **end;    /* where the next one is hung up */
} calls[HART_MAX];

static struct smp_call *take_all(struct call_queue *q)
{
	struct smp_call *first;

	spin_lock(&q->lock);
	first = q->first;
	q->first = NULL;
	q->end = &q->first;
	spin_unlock(&q->lock);
	return first;
}

static void run_calls(void)
{
	struct smp_call *c = take_all(&calls[this_hart()->index]);

	while (c) {
		struct smp_call *next = c->next;

		c->fn(c->arg);
		__atomic_store_n(&c->done, true, __ATOMIC_RELEASE);
		c = next;
	}
}

void calls_open(void)
{
	struct call_queue *q = &calls[this_hart()->index];

	/* What was on its way when the hart left is nobody's any more; a bit that stays would keep IPIs away. */
	__atomic_store_n(&this_hart()->ipi_pending, 0, __ATOMIC_SEQ_CST);
	spin_lock(&q->lock);
	q->end = &q->first;
	q->open = true;
	spin_unlock(&q->lock);
}

void calls_close(void)
{
	struct call_queue *q = &calls[this_hart()->index];

	spin_lock(&q->lock);
	q->open = false;
	spin_unlock(&q->lock);
	run_calls();
}

/* Each hart's own: nobody else writes them. */
static struct {
	struct ipi_counts n;
} ALIGNED_TO(64) counts[HART_MAX];

static void ipi_received(void)
{
	struct hart *h = this_hart();
	uint64_t pending;

	counts[h->index].n.had++;
	/* Cleared first: a reason that is set after the exchange sends a new interrupt. */
	arch_ipi_clear();
	pending = __atomic_exchange_n(&h->ipi_pending, 0, __ATOMIC_SEQ_CST);
	if (pending & BIT(IPI_CALL))
		run_calls();
	if (pending & BIT(IPI_RESCHED))
		h->resched = true;
	/* IPI_KICK needs nothing here: having left the guest is all it asks for. */
}

void smp_init(void)
{
	irq_register_local(IRQ_S_SOFT, ipi_received);
	smp_hart_up();
}

/* Whoever finds a bit set already knows that the interrupt is on its way. */
static bool must_send(unsigned hart, enum ipi reason)
{
	if (__atomic_fetch_or(&harts[hart].ipi_pending, BIT(reason), __ATOMIC_SEQ_CST))
		return false;
	counts[this_hart()->index].n.sent++;
	return true;
}

void ipi_send(unsigned hart, enum ipi reason)
{
	if (must_send(hart, reason))
		sbi_send_ipi(1, harts[hart].hwid);
}

void ipi_send_mask(uint64_t mask, enum ipi reason)
{
	uint64_t base = 0, ids = 0;

	for (unsigned hart = 0; mask; hart++, mask >>= 1) {
		uint64_t id = harts[hart].hwid;

		if (!(mask & 1) || !must_send(hart, reason))
			continue;
		if (ids && id - base >= 64) {
			sbi_send_ipi(ids, base);
			ids = 0;
		}
		if (!ids)
			base = id;
		ids |= BIT(id - base);
	}
	if (ids)
		sbi_send_ipi(ids, base);
}

struct ipi_counts ipi_counts(unsigned hart)
{
	return counts[hart].n;
}

/* As in the interrupt, which stays pending, for its other reasons. Not before it is: see start_in_firmware (power.c). */
void smp_serve_calls(void)
{
	struct hart *h = this_hart();

	ASSERT(!irq_enabled());
	if (!arch_ipi_pending())
		return;
	h->irq_depth++;
	run_calls();
	h->irq_depth--;
}

int smp_call_async(unsigned hart, struct smp_call *c)
{
	struct call_queue *q = &calls[hart];
	irqflags_t flags;
	bool open;

	if (hart >= hart_count())
		return -ENODEV;
	c->next = NULL;
	c->done = false;
	flags = spin_lock_irqsave(&q->lock);
	open = q->open;
	if (open) {
		*q->end = c;
		q->end = &c->next;
	}
	spin_unlock(&q->lock);
	if (open)
		ipi_send(hart, IPI_CALL);
	irq_restore(flags);
	return open ? 0 : -ENODEV;
}

/* Interrupts are on, so a call to us is served meanwhile: two harts that call each other both get on. */
void smp_call_wait(const struct smp_call *c)
{
	while (!__atomic_load_n(&c->done, __ATOMIC_ACQUIRE)) {
		ASSERT(irq_enabled());
		cpu_relax();
	}
}

/* Hand a call to a hart, or run it when that is this one. @return 0 or -ENODEV. */
static int submit(unsigned hart, struct smp_call *c)
{
	irqflags_t flags = irq_save();
	int error = 0;

	if (hart == this_hart()->index) {
		c->fn(c->arg);
		c->done = true;
	} else {
		error = smp_call_async(hart, c);
	}
	irq_restore(flags);
	return error;
}

int smp_call(unsigned hart, void (*fn)(void *), void *arg)
{
	struct smp_call c = { .fn = fn, .arg = arg };
	int error = submit(hart, &c);

	if (!error)
		smp_call_wait(&c);
	return error;
}

void smp_call_mask(uint64_t mask, void (*fn)(void *), void *arg)
{
	struct smp_call c[HART_MAX];

	for (unsigned h = 0; h < hart_count(); h++) {
		c[h] = (struct smp_call){ .fn = fn, .arg = arg };
		if (!(mask & BIT(h)) || submit(h, &c[h]))
			c[h].done = true; /* not asked, or offline: nobody else has it */
	}
	for (unsigned h = 0; h < hart_count(); h++)
		smp_call_wait(&c[h]);
}

void smp_call_all(void (*fn)(void *), void *arg)
{
	smp_call_mask(UINT64_MAX, fn, arg);
}
