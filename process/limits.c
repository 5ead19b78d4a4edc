/* Limits: of a process, and of all together (limits.h). */
#include "limits.h"

#include <errno.h>

#include <caisson/mm.h>

#include "syscalls.h"

/* So much memory for one of them. A process takes some 100 KiB at least, a thread's stack in the kernel 8 KiB of it. */
#define RAM_PER_THREAD (128 * KiB)
#define RAM_PER_FILE (32 * KiB)
#define RAM_PER_PIPE (256 * KiB) /* which has 16 KiB itself */

static unsigned threads, files, pipes;

static unsigned share(uint64_t each, unsigned least, unsigned most)
{
	uint64_t n = frame_total_count() * PAGE_SIZE / each;

	return (unsigned)MIN(MAX(n, least), most);
}

void limits_init(void)
{
	threads = share(RAM_PER_THREAD, 64, 16384);
	files = share(RAM_PER_FILE, 1024, 65536);
	pipes = share(RAM_PER_PIPE, 64, 4096);
}

unsigned limit_threads(void)
{
	return threads;
}

unsigned limit_files(void)
{
	return files;
}

unsigned limit_pipes(void)
{
	return pipes;
}

void limits_default(struct limits *l)
{
	for (unsigned i = 0; i < RLIMITS; i++)
		l->of[i] = (struct linux_rlimit){ UNLIMITED, UNLIMITED };
	l->of[RLIMIT_NPROC] = (struct linux_rlimit){ threads / 2, threads };
	l->of[RLIMIT_NOFILE] = (struct linux_rlimit){ FDS_MAX, FDS_MAX };
	l->of[RLIMIT_STACK] = (struct linux_rlimit){ USER_STACK_SIZE, UNLIMITED };
	l->of[RLIMIT_CORE].now = 0;
}

void limits_apply(struct process *p)
{
	const struct linux_rlimit *of = p->limits.of;

	__atomic_store_n(&p->files->limit, (unsigned)MIN(of[RLIMIT_NOFILE].now, (uint64_t)FDS_MAX), __ATOMIC_RELAXED);
	mm_set_limits(p->mm, of[RLIMIT_AS].now, of[RLIMIT_DATA].now);
}

static int64_t set(struct process *p, uint64_t which, const struct linux_rlimit *l)
{
	irqflags_t flags;

	if (l->now > l->most)
		return -EINVAL;
	if (which == RLIMIT_NOFILE && l->most > FDS_MAX)
		return -EPERM;
	flags = tree_lock();
	p->limits.of[which] = *l;
	tree_unlock(flags);
	limits_apply(p);
	return 0;
}

struct query {
	uint64_t pid, which;
	struct linux_rlimit limit;
	bool found;
};

static bool find(struct process *p, void *arg)
{
	struct query *q = arg;

	if (p->pid != q->pid || p->zombie)
		return true;
	q->limit = p->limits.of[q->which];
	q->found = true;
	return false;
}

/* Those of others can be looked at. */
int64_t sys_prlimit64(struct thread *t, const uint64_t *arg)
{
	struct query q = { .pid = arg[0] ? (uint32_t)arg[0] : t->process->pid, .which = arg[1] };
	struct linux_rlimit new;
	int64_t error = 0;

	if (arg[1] >= RLIMITS)
		return -EINVAL;
	process_for_each(find, &q);
	if (!q.found)
		return -ESRCH;
	if (arg[2] && copy_from_user(t->process->mm, &new, arg[2], sizeof(new)))
		return -EFAULT;
	if (arg[2])
		error = q.pid == t->process->pid ? set(t->process, arg[1], &new) : -EPERM;
	if (!error && arg[3])
		error = copy_to_user(t->process->mm, arg[3], &q.limit, sizeof(q.limit));
	return error;
}

/* To these two a null pointer is no "not this one". */
int64_t sys_getrlimit(struct thread *t, const uint64_t *arg)
{
	if (!arg[1])
		return -EFAULT;
	return sys_prlimit64(t, (uint64_t[]){ 0, arg[0], 0, arg[1] });
}

int64_t sys_setrlimit(struct thread *t, const uint64_t *arg)
{
	if (!arg[1])
		return -EFAULT;
	return sys_prlimit64(t, (uint64_t[]){ 0, arg[0], arg[1], 0 });
}
