/* What processes have used: getrusage, times, and what wait4 says of a child. */
#include <string.h>

#include <errno.h>

#include "syscalls.h"

#define NS UINT64_C(1000000000)
#define TICKS_PER_SECOND 100 /* of times(2), as Linux has it */

void usage_add_thread(struct usage *to, const struct thread *t)
{
	to->run_time += t->task ? task_run_time(t->task) : 0;
	to->faults += t->faults;
	to->waits += t->waits;
	to->preempted += t->preempted;
}

struct usage usage_of(const struct process *p)
{
	struct usage u = p->gone_usage;

	u.most_pages = MAX(process_resident(p), p->most_pages);
	list_for_each(t, &p->threads, struct thread, node)
		usage_add_thread(&u, t);
	return u;
}

struct usage usage_now(const struct process *p)
{
	irqflags_t flags = tree_lock();
	struct usage u = usage_of(p);

	tree_unlock(flags);
	return u;
}

void usage_add(struct usage *to, const struct usage *u)
{
	to->run_time += u->run_time;
	to->faults += u->faults;
	to->waits += u->waits;
	to->preempted += u->preempted;
	to->most_pages = MAX(to->most_pages, u->most_pages);
}

int usage_to_user(struct thread *t, uint64_t at, const struct usage *u)
{
	uint64_t ns = time_to_ns(u->run_time);
	struct linux_rusage r = {
		.user = { (int64_t)(ns / NS), (int64_t)(ns % NS / 1000) }, .max_rss = (int64_t)(u->most_pages * PAGE_SIZE / KiB),
		.minor_faults = (int64_t)u->faults, .waits = (int64_t)u->waits, .preempted = (int64_t)u->preempted,
	};

	return copy_to_user(t->process->mm, at, &r, sizeof(r));
}

int64_t sys_getrusage(struct thread *t, const uint64_t *arg)
{
	enum { SELF = 0, CHILDREN = -1, THREAD = 1 };
	struct usage u;

	switch ((int32_t)arg[0]) {
	case SELF:
		u = usage_now(t->process);
		break;
	case CHILDREN:
		u = process_children_usage(t->process);
		break;
	case THREAD:
		u = (struct usage){ .most_pages = process_resident(t->process) };
		usage_add_thread(&u, t);
		break;
	default:
		return -EINVAL;
	}
	return usage_to_user(t, arg[1], &u);
}

static int64_t clock_ticks(uint64_t run_time)
{
	return (int64_t)(time_to_ns(run_time) / (NS / TICKS_PER_SECOND));
}

int64_t sys_times(struct thread *t, const uint64_t *arg)
{
	struct usage own = usage_now(t->process), children = process_children_usage(t->process);
	struct { int64_t user, system, children_user, children_system; } times = {
		.user = clock_ticks(own.run_time), .children_user = clock_ticks(children.run_time),
	};

	if (arg[0] && copy_to_user(t->process->mm, arg[0], &times, sizeof(times)))
		return -EFAULT;
	return clock_ticks(time_now());
}
