/* System calls about threads: their numbers, their locks, where they run and when. */
#include <errno.h>

#include <arch/cpu.h>
#include <caisson/hart.h>
#include <caisson/smp.h>

#include "syscalls.h"

#define ROBUST_HEAD 24 /* bytes */

enum { SCHED_OTHER = 0, SCHED_FIFO = 1, SCHED_RR = 2, SCHED_BATCH = 3, SCHED_IDLE = 5 };

int64_t sys_gettid(struct thread *t, const uint64_t *arg)
{
	(void)arg;
	return t->tid;
}

int64_t sys_set_tid_address(struct thread *t, const uint64_t *arg)
{
	t->clear_tid = arg[0];
	return t->tid;
}

/* --- another thread --- */

struct search {
	uint64_t tid;
	int64_t (*fn)(struct thread *t, void *arg);
	void *arg;
	int64_t result;
};

static bool look_in(struct process *p, void *arg)
{
	struct search *s = arg;

	list_for_each(t, &p->threads, struct thread, node) {
		if (t->tid != s->tid)
			continue;
		s->result = s->fn(t, s->arg);
		return false;
	}
	return true;
}

/* fn is called with the lock of the tree held. 0 is the caller. @return what fn does, or -ESRCH */
static int64_t with_thread(struct thread *caller, uint64_t tid, int64_t (*fn)(struct thread *t, void *arg), void *arg)
{
	struct search s = { tid ? tid : caller->tid, fn, arg, -ESRCH };

	process_for_each(look_in, &s);
	return s.result;
}

struct message {
	const struct process *from;
	uint64_t process;       /* 0: any */
	unsigned signal;
};

static int64_t deliver(struct thread *t, void *arg)
{
	const struct message *m = arg;

	if (m->process && m->process != t->process->pid)
		return -ESRCH;
	if (m->signal)
		signal_send_thread(t, m->signal, &(struct signal_info){ .code = SI_TKILL, .pid = m->from->pid });
	return 0;
}

int64_t sys_tgkill(struct thread *t, const uint64_t *arg)
{
	struct message m = { t->process, (uint32_t)arg[0], (unsigned)arg[2] };

	if ((int32_t)arg[0] <= 0 || (int32_t)arg[1] <= 0 || arg[2] > SIGNALS)
		return -EINVAL;
	return with_thread(t, (uint32_t)arg[1], deliver, &m);
}

int64_t sys_tkill(struct thread *t, const uint64_t *arg)
{
	struct message m = { t->process, 0, (unsigned)arg[1] };

	if ((int32_t)arg[0] <= 0 || arg[1] > SIGNALS)
		return -EINVAL;
	return with_thread(t, (uint32_t)arg[0], deliver, &m);
}

/* --- locks --- */

int64_t sys_set_robust_list(struct thread *t, const uint64_t *arg)
{
	if (arg[1] != ROBUST_HEAD)
		return -EINVAL;
	t->robust_list = arg[0];
	return 0;
}

static int64_t read_robust_list(struct thread *t, void *arg)
{
	*(uint64_t *)arg = t->robust_list;
	return 0;
}

int64_t sys_get_robust_list(struct thread *t, const uint64_t *arg)
{
	uint64_t head, size = ROBUST_HEAD;
	int64_t error = with_thread(t, (uint32_t)arg[0], read_robust_list, &head);

	if (!error)
		error = copy_to_user(t->process->mm, arg[1], &head, sizeof(head));
	return error ? error : copy_to_user(t->process->mm, arg[2], &size, sizeof(size));
}

static void forget_code(void *unused)
{
	(void)unused;
	__asm__ volatile("fence.i" ::: "memory");
}

/* What was written becomes code for all threads, wherever they run or, flags being 1, for this one. */
int64_t sys_riscv_flush_icache(struct thread *t, const uint64_t *arg)
{
	(void)t;
	if (arg[2] > 1)
		return -EINVAL;
	smp_call_all(forget_code, NULL);
	return 0;
}

/* It knows no commands. */
int64_t sys_membarrier(struct thread *t, const uint64_t *arg)
{
	(void)t;
	return arg[0] == 0 ? 0 : -EINVAL;
}

/* --- where and when --- */

int64_t sys_sched_yield(struct thread *t, const uint64_t *arg)
{
	(void)t;
	(void)arg;
	task_yield();
	return 0;
}

int64_t sys_getcpu(struct thread *t, const uint64_t *arg)
{
	uint32_t hart = t->task->hart, node = 0;

	if (arg[0] && copy_to_user(t->process->mm, arg[0], &hart, sizeof(hart)))
		return -EFAULT;
	return arg[1] ? copy_to_user(t->process->mm, arg[1], &node, sizeof(node)) : 0;
}

static uint64_t harts_there_are(void)
{
	return hart_count() < 64 ? BIT(hart_count()) - 1 : UINT64_MAX;
}

static int64_t set_mask(struct thread *t, void *arg)
{
	if (t != thread_current() && t->task)
		task_set_mask(t->task, *(uint64_t *)arg);
	return t == thread_current();
}

int64_t sys_sched_setaffinity(struct thread *t, const uint64_t *arg)
{
	uint64_t mask = 0;
	int64_t result;

	if (copy_from_user(t->process->mm, &mask, arg[2], MIN(arg[1], sizeof(mask))))
		return -EFAULT;
	mask &= harts_there_are();
	if (!mask)
		return -EINVAL;
	result = with_thread(t, (uint32_t)arg[0], set_mask, &mask);
	if (result != 1)
		return result;
	task_set_mask(t->task, mask); /* the caller moves at once: not with the lock */
	return 0;
}

static int64_t get_mask(struct thread *t, void *arg)
{
	*(uint64_t *)arg = t->task ? t->task->asked_mask : UINT64_MAX;
	return 0;
}

int64_t sys_sched_getaffinity(struct thread *t, const uint64_t *arg)
{
	uint64_t mask;
	int64_t error;

	if (arg[1] < sizeof(mask) || arg[1] % sizeof(mask))
		return -EINVAL;
	error = with_thread(t, (uint32_t)arg[0], get_mask, &mask);
	if (error)
		return error;
	mask &= harts_there_are();
	return copy_to_user(t->process->mm, arg[2], &mask, sizeof(mask)) ? -EFAULT : (int64_t)sizeof(mask);
}

static int64_t is_there(struct thread *t, void *unused)
{
	(void)t;
	(void)unused;
	return 0;
}

/* All threads have the class that is built in. */
int64_t sys_sched_getscheduler(struct thread *t, const uint64_t *arg)
{
	return (int32_t)arg[0] < 0 ? -EINVAL : with_thread(t, (uint32_t)arg[0], is_there, NULL);
}

static int64_t set_priority(struct thread *t, uint64_t tid, uint64_t param)
{
	int32_t priority;

	if ((int32_t)tid < 0)
		return -EINVAL;
	if (copy_from_user(t->process->mm, &priority, param, sizeof(priority)))
		return -EFAULT;
	return priority ? -EINVAL : with_thread(t, (uint32_t)tid, is_there, NULL);
}

int64_t sys_sched_setscheduler(struct thread *t, const uint64_t *arg)
{
	switch (arg[1]) {
	case SCHED_OTHER:
	case SCHED_BATCH:
	case SCHED_IDLE:
		return set_priority(t, arg[0], arg[2]);
	case SCHED_FIFO:
	case SCHED_RR:
		return -EPERM;
	default:
		return -EINVAL;
	}
}

int64_t sys_sched_setparam(struct thread *t, const uint64_t *arg)
{
	return set_priority(t, arg[0], arg[1]);
}

int64_t sys_sched_getparam(struct thread *t, const uint64_t *arg)
{
	const int32_t priority = 0;
	int64_t error = sys_sched_getscheduler(t, arg);

	return error ? error : copy_to_user(t->process->mm, arg[1], &priority, sizeof(priority));
}

static int64_t limit_of(uint64_t policy, int64_t of_real_time)
{
	if (policy == SCHED_FIFO || policy == SCHED_RR)
		return of_real_time;
	return policy == SCHED_OTHER || policy == SCHED_BATCH || policy == SCHED_IDLE ? 0 : -EINVAL;
}

int64_t sys_sched_get_priority_max(struct thread *t, const uint64_t *arg)
{
	(void)t;
	return limit_of(arg[0], 99);
}

int64_t sys_sched_get_priority_min(struct thread *t, const uint64_t *arg)
{
	(void)t;
	return limit_of(arg[0], 1);
}

/* --- nice --- */

enum { PRIO_PROCESS, PRIO_PGRP, PRIO_USER };

struct nice {
	uint64_t which, who;
	const struct thread *caller;
	bool set;
	int value;              /* to set, or the lowest that was found */
	unsigned found;
};

static bool is_meant(const struct nice *n, const struct process *p)
{
	if (n->which == PRIO_PROCESS)
		return p->pid == (n->who ? n->who : n->caller->process->pid);
	return n->which == PRIO_USER || p->group == (n->who ? n->who : n->caller->process->group);
}

/* All threads of a process have one. */
static bool apply_nice(struct process *p, void *arg)
{
	struct nice *n = arg;

	if (p->zombie || !is_meant(n, p))
		return true;
	list_for_each(t, &p->threads, struct thread, node) {
		if (!t->task)
			continue;
		if (n->set)
			(void)!task_set_nice(t->task, n->value);
		else
			n->value = MIN(n->value, t->task->nice);
		n->found++;
	}
	return true;
}

static int64_t nice(struct nice *n)
{
	if (n->which > PRIO_USER || (n->which == PRIO_USER && n->who))
		return n->which > PRIO_USER ? -EINVAL : -ESRCH;
	process_for_each(apply_nice, n);
	return n->found ? 0 : -ESRCH;
}

int64_t sys_setpriority(struct thread *t, const uint64_t *arg)
{
	int64_t value = MIN(MAX((int64_t)(int32_t)arg[2], NICE_MIN), NICE_MAX);
	struct nice n = { .which = arg[0], .who = (uint32_t)arg[1], .caller = t, .set = true, .value = (int)value };

	return nice(&n);
}

/* What it returns is 1 to 40, the higher the more important. */
int64_t sys_getpriority(struct thread *t, const uint64_t *arg)
{
	struct nice n = { .which = arg[0], .who = (uint32_t)arg[1], .caller = t, .value = NICE_MAX };
	int64_t error = nice(&n);

	return error ? error : 20 - n.value;
}
