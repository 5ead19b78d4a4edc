/* One command at a time, whoever gives it. */
#include <caisson/task.h>
#include <shell/shell.h>

static struct waitq waiters = WAITQ_INIT(waiters);
static bool taken; /* under waiters.lock */

/* Called with the queue's lock held, so that only one takes it. */
static bool take_if_free(void *arg)
{
	(void)arg;
	if (taken)
		return false;
	taken = true;
	return true;
}

int shell_lock_until(uint64_t deadline)
{
	return waitq_wait(&waiters, take_if_free, NULL, deadline);
}

void shell_lock(void)
{
	waitq_wait(&waiters, take_if_free, NULL, UINT64_MAX);
}

void shell_unlock(void)
{
	irqflags_t flags = spin_lock_irqsave(&waiters.lock);

	taken = false;
	spin_unlock_irqrestore(&waiters.lock, flags);
	waitq_notify_one(&waiters);
}
