/* System calls about the process itself. */
#include <errno.h>
#include <string.h>

#include "jobs.h"
#include "syscalls.h"

int64_t sys_exit(struct thread *t, const uint64_t *arg)
{
	thread_end(t, (int)(arg[0] & 0xff));
	return 0;
}

int64_t sys_exit_group(struct thread *t, const uint64_t *arg)
{
	process_end(t->process, (int)(arg[0] & 0xff));
	return 0;
}

int64_t sys_getpid(struct thread *t, const uint64_t *arg)
{
	(void)arg;
	return t->process->pid;
}

/* The parent may end at any time: not without the lock. */
int64_t sys_getppid(struct thread *t, const uint64_t *arg)
{
	(void)arg;
	return __atomic_load_n(&t->process->parent_pid, __ATOMIC_RELAXED);
}

struct membership {
	unsigned pid;
	unsigned group, session; /* 0: there is no such process */
};

static bool take_membership(struct process *p, void *arg)
{
	struct membership *m = arg;

	if (p->pid != m->pid || p->zombie)
		return true;
	m->group = p->group;
	m->session = p->session;
	return false;
}

/* pid 0: the caller's own */
static struct membership membership_of(const struct thread *t, uint64_t pid)
{
	struct membership m = { .pid = pid ? (unsigned)pid : t->process->pid };

	process_for_each(take_membership, &m);
	return m;
}

/* Of another process only a child may be changed; looking is free. */
int64_t sys_getpgid(struct thread *t, const uint64_t *arg)
{
	unsigned group = membership_of(t, arg[0]).group;

	return group ? (int64_t)group : -ESRCH;
}

int64_t sys_getsid(struct thread *t, const uint64_t *arg)
{
	unsigned session = membership_of(t, arg[0]).session;

	return session ? (int64_t)session : -ESRCH;
}

struct move {
	struct process *caller;
	unsigned pid, group;
	bool group_is_there;
	int error;
};

static bool set_group(struct process *p, void *arg)
{
	struct move *m = arg;

	if (p->pid != m->pid || p->zombie)
		return true;
	if (p != m->caller && p->parent != m->caller)
		m->error = -ESRCH;
	else if (p->session != m->caller->session || p->session == p->pid)
		m->error = -EPERM;
	else if (m->group && m->group != p->pid && !m->group_is_there)
		m->error = -EPERM;
	else
		m->error = 0;
	if (!m->error)
		p->group = m->group ? m->group : p->pid;
	return false;
}

int64_t sys_setpgid(struct thread *t, const uint64_t *arg)
{
	struct move m = { .caller = t->process, .pid = (unsigned)arg[0], .group = (unsigned)arg[1], .error = -ESRCH };

	if ((int32_t)arg[1] < 0)
		return -EINVAL;
	if (m.pid == 0)
		m.pid = t->process->pid;
	m.group_is_there = group_is_in(m.group, t->process->session);
	process_for_each(set_group, &m);
	return m.error;
}

int64_t sys_setsid(struct thread *t, const uint64_t *arg)
{
	struct process *p = t->process;
	irqflags_t flags;

	(void)arg;
	if (group_is_in(p->pid, p->session)) /* its own, or one that it has left to others */
		return -EPERM;
	flags = tree_lock();
	p->group = p->session = p->pid;
	tree_unlock(flags);
	return p->pid;
}

/* Linux's __WALL and __WNOTHREAD: children of threads are those of the process here. */
#define WAIT_THREADS 0x60000000u

static int wait_code(const struct process_event *e)
{
	switch (e->code) {
	case CLD_STOPPED:
		return e->status << 8 | 0x7f;
	case CLD_CONTINUED:
		return 0xffff;
	case CLD_KILLED:
		return e->status;
	default:
		return e->status << 8;
	}
}

int64_t sys_wait4(struct thread *t, const uint64_t *arg)
{
	struct process_event event;
	int64_t pid;
	int code;

	if (arg[2] & ~(uint64_t)(WAIT_NO_HANG | WAIT_STOPPED | WAIT_CONTINUED | WAIT_THREADS))
		return -EINVAL;
	pid = process_wait(t->process, (int32_t)arg[0], (unsigned)arg[2] | WAIT_ENDED, &event);
	if (pid <= 0)
		return pid;
	code = wait_code(&event);
	if (arg[1] && copy_to_user(t->process->mm, arg[1], &code, sizeof(code)))
		return -EFAULT;
	return arg[3] && usage_to_user(t, arg[3], &event.usage) ? -EFAULT : pid;
}

/* @return as process_wait has `which`; INT64_MAX: none */
static int64_t which_of(const struct process *p, uint64_t kind, uint64_t id)
{
	enum { P_ALL = 0, P_PID = 1, P_PGID = 2 };

	switch (kind) {
	case P_ALL:
		return -1;
	case P_PID:
		return id && id <= INT32_MAX ? (int64_t)id : INT64_MAX;
	case P_PGID:
		return id == p->group ? 0 : id <= INT32_MAX ? -(int64_t)id : INT64_MAX;
	default:
		return INT64_MAX;
	}
}

int64_t sys_waitid(struct thread *t, const uint64_t *arg)
{
	const unsigned what = WAIT_ENDED | WAIT_STOPPED | WAIT_CONTINUED;
	int64_t which = which_of(t->process, arg[0], arg[1]), pid;
	struct linux_siginfo info = { 0 };
	struct process_event event;

	if (which == INT64_MAX || !(arg[3] & what) ||
	    (arg[3] & ~(uint64_t)(what | WAIT_NO_HANG | WAIT_KEEP | WAIT_THREADS)))
		return -EINVAL;
	pid = process_wait(t->process, which, (unsigned)arg[3], &event);
	if (pid < 0)
		return pid;
	if (pid > 0)
		info = (struct linux_siginfo){ .signal = SIGCHLD, .code = event.code, .child = { (uint32_t)pid, 0, event.status } };
	if (arg[2] && copy_to_user(t->process->mm, arg[2], &info, sizeof(info)))
		return -EFAULT;
	return pid > 0 && arg[4] && usage_to_user(t, arg[4], &event.usage) ? -EFAULT : 0;
}

/* Everybody is root. */
int64_t sys_getid(struct thread *t, const uint64_t *arg)
{
	(void)t;
	(void)arg;
	return 0;
}

/* And of no other group than root's. */
int64_t sys_getgroups(struct thread *t, const uint64_t *arg)
{
	(void)t;
	return (int32_t)arg[0] < 0 ? -EINVAL : 0;
}

int64_t sys_umask(struct thread *t, const uint64_t *arg)
{
	unsigned old = t->process->umask;

	t->process->umask = arg[0] & 0777;
	return old;
}

int64_t sys_prctl(struct thread *t, const uint64_t *arg)
{
	enum { PR_SET_NAME = 15, PR_GET_NAME = 16, PR_SET_NO_NEW_PRIVS = 38, NAME_SIZE = 16 };
	char name[NAME_SIZE] = { 0 };
	int64_t n;

	switch (arg[0]) {
	case PR_SET_NAME:
		n = copy_string_from_user(t->process->mm, name, arg[1], NAME_SIZE - 1);
		if (n < 0 && n != -ENAMETOOLONG)
			return n;
		process_set_name(t->process, name);
		return 0;
	case PR_GET_NAME:
		memcpy(name, t->process->name, NAME_SIZE - 1);
		return copy_to_user(t->process->mm, arg[1], name, NAME_SIZE);
	case PR_SET_NO_NEW_PRIVS: /* there are none to be had */
		return arg[1] == 1 ? 0 : -EINVAL;
	default:
		return -EINVAL;
	}
}
