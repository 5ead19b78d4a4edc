/* Starting harts, inter-processor interrupts, cross-hart calls. */
#include <caisson/smp.h>

#include <errno.h>

#include <arch/cpu.h>
#include <arch/hart.h>
#include <arch/sbi.h>
#include <caisson/hart.h>
#include <caisson/irq.h>
#include <caisson/log.h>
#include <caisson/spinlock.h>
#include <caisson/task.h>
#include <caisson/time.h>

#define LOG_NAME "smp"
#define START_TIMEOUT_US 1000000

/** A call under way; lives on the caller's stack until done. */
struct call {
	struct call *next;
	void (*fn)(void *);
	void *arg;
	bool done;
};

static struct call_queue {
	spinlock_t lock; /* innermost */
	struct call *first;
} calls[HART_MAX];

static void run_calls(void)
{
	struct call_queue *q = &calls[this_hart()->index];
	struct call *c;

	spin_lock(&q->lock);
	c = q->first;
	q->first = NULL;
	spin_unlock(&q->lock);
	while (c) {
		struct call *next = c->next;

		c->fn(c->arg);
		__atomic_store_n(&c->done, true, __ATOMIC_RELEASE);
		c = next;
	}
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
}

void ipi_send(unsigned hart, enum ipi reason)
{
	/* Whoever finds a bit set already knows that the interrupt is on its way. */
	if (__atomic_fetch_or(&harts[hart].ipi_pending, BIT(reason), __ATOMIC_SEQ_CST) == 0)
		sbi_send_ipi(harts[hart].hwid);
}

static void run_here(struct call *c)
{
	c->fn(c->arg);
	c->done = true;
}

/* Hand a call to a hart. @return 0 or -ENODEV. */
static int submit(unsigned hart, struct call *c)
{
	irqflags_t flags;

	if (hart >= hart_count() || !harts[hart].online)
		return -ENODEV;
	flags = irq_save();
	if (hart == this_hart()->index) {
		run_here(c);
	} else {
		spin_lock(&calls[hart].lock);
		c->next = calls[hart].first;
		calls[hart].first = c;
		spin_unlock(&calls[hart].lock);
		ipi_send(hart, IPI_CALL);
	}
	irq_restore(flags);
	return 0;
}

/* Interrupts are on, so a call to us is served meanwhile: two harts that call each other both get on. */
static void wait_done(const struct call *c)
{
	while (!__atomic_load_n(&c->done, __ATOMIC_ACQUIRE)) {
		ASSERT(irq_enabled());
		cpu_relax();
	}
}

int smp_call(unsigned hart, void (*fn)(void *), void *arg)
{
	struct call c = { .fn = fn, .arg = arg };
	int error = submit(hart, &c);

	if (!error)
		wait_done(&c);
	return error;
}

void smp_call_all(void (*fn)(void *), void *arg)
{
	struct call c[HART_MAX];

	for (unsigned h = 0; h < hart_count(); h++) {
		c[h] = (struct call){ .fn = fn, .arg = arg };
		if (submit(h, &c[h]))
			c[h].done = true; /* offline: nobody else has it */
	}
	for (unsigned h = 0; h < hart_count(); h++)
		wait_done(&c[h]);
}

static void wait_online(struct hart *h)
{
	uint64_t deadline = time_now() + time_from_us(START_TIMEOUT_US);

	while (!h->online && time_now() < deadline)
		cpu_relax();
	if (h->online)
		log_info("hart %lu: online", (unsigned long)h->hwid);
	else
		log_error("hart %lu does not answer; going on without it", (unsigned long)h->hwid);
}

static void start(struct hart *h)
{
	long error;

	h->boot_stack_top = sched_boot_stack(h->index);
	error = arch_hart_start(h);
	if (error && error != SBI_ERR_ALREADY_AVAILABLE)
		log_error("hart %lu: the firmware does not start it (SBI error %ld)", (unsigned long)h->hwid,
			  error);
	else
		wait_online(h);
}

void smp_start_secondaries(void)
{
	unsigned online = 0;

	for (unsigned i = 1; i < hart_count(); i++)
		start(&harts[i]);
	for (unsigned i = 0; i < hart_count(); i++)
		online += harts[i].online;
	log_info("secondary harts: %u of %u harts online", online, hart_count());
}
