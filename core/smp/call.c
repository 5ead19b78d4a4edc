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

static void ipi_received(void)
{
	struct hart *h = this_hart();
	uint64_t pending;

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

void ipi_send(unsigned hart, enum ipi reason)
{
	/* Whoever finds a bit set already knows that the interrupt is on its way. */
	if (__atomic_fetch_or(&harts[hart].ipi_pending, BIT(reason), __ATOMIC_SEQ_CST) == 0)
		sbi_send_ipi(harts[hart].hwid);
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
