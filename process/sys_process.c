/* System calls about the process itself. */
#include <errno.h>

#include "syscalls.h"

#define RLIMITS 16
#define UNLIMITED UINT64_MAX

enum { RLIMIT_STACK = 3, RLIMIT_NOFILE = 7 };

int64_t sys_exit(struct thread *t, const uint64_t *arg)
{
	process_end(t->process, (int)(arg[0] & 0xff));
	return 0;
}

int64_t sys_getpid(struct thread *t, const uint64_t *arg)
{
	(void)arg;
	return t->process->pid;
}

int64_t sys_gettid(struct thread *t, const uint64_t *arg)
{
	(void)arg;
	return t->tid;
}

/* Everybody is root. */
int64_t sys_getid(struct thread *t, const uint64_t *arg)
{
	(void)t;
	(void)arg;
	return 0;
}

int64_t sys_sched_yield(struct thread *t, const uint64_t *arg)
{
	(void)t;
	(void)arg;
	task_yield();
	return 0;
}

int64_t sys_set_tid_address(struct thread *t, const uint64_t *arg)
{
	t->clear_tid = arg[0];
	return t->tid;
}

int64_t sys_set_robust_list(struct thread *t, const uint64_t *arg)
{
	(void)t;
	return arg[1] == 24 ? 0 : -EINVAL;
}

int64_t sys_prlimit64(struct thread *t, const uint64_t *arg)
{
	struct linux_rlimit limit = { UNLIMITED, UNLIMITED };

	if (arg[0] != 0 && arg[0] != t->process->pid)
		return -ESRCH;
	if (arg[1] >= RLIMITS)
		return -EINVAL;
	if (arg[1] == RLIMIT_STACK)
		limit = (struct linux_rlimit){ USER_STACK_SIZE, USER_STACK_SIZE };
	if (arg[1] == RLIMIT_NOFILE)
		limit = (struct linux_rlimit){ FDS_MAX, FDS_MAX };
	if (arg[2])
		return -EPERM;
	return arg[3] ? copy_to_user(t->process->mm, arg[3], &limit, sizeof(limit)) : 0;
}

int64_t sys_umask(struct thread *t, const uint64_t *arg)
{
	unsigned old = t->process->umask;

	t->process->umask = arg[0] & 0777;
	return old;
}
