/*
 * Mutexes, on wait queues: taking one is the predicate that its waiters wait for, which
 * is called with the queue's lock held.
 */
#include <caisson/log.h>
#include <caisson/mutex.h>

void mutex_init(struct mutex *m)
{
	m->owner = NULL;
	waitq_init(&m->waiters);
}

static bool take_if_free(void *arg)
{
	struct mutex *m = arg;

	if (m->owner)
		return false;
	m->owner = task_current();
	return true;
}

void mutex_lock(struct mutex *m)
{
	if (unlikely(__atomic_load_n(&m->owner, __ATOMIC_RELAXED) == task_current()))
		panic("task %s takes a mutex that it has", task_current()->name);
	(void)waitq_wait(&m->waiters, take_if_free, m, UINT64_MAX);
}

void mutex_unlock(struct mutex *m)
{
	irqflags_t flags;

	if (unlikely(__atomic_load_n(&m->owner, __ATOMIC_RELAXED) != task_current()))
		panic("task %s gives back a mutex that it does not have", task_current()->name);
	flags = spin_lock_irqsave(&m->waiters.lock);
	m->owner = NULL;
	spin_unlock_irqrestore(&m->waiters.lock, flags);
	waitq_notify_one(&m->waiters);
}
