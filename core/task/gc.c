/* The gc task: frees ended tasks that nobody joins. */
#include <errno.h>

#include <arch/cpu.h>
#include <caisson/task.h>

#include "sched.h"

static spinlock_t lock;
static struct list dead = LIST_INIT(dead); /* by rq_node */
static struct waitq wait = WAITQ_INIT(wait);

void gc_add(struct task *t)
{
	spin_lock(&lock);
	list_push_back(&dead, &t->rq_node);
	spin_unlock(&lock);
	waitq_notify_one(&wait);
}

static bool has_work(void *arg)
{
	(void)arg;
	return !list_empty(&dead);
}

static struct task *next_dead(void)
{
	irqflags_t flags = spin_lock_irqsave(&lock);
	struct task *t = NULL;

	if (!list_empty(&dead)) {
		t = list_first(&dead, struct task, rq_node);
		list_del(&t->rq_node);
	}
	spin_unlock_irqrestore(&lock, flags);
	return t;
}

static void gc_loop(void *arg)
{
	struct task *t;

	(void)arg;
	for (;;) {
		waitq_wait(&wait, has_work, NULL, UINT64_MAX);
		while ((t = next_dead()) != NULL)
			task_free(t);
	}
}

int gc_init(void)
{
	return task_create("gc", gc_loop, NULL, &(struct task_attr){ .detached = true }) ? 0 : -ENOMEM;
}
