/* Tasks: making, ending, joining, waking. */
#include <errno.h>
#include <string.h>

#include <arch/cpu.h>
#include <arch/layout.h>
#include <caisson/kspace.h>
#include <caisson/log.h>
#include <caisson/mm.h>

#include "sched.h"

#define LOG_NAME "task"

/* All tasks, for listings. */
static spinlock_t all_lock;
static struct list all = LIST_INIT(all);
static unsigned next_id;

/* Whoever joins any task waits here; ends are rare. */
static struct waitq exits = WAITQ_INIT(exits);

void sched_first_run(void (*entry)(void *), void *arg);

/* context_init passes one argument: what the task is to run stands in the task. */
static void first_run(void *arg)
{
	struct task *t = arg;

	sched_first_run(t->entry, t->arg);
}

static void timed_out(struct timer *timer)
{
	struct task *t = container_of(timer, struct task, timeout);

	task_wake(t); /* it looks at the clock itself */
}

struct task *task_alloc(const char *name, void (*entry)(void *), void *arg, const struct task_attr *attr)
{
	struct task *t;
	irqflags_t flags;

	if (attr && (attr->nice < NICE_MIN || attr->nice > NICE_MAX))
		return NULL;
	t = kzalloc(sizeof(*t));
	if (!t)
		return NULL;
	t->stack = entry ? kstack_alloc(BOOT_STACK_SIZE) : NULL;
	if (entry && !t->stack) {
		kfree(t);
		return NULL;
	}
	strncpy(t->name, name, sizeof(t->name) - 1);
	t->asked_mask = attr && attr->hart_mask ? attr->hart_mask : UINT64_MAX;
	t->owns_hart = attr && attr->owns_hart;
	t->nice = attr ? attr->nice : 0;
	t->group = attr ? attr->group : NULL;
	t->ext = attr ? attr->ext : NULL;
	t->detached = attr && attr->detached;
	t->state = TASK_BLOCKED;
	t->hart = this_hart()->index;
	t->entry = entry;
	t->arg = arg;
	list_init(&t->rq_node);
	list_init(&t->wq_node);
	timer_init(&t->timeout, timed_out);
	if (entry)
		context_init(&t->ctx, first_run, t, (char *)t->stack + BOOT_STACK_SIZE);
	flags = spin_lock_irqsave(&all_lock);
	t->id = next_id++;
	list_push_back(&all, &t->all_node);
	(void)mask_review(t); /* in the list already: a change from now on finds it there */
	spin_unlock_irqrestore(&all_lock, flags);
	return t;
}

void task_free(struct task *t)
{
	irqflags_t flags = spin_lock_irqsave(&all_lock);

	list_del(&t->all_node);
	spin_unlock_irqrestore(&all_lock, flags);
	kstack_free(t->stack, BOOT_STACK_SIZE);
	kfree(t);
}

size_t task_stack_used(const struct task *t)
{
	const uint64_t *word = t->stack, *top = word + BOOT_STACK_SIZE / sizeof(*word);

	if (!word)
		return 0;
	word++; /* where a free stack has its link */
	while (word < top && !*word)
		word++;
	return (size_t)(top - word) * sizeof(*word);
}

struct task *task_create(const char *name, void (*entry)(void *), void *arg, const struct task_attr *attr)
{
	struct task *t = task_alloc(name, entry, arg, attr);

	if (t && !(attr && attr->suspended))
		task_wake(t);
	return t;
}

void task_exit(int status)
{
	struct task *t = task_current();

	irq_disable();
	t->exit_status = status;
	__atomic_store_n(&t->state, TASK_EXITED, __ATOMIC_RELEASE);
	waitq_notify_all(&exits);
	sched_switch();
	panic("an ended task runs");
}

static bool has_exited(void *arg)
{
	return __atomic_load_n(&((struct task *)arg)->state, __ATOMIC_ACQUIRE) == TASK_EXITED;
}

int task_join(struct task *t)
{
	int status;

	waitq_wait(&exits, has_exited, t, UINT64_MAX);
	/* It has notified us, but may still be on its way off its hart. */
	while (__atomic_load_n(&t->on_hart, __ATOMIC_ACQUIRE))
		cpu_relax();
	status = t->exit_status;
	task_free(t);
	return status;
}

bool task_wake(struct task *t)
{
	irqflags_t flags = irq_save();
	enum task_state blocked = TASK_BLOCKED;
	bool woken = __atomic_compare_exchange_n(&t->state, &blocked, TASK_READY, false, __ATOMIC_ACQ_REL,
						 __ATOMIC_ACQUIRE);

	if (woken) {
		if (t->group)
			__atomic_add_fetch(&t->group->runnable, 1, __ATOMIC_RELAXED);
		t->switched_in_at = cpu_time();
		sched_enqueue(t, PUT_WOKEN);
	}
	irq_restore(flags);
	return woken;
}

static bool never(void *arg)
{
	(void)arg;
	return false;
}

void task_sleep_until(uint64_t deadline)
{
	struct waitq alone = WAITQ_INIT(alone);

	waitq_wait(&alone, never, NULL, deadline);
}

void task_for_each(void (*fn)(const struct task *t, void *arg), void *arg)
{
	irqflags_t flags = spin_lock_irqsave(&all_lock);

	list_for_each(t, &all, struct task, all_node) {
		fn(t, arg);
	}
	spin_unlock_irqrestore(&all_lock, flags);
}
