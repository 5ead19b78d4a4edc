/* Futexes: who waits for which word (futex.h). */
#include <errno.h>

#include <caisson/spinlock.h>

#include "futex.h"
#include "thread.h"

#define LINES 64 /* a power of two */

static spinlock_t lock = SPINLOCK_INIT;
static struct list lines[LINES]; /* waiters by the hash of their keys; all zero: not yet used */

static bool is_same(const struct futex_key *a, const struct futex_key *b)
{
	return a->mm == b->mm && a->addr == b->addr;
}

static struct list *line_of(const struct futex_key *key)
{
	uint64_t mix = (key->addr >> 2 ^ (uintptr_t)key->mm >> 6) * UINT64_C(0x9e3779b97f4a7c15);
	struct list *line = &lines[mix >> 58 & (LINES - 1)];

	if (!line->next)
		list_init(line);
	return line;
}

int futex_enter(struct futex_waiter *w, const struct futex_key *key, const uint32_t *word, uint32_t value)
{
	irqflags_t flags = spin_lock_irqsave(&lock);
	bool expected = __atomic_load_n(word, __ATOMIC_SEQ_CST) == value;

	if (expected) {
		w->key = *key;
		list_push_back(line_of(key), &w->node);
	}
	spin_unlock_irqrestore(&lock, flags);
	return expected ? 0 : -EAGAIN;
}

bool futex_leave(struct futex_waiter *w)
{
	irqflags_t flags = spin_lock_irqsave(&lock);
	bool waits = !w->woken;

	if (waits)
		list_del(&w->node);
	spin_unlock_irqrestore(&lock, flags);
	return waits;
}

/* Its thread stays until the lock is free: it has to leave the line itself, unless it finds itself woken. */
static void wake(struct futex_waiter *w)
{
	struct task *task = w->thread->task;

	list_del(&w->node);
	__atomic_store_n(&w->woken, true, __ATOMIC_RELEASE);
	task_interrupt(task);
}

/* The lock is held. */
static unsigned wake_some(const struct futex_key *key, unsigned n, uint32_t bits)
{
	unsigned woken = 0;

	list_for_each_safe(w, next, line_of(key), struct futex_waiter, node) {
		if (woken == n)
			break;
		if (!is_same(&w->key, key) || !(w->bits & bits))
			continue;
		wake(w);
		woken++;
	}
	return woken;
}

unsigned futex_wake(const struct futex_key *key, unsigned n, uint32_t bits)
{
	irqflags_t flags = spin_lock_irqsave(&lock);
	unsigned woken = wake_some(key, n, bits);

	spin_unlock_irqrestore(&lock, flags);
	return woken;
}

/* The lock is held. Both may be in one line, and even the same: what was moved comes behind what was there. */
static unsigned move_some(const struct futex_key *from, const struct futex_key *to, unsigned n)
{
	struct list moved = LIST_INIT(moved);
	unsigned count = 0;

	list_for_each_safe(w, next, line_of(from), struct futex_waiter, node) {
		if (count == n)
			break;
		if (!is_same(&w->key, from))
			continue;
		list_del(&w->node);
		list_push_back(&moved, &w->node);
		w->key = *to;
		count++;
	}
	while (!list_empty(&moved)) {
		struct list *first = moved.next;

		list_del(first);
		list_push_back(line_of(to), first);
	}
	return count;
}

int futex_requeue(const struct futex_key *from, const struct futex_key *to, unsigned n, unsigned most, const uint32_t *word,
		  uint32_t value)
{
	irqflags_t flags = spin_lock_irqsave(&lock);
	int done = -EAGAIN;

	if (!word || __atomic_load_n(word, __ATOMIC_SEQ_CST) == value) {
		done = (int)wake_some(from, n, FUTEX_ANY);
		done += (int)move_some(from, to, most);
	}
	spin_unlock_irqrestore(&lock, flags);
	return done;
}
