/* System calls about signals. */
#include <errno.h>

#include <caisson/time.h>

#include "syscalls.h"

#define SET_SIZE 8 /* bytes of a set of signals */

enum { SIG_BLOCK = 0, SIG_UNBLOCK = 1, SIG_SETMASK = 2 };
enum { SS_ONSTACK = 1, SS_DISABLE = 2, MINSIGSTKSZ = 2048 };

int64_t sys_rt_sigaction(struct thread *t, const uint64_t *arg)
{
	struct signal_action new = { 0 }, old;
	uint64_t signal = arg[0];

	if (signal == 0 || signal > SIGNALS || arg[3] != SET_SIZE)
		return -EINVAL;
	if (arg[1] && (signal == SIGKILL || signal == SIGSTOP))
		return -EINVAL;
	if (arg[1] && copy_from_user(t->process->mm, &new, arg[1], sizeof(new)))
		return -EFAULT;
	signal_set_action(t->process, (unsigned)signal, arg[1] ? &new : NULL, &old);
	return arg[2] ? copy_to_user(t->process->mm, arg[2], &old, sizeof(old)) : 0;
}

int64_t sys_rt_sigprocmask(struct thread *t, const uint64_t *arg)
{
	uint64_t old = t->blocked, set;

	if (arg[3] != SET_SIZE)
		return -EINVAL;
	if (arg[1]) {
		if (copy_from_user(t->process->mm, &set, arg[1], sizeof(set)))
			return -EFAULT;
		if (arg[0] > SIG_SETMASK)
			return -EINVAL;
		set = arg[0] == SIG_BLOCK ? old | set : arg[0] == SIG_UNBLOCK ? old & ~set : set;
		signal_set_blocked(t, set);
	}
	return arg[2] ? copy_to_user(t->process->mm, arg[2], &old, sizeof(old)) : 0;
}

int64_t sys_rt_sigpending(struct thread *t, const uint64_t *arg)
{
	uint64_t pending = (t->process->queue.pending | t->queue.pending) & t->blocked;

	return arg[1] == SET_SIZE ? copy_to_user(t->process->mm, arg[0], &pending, sizeof(pending)) : -EINVAL;
}

/* --- sending --- */

struct target {
	const struct process *from;
	int64_t which;          /* as kill(2) */
	unsigned signal;
	struct signal_info info;
	unsigned found;
	int error;
};

static bool is_meant(const struct target *k, const struct process *p)
{
	if (p->zombie)
		return false;
	if (k->which > 0)
		return p->pid == (uint64_t)k->which;
	if (k->which == -1)
		return p != k->from && p->parent;
	return p->group == (k->which ? (uint64_t)-k->which : k->from->group);
}

static bool send_to(struct process *p, void *arg)
{
	struct target *k = arg;

	if (!is_meant(k, p))
		return true;
	k->found++;
	if (k->signal)
		k->error = signal_send(p, k->signal, &k->info);
	return true;
}

int64_t sys_kill(struct thread *t, const uint64_t *arg)
{
	struct target k = {
		.from = t->process, .which = (int32_t)arg[0], .signal = (unsigned)arg[1],
		.info = { .code = SI_USER, .pid = t->process->pid },
	};

	if (arg[1] > SIGNALS)
		return -EINVAL;
	process_for_each(send_to, &k);
	return k.found ? 0 : -ESRCH;
}

/* With what the sender says; only the kernel, and a process to itself, may look like the kernel or kill. */
int64_t sys_rt_sigqueueinfo(struct thread *t, const uint64_t *arg)
{
	struct target k = { .from = t->process, .which = (int32_t)arg[0], .signal = (unsigned)arg[1] };
	struct linux_siginfo info;

	if (arg[1] > SIGNALS || k.which <= 0)
		return -EINVAL;
	if (copy_from_user(t->process->mm, &info, arg[2], sizeof(info)))
		return -EFAULT;
	if ((info.code >= 0 || info.code == SI_TKILL) && k.which != t->process->pid)
		return -EPERM;
	k.info = (struct signal_info){ .code = info.code, .pid = info.sender.pid, .value = info.sender.value };
	process_for_each(send_to, &k);
	return k.found ? k.error : -ESRCH;
}

/* --- waiting and returning --- */

static bool has_signal(void *arg)
{
	return thread_interrupted(arg);
}

int64_t sys_rt_sigsuspend(struct thread *t, const uint64_t *arg)
{
	uint64_t set;

	if (arg[1] != SET_SIZE)
		return -EINVAL;
	if (copy_from_user(t->process->mm, &set, arg[0], sizeof(set)))
		return -EFAULT;
	t->saved_blocked = t->blocked;
	t->has_saved_blocked = true;
	signal_set_blocked(t, set);
	process_wait_until(has_signal, t);
	return -ERESTART_QUIET;
}

int64_t sys_rt_sigtimedwait(struct thread *t, const uint64_t *arg)
{
	uint64_t set, ns, deadline = UINT64_MAX;
	struct linux_siginfo out;
	struct signal_info info;
	int error, signal;

	if (arg[3] != SET_SIZE)
		return -EINVAL;
	if (copy_from_user(t->process->mm, &set, arg[0], sizeof(set)))
		return -EFAULT;
	error = arg[2] ? time_from_user(t, arg[2], &ns) : 0;
	if (error)
		return error;
	if (arg[2])
		deadline = time_now() + time_ticks(ns);
	signal = signal_wait(t, set, deadline, &info);
	if (signal < 0 || !arg[1])
		return signal;
	signal_info_to_linux(&out, (unsigned)signal, &info);
	return copy_to_user(t->process->mm, arg[1], &out, sizeof(out)) ? -EFAULT : signal;
}

int64_t sys_rt_sigreturn(struct thread *t, const uint64_t *arg)
{
	(void)arg;
	if (signal_pop_frame(t))
		signal_fault(t, SIGSEGV, &(struct signal_info){ .code = SI_KERNEL });
	t->keep_result = true;
	return 0;
}

int64_t sys_sigaltstack(struct thread *t, const uint64_t *arg)
{
	struct { uint64_t base; uint32_t flags, pad; uint64_t size; } new, old = { .base = t->alt_stack.base, .size = t->alt_stack.size };
	bool on_it = t->ctx.x[REG_SP] - t->alt_stack.base < t->alt_stack.size;

	old.flags = on_it ? SS_ONSTACK : t->alt_stack.size ? 0 : SS_DISABLE;
	if (arg[0]) {
		if (copy_from_user(t->process->mm, &new, arg[0], sizeof(new)))
			return -EFAULT;
		if (on_it)
			return -EPERM;
		if (new.flags & ~(uint32_t)(SS_ONSTACK | SS_DISABLE))
			return -EINVAL;
		if (!(new.flags & SS_DISABLE) && new.size < MINSIGSTKSZ)
			return -ENOMEM;
		t->alt_stack.base = new.flags & SS_DISABLE ? 0 : new.base;
		t->alt_stack.size = new.flags & SS_DISABLE ? 0 : new.size;
	}
	return arg[1] ? copy_to_user(t->process->mm, arg[1], &old, sizeof(old)) : 0;
}
