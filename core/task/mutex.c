/*
 * Mutexes. A free one is taken, and one that nobody waits for given back, by one atomic operation. Else the wait queue's
 * lock decides: taking the mutex is the predicate that its waiters wait for, which is called with that lock held.
 *
 * Who has to wait says so in `owner`, with the queue's lock held, and is in the queue before it lets go of the lock. Who
 * gives the mutex back then finds that, and must take the lock to wake somebody. Whoever is woken and takes it says the
 * same again while others are in the queue.
 */
#include <caisson/log.h>
#include <caisson/mutex.h>

#define WANTED ((uintptr_t)1) /* tasks are aligned */

void mutex_init(struct mutex *m)
{
	m->owner = 0;
	waitq_init(&m->waiters);
}

static bool change(struct mutex *m, uintptr_t from, uintptr_t to)
{
	return __atomic_compare_exchange_n(&m->owner, &from, to, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

static uintptr_t owner_of(const struct mutex *m)
{
	return __atomic_load_n(&m->owner, __ATOMIC_RELAXED);
}

static bool take_or_want(void *arg)
{
	struct mutex *m = arg;
	uintptr_t me = (uintptr_t)task_current(), owner;

	for (;;) {
		owner = owner_of(m);
		if (!owner && change(m, 0, list_empty(&m->waiters.tasks) ? me : me | WANTED))
			return true;
		if (owner && ((owner & WANTED) || change(m, owner, owner | WANTED)))
			return false;
	}
}

void mutex_lock(struct mutex *m)
{
	uintptr_t me = (uintptr_t)task_current();

	if (likely(change(m, 0, me)))
		return;
	if (unlikely((owner_of(m) & ~WANTED) == me))
		panic("task %s takes a mutex that it has", task_current()->name);
	(void)waitq_wait(&m->waiters, take_or_want, m, UINT64_MAX);
}

static void give_back_to_waiters(struct mutex *m)
{
	irqflags_t flags = spin_lock_irqsave(&m->waiters.lock);

	__atomic_store_n(&m->owner, 0, __ATOMIC_RELEASE);
	spin_unlock_irqrestore(&m->waiters.lock, flags);
	waitq_notify_one(&m->waiters);
}

void mutex_unlock(struct mutex *m)
{
	uintptr_t me = (uintptr_t)task_current();

	if (likely(change(m, me, 0)))
		return;
	if (unlikely(owner_of(m) != (me | WANTED)))
		panic("task %s gives back a mutex that it does not have", task_current()->name);
	give_back_to_waiters(m);
}
