/*
 * Timers: a sorted queue per hart over its one-shot timer.
 *
 * Without Sstc the hardware is programmed by a firmware call that costs hundreds
 * of instructions, so it is made only when the hardware would otherwise fire too
 * late; a deadline that was programmed and is no longer needed just fires once in
 * vain.
 */
#include <arch/cpu.h>
#include <arch/timer.h>
#include <caisson/hart.h>
#include <caisson/irq.h>
#include <caisson/spinlock.h>
#include <caisson/time.h>

/** Timers run in one interrupt at most. */
#define DUE_MAX 64
/** timer.hart of one that is between two queues. */
#define MOVING HART_MAX

struct hart_timers {
	spinlock_t lock;        /* guards the queue; innermost lock */
	struct list queue;      /* by deadline */
	uint64_t guest;         /* timer_set_guest_deadline */
	uint64_t programmed;    /* when the hardware will fire; this hart only */
	struct timer *running;  /* whose fn runs now */
	bool in_interrupt;      /* the hardware is programmed once, at the end */
	uint64_t interrupts;
} ALIGNED_TO(64);

static struct hart_timers timers[HART_MAX];
void (*timer_guest_expired)(void);

void timer_hart_init(void)
{
	struct hart_timers *t = &timers[this_hart()->index];

	list_init(&t->queue);
	t->guest = UINT64_MAX;
	t->programmed = UINT64_MAX;
	arch_timer_mask();
	irq_register_local(IRQ_S_TIMER, timer_interrupt);
}

void timer_init(struct timer *t, void (*fn)(struct timer *))
{
	list_init(&t->node);
	t->fn = fn;
	t->queued = false;
	t->hart = 0;
}

static uint64_t first_deadline(const struct hart_timers *t)
{
	return list_empty(&t->queue) ? UINT64_MAX : list_first(&t->queue, struct timer, node)->deadline;
}

/* Make the hardware fire in time for everything queued. This hart, interrupts off. */
static void program(struct hart_timers *t)
{
	uint64_t want = MIN(first_deadline(t), t->guest);

	if (want >= t->programmed || t->in_interrupt)
		return;
	t->programmed = want;
	arch_timer_program(want);
}

static void insert(struct hart_timers *ht, struct timer *t)
{
	struct list *at = &ht->queue;

	list_for_each(other, &ht->queue, struct timer, node) {
		if (other->deadline > t->deadline) {
			at = &other->node;
			break;
		}
	}
	list_push_back(at, &t->node);
	t->queued = true;
}

/* The queue of the hart that t is with, locked. Interrupts off. */
static struct hart_timers *lock_queue_of(const struct timer *t)
{
	for (;;) {
		unsigned hart = __atomic_load_n(&t->hart, __ATOMIC_ACQUIRE);

		if (hart != MOVING) {
			spin_lock(&timers[hart].lock);
			if (__atomic_load_n(&t->hart, __ATOMIC_RELAXED) == hart)
				return &timers[hart];
			spin_unlock(&timers[hart].lock);
		}
		cpu_relax(); /* timer_adopt is moving it */
	}
}

/* It was queued just now. */
static void __attribute__((noinline)) take_out(struct timer *t)
{
	irqflags_t flags = irq_save();
	struct hart_timers *ht = lock_queue_of(t);

	if (t->queued) {
		list_del(&t->node);
		t->queued = false;
	}
	spin_unlock(&ht->lock);
	irq_restore(flags);
}

void timer_cancel(struct timer *t)
{
	if (__atomic_load_n(&t->queued, __ATOMIC_ACQUIRE))
		take_out(t);
}

void timer_cancel_sync(struct timer *t)
{
	struct hart_timers *ht;

	/* Once more when fn has re-armed it meanwhile. */
	do {
		timer_cancel(t);
		/* It is in no queue, so it stays with its hart. There fn is over, or is our caller. */
		ht = &timers[t->hart];
		if (t->hart == this_hart()->index)
			return;
		/* Acquire: what fn did is seen. */
		while (__atomic_load_n(&ht->running, __ATOMIC_ACQUIRE) == t)
			cpu_relax();
	} while (__atomic_load_n(&t->queued, __ATOMIC_ACQUIRE));
}

void timer_arm(struct timer *t, uint64_t deadline)
{
	struct hart_timers *ht;
	irqflags_t flags;

	timer_cancel(t);
	flags = irq_save();
	ht = &timers[this_hart()->index];
	t->deadline = deadline;
	spin_lock(&ht->lock);
	t->hart = this_hart()->index;
	insert(ht, t);
	program(ht);
	spin_unlock(&ht->lock);
	irq_restore(flags);
}

void timer_quieten(void)
{
	struct hart_timers *ht = &timers[this_hart()->index];

	spin_lock(&ht->lock);
	ht->programmed = UINT64_MAX;
	program(ht);
	if (ht->programmed == UINT64_MAX)
		arch_timer_mask();
	spin_unlock(&ht->lock);
}

uint64_t timer_next_deadline(void)
{
	return first_deadline(&timers[this_hart()->index]);
}

void timer_set_guest_deadline(uint64_t deadline)
{
	struct hart_timers *t = &timers[this_hart()->index];

	t->guest = deadline;
	if (deadline < t->programmed && !t->in_interrupt) {
		t->programmed = deadline;
		arch_timer_program(deadline);
	}
}

/*
 * Run what is due and program for the rest. A bounded number: a timer that always re-arms itself in the past must not
 * hold the hart. Out of line: the guest's timer alone then needs little stack.
 */
static void __attribute__((noinline)) serve_queue(struct hart_timers *ht, uint64_t now)
{
	spin_lock(&ht->lock);
	for (unsigned n = 0; n < DUE_MAX && first_deadline(ht) <= now; n++) {
		struct timer *t = list_first(&ht->queue, struct timer, node);

		list_del(&t->node);
		t->queued = false;
		/* Under the lock: a canceller finds t either queued or running. */
		__atomic_store_n(&ht->running, t, __ATOMIC_RELAXED);
		spin_unlock(&ht->lock);
		t->fn(t);
		__atomic_store_n(&ht->running, NULL, __ATOMIC_RELEASE);
		spin_lock(&ht->lock);
	}
	ht->in_interrupt = false;
	program(ht);
	spin_unlock(&ht->lock);
}

void timer_interrupt(void)
{
	struct hart_timers *ht = &timers[this_hart()->index];
	uint64_t now = cpu_time();

	ht->interrupts++;
	ht->programmed = UINT64_MAX;
	ht->in_interrupt = true;
	if (ht->guest <= now) {
		ht->guest = UINT64_MAX;
		timer_guest_expired();
	}
	/* Only this hart queues here, so an empty queue stays empty and needs no lock. */
	if (!list_empty(&ht->queue) || ht->guest != UINT64_MAX)
		serve_queue(ht, now);
	ht->in_interrupt = false;
	if (ht->programmed == UINT64_MAX)
		arch_timer_mask();
}

/* Take one timer out of a queue. As long as it is in none, t->hart says so and a canceller waits. */
static struct timer *begin_move(struct hart_timers *from)
{
	struct timer *t = NULL;

	spin_lock(&from->lock);
	if (!list_empty(&from->queue)) {
		t = list_first(&from->queue, struct timer, node);
		list_del(&t->node);
		__atomic_store_n(&t->hart, MOVING, __ATOMIC_RELEASE);
	}
	spin_unlock(&from->lock);
	return t;
}

static void end_move(struct hart_timers *to, struct timer *t)
{
	spin_lock(&to->lock);
	insert(to, t);
	__atomic_store_n(&t->hart, this_hart()->index, __ATOMIC_RELEASE);
	program(to);
	spin_unlock(&to->lock);
}

void timer_adopt(unsigned hart)
{
	irqflags_t flags = irq_save();
	struct timer *t;

	while ((t = begin_move(&timers[hart])) != NULL)
		end_move(&timers[this_hart()->index], t);
	irq_restore(flags);
}

uint64_t timer_ticks(unsigned hart)
{
	return timers[hart].interrupts;
}
