/* The calls of those who sleep, for tests in which nobody can: no task runs. Included by tests. */
#pragma once

#include <caisson/mutex.h>
#include <caisson/task.h>
#include <test.h>

struct task *task_current(void)
{
	return NULL;
}

int waitq_wait(struct waitq *wq, bool (*pred)(void *), void *arg, uint64_t deadline)
{
	(void)wq, (void)pred, (void)arg, (void)deadline;
	fail_msg("nobody can sleep");
	return 0;
}

unsigned waitq_notify_all(struct waitq *wq)
{
	(void)wq;
	return 0;
}

void mutex_lock(struct mutex *m)
{
	(void)m;
	fail_msg("nobody can sleep");
}

void mutex_unlock(struct mutex *m)
{
	(void)m;
}
