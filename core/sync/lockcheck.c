/* The checks of a debug build's spinlocks (caisson/lockcheck.h). */
#include <caisson/spinlock.h>

#include <arch/layout.h>
#include <caisson/console.h>
#include <caisson/hart.h>
#include <caisson/log.h>
#include <caisson/time.h>

#include "lockgraph.h"

#define LOG_NAME "locks"
#define HELD_MAX 16
#define PATH_MAX 8
#define SPINS_PER_LOOK 1024

struct held {
	spinlock_t *lock;
	const char *place;
};

static struct hart_locks {
	struct held held[HELD_MAX]; /* in the order of taking */
	unsigned n;
	uint64_t taken; /* so far */
} hart_locks[HART_MAX];

static uint32_t graph_lock; /* guards the graph and the classes; cannot be a spinlock_t */
static bool off;            /* something was reported: the report and the panic take locks, too */

static void graph_begin(void)
{
	while (__atomic_exchange_n(&graph_lock, 1, __ATOMIC_ACQUIRE))
		cpu_relax();
}

static void graph_end(void)
{
	__atomic_store_n(&graph_lock, 0, __ATOMIC_RELEASE);
}

/* --- reports --- */

/* After a report nothing may stop the way to the panic: what is held stays held, and is passed over. */
static bool gives_up(void)
{
	return __atomic_load_n(&off, __ATOMIC_RELAXED);
}

static void begin_report(void)
{
	__atomic_store_n(&off, true, __ATOMIC_SEQ_CST);
	console_panic();
}

static void say_class(const char *intro, unsigned class)
{
	const struct lock_class *c = &lock_classes[class];

	if (c->name)
		log_error("%s: the lock initialised at %s", intro, c->name);
	else
		log_error("%s: the lock at %p, first taken at %s", intro, c->lock, c->place);
}

static void report_again(const struct held *h, const char *place, bool same)
{
	begin_report();
	say_class("lock A", h->lock->class);
	log_error("A is taken at %s, but %s was taken at %s and is still held by this hart", place,
		  same ? "it" : "another of its class", h->place);
	panic(same ? "a lock is taken twice" : "two locks of one class are taken");
}

static void report_cycle(const struct held *h, unsigned class, const char *place)
{
	const struct lock_edge *path[PATH_MAX];
	unsigned n = lockgraph_path(class, h->lock->class, path, PATH_MAX);

	begin_report();
	say_class("lock A", h->lock->class);
	say_class("lock B", class);
	log_error("B is taken at %s while A is held, taken at %s", place, h->place);
	log_error("but before, in the other order:");
	for (unsigned i = 0; i < MIN(n, PATH_MAX); i++) {
		if (n > 1)
			say_class("  then", path[i]->to);
		log_error("  %s was taken at %s while %s was held, taken at %s", i + 1 == n ? "A" : "it",
			  path[i]->taken_at, i == 0 ? "B" : "the one before", path[i]->held_at);
	}
	panic("locks are taken in both orders");
}

static void report_context(unsigned class)
{
	begin_report();
	say_class("lock A", class);
	log_error("A is taken in an interrupt handler at %s, but elsewhere with interrupts on at %s",
		  lock_classes[class].in_irq, lock_classes[class].irqs_on);
	panic("an interrupt handler may wait for a lock that its own hart holds");
}

static void report_wait(const spinlock_t *l, const char *place)
{
	begin_report();
	say_class("lock A", l->class);
	log_error("A is wanted at %s for %d s; hart %u has it, taken at %s", place, LOCKCHECK_WAIT_S, l->holder,
		  l->place);
	panic("a lock is held for too long");
}

static void report_too_many(const char *place)
{
	if (gives_up())
		return;
	begin_report();
	panic("%d locks are held already at %s", HELD_MAX, place);
}

/* --- classes --- */

static bool is_static(const void *p)
{
	return (const char *)p >= __image_start && (const char *)p < __image_end;
}

static const void *key_of(const spinlock_t *l, const char *place)
{
	if (l->name)
		return l->name;
	return is_static(l) ? (const void *)l : place;
}

static unsigned find_class(spinlock_t *l, const char *place)
{
	unsigned class;

	graph_begin();
	class = lockgraph_class(key_of(l, place));
	if (class && !lock_classes[class].place) {
		lock_classes[class].name = l->name;
		lock_classes[class].lock = l;
		lock_classes[class].place = place;
	}
	graph_end();
	l->class = (uint16_t)class;
	return class;
}

static unsigned class_of(spinlock_t *l, const char *place)
{
	return l->class ? l->class : find_class(l, place);
}

static void report_not_held(spinlock_t *l, const char *place)
{
	unsigned class = class_of(l, place);

	begin_report();
	say_class("lock A", class);
	log_error("A is given back at %s, but this hart does not hold it (%s%s)", place,
		  l->place ? "taken last at " : "nobody ever took it", l->place ? l->place : "");
	panic("a lock is given back that is not held");
}

/* --- checks before a lock is taken; interrupts off --- */

static void check_order(const struct held *h, unsigned class, const char *place)
{
	unsigned from = h->lock->class;
	const struct lock_edge *ignored;
	bool bad;

	if (from == class)
		report_again(h, place, false);
	if (lockgraph_knows(from, class))
		return;
	graph_begin();
	bad = lockgraph_path(class, from, &ignored, 0) > 0;
	if (!bad && !lockgraph_knows(from, class))
		(void)lockgraph_add(from, class, h->place, place); /* full: what is known is checked on */
	graph_end();
	if (bad)
		report_cycle(h, class, place);
}

static void check_held(const struct hart_locks *mine, spinlock_t *l, unsigned class, const char *place)
{
	for (unsigned i = 0; i < mine->n; i++)
		if (mine->held[i].lock == l)
			report_again(&mine->held[i], place, true);
	for (unsigned i = 0; class && i < mine->n; i++)
		if (mine->held[i].lock->class)
			check_order(&mine->held[i], class, place);
}

/* The first of each kind is noted; who comes second sees the other. */
static void check_context(unsigned class, const char *place, bool irqs_on)
{
	struct lock_class *c = &lock_classes[class];
	bool handler = this_hart()->irq_depth > 0;

	if (handler && !c->in_irq)
		__atomic_store_n(&c->in_irq, place, __ATOMIC_SEQ_CST);
	if (!handler && irqs_on && !c->irqs_on)
		__atomic_store_n(&c->irqs_on, place, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&c->in_irq, __ATOMIC_SEQ_CST) && __atomic_load_n(&c->irqs_on, __ATOMIC_SEQ_CST))
		report_context(class);
}

/* --- taking and giving back --- */

static bool try_lock(spinlock_t *l)
{
	return !__atomic_exchange_n(&l->locked, 1, __ATOMIC_ACQUIRE);
}

static void wait_for(spinlock_t *l, const char *place)
{
	uint64_t deadline = time_now() + LOCKCHECK_WAIT_S * timebase_hz;

	for (unsigned spins = 1; !try_lock(l); spins++) {
		cpu_relax();
		if (spins % SPINS_PER_LOOK)
			continue;
		if (gives_up())
			return;
		if (timebase_hz && time_now() > deadline)
			report_wait(l, place);
	}
}

void lockcheck_lock(spinlock_t *l, const char *place)
{
	bool irqs_on = irq_enabled();
	irqflags_t flags = irq_save();
	struct hart_locks *mine = &hart_locks[this_hart()->index];
	unsigned class = gives_up() ? 0 : class_of(l, place);

	if (!gives_up())
		check_held(mine, l, class, place);
	if (class)
		check_context(class, place, irqs_on);
	if (!try_lock(l)) {
		irq_restore(flags); /* whoever waits with interrupts on goes on serving them */
		wait_for(l, place);
		irq_disable();
		mine = &hart_locks[this_hart()->index];
	}
	mine->taken++;
	if (mine->n < HELD_MAX)
		mine->held[mine->n++] = (struct held){ l, place };
	else
		report_too_many(place);
	l->holder = (uint16_t)this_hart()->index;
	l->place = place;
	irq_restore(flags);
}

void lockcheck_unlock(spinlock_t *l, const char *place)
{
	irqflags_t flags = irq_save();
	struct hart_locks *mine = &hart_locks[this_hart()->index];
	unsigned i = mine->n;

	while (i > 0 && mine->held[i - 1].lock != l)
		i--;
	if (i == 0 && !gives_up())
		report_not_held(l, place);
	for (; i > 0 && i < mine->n; i++)
		mine->held[i - 1] = mine->held[i];
	if (mine->n > 0)
		mine->n--;
	__atomic_store_n(&l->locked, 0, __ATOMIC_RELEASE);
	irq_restore(flags);
}

uint64_t lockcheck_taken(void)
{
	return hart_locks[this_hart()->index].taken;
}
