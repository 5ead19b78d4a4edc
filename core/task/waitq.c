/*
 * Wait queues.
 *
 * A waiter tests its predicate with the queue's lock held and becomes BLOCKED
 * before it lets go of the lock; a notifier takes the same lock. So a change
 * that is followed by a notify is either seen by the test or finds the waiter
 * in the queue. Time-outs wake the task directly; it then takes itself out.
 */
#include <errno.h>

#include <arch/cpu.h>
#include <caisson/task.h>

#include "sched.h"

void waitq_init(struct waitq *wq)
{
	wq->lock = (spinlock_t)SPINLOCK_INIT;
	list_init(&wq->tasks);
}

/* Queue lock held, interrupts off. Sleeps once; returns with the lock held again. */
static void sleep_once(struct waitq *wq, struct task *t, uint64_t deadline)
{
	list_push_back(&wq->tasks, &t->wq_node);
	t->waiting_on = wq;
	__atomic_store_n(&t->state, TASK_BLOCKED, __ATOMIC_RELEASE);
	spin_unlock(&wq->lock);
	if (deadline != UINT64_MAX)
		timer_arm(&t->timeout, deadline);
	/* Blocked first, then a look: task_interrupt does it the other way round. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (unlikely(__atomic_load_n(&t->look_again, __ATOMIC_RELAXED)))
		task_wake(t);
	sched_switch();
	/* Its function may be under way on the hart where t fell asleep; t may end (and be freed) soon. */
	if (deadline != UINT64_MAX)
		timer_cancel_sync(&t->timeout);
	spin_lock(&wq->lock);
	list_del(&t->wq_node);
	t->waiting_on = NULL;
}

int waitq_wait(struct waitq *wq, bool (*pred)(void *), void *arg, uint64_t deadline)
{
	struct task *t = task_current();
	irqflags_t flags = spin_lock_irqsave(&wq->lock);
	int error = 0;

	for (;;) {
		__atomic_store_n(&t->look_again, false, __ATOMIC_SEQ_CST);
		if (pred(arg))
			break;
		if (deadline != UINT64_MAX && cpu_time() >= deadline) {
			error = -ETIMEDOUT;
			break;
		}
		sleep_once(wq, t, deadline);
	}
	spin_unlock_irqrestore(&wq->lock, flags);
	return error;
}

void task_interrupt(struct task *t)
{
	__atomic_store_n(&t->look_again, true, __ATOMIC_SEQ_CST);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	task_wake(t);
}

/* Take a waiter out and wake it; the lock is held. @return false: a time-out woke it already. */
static bool wake(struct task *t)
{
	list_del(&t->wq_node);
	return task_wake(t);
}

static unsigned notify(struct waitq *wq, unsigned most)
{
	irqflags_t flags = spin_lock_irqsave(&wq->lock);
	unsigned n = 0;

	while (n < most && !list_empty(&wq->tasks))
		n += wake(list_first(&wq->tasks, struct task, wq_node));
	spin_unlock_irqrestore(&wq->lock, flags);
	return n;
}

unsigned waitq_notify_one(struct waitq *wq)
{
	return notify(wq, 1);
}

unsigned waitq_notify_all(struct waitq *wq)
{
	return notify(wq, ~0u);
}

bool waitq_notify_task(struct waitq *wq, struct task *t)
{
	irqflags_t flags = spin_lock_irqsave(&wq->lock);
	bool woken = t->waiting_on == wq && !list_empty(&t->wq_node) && wake(t);

	spin_unlock_irqrestore(&wq->lock, flags);
	return woken;
}
