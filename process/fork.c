/* fork, vfork and exec: a process that is like its parent, and a program that takes another's place. */
#include <errno.h>
#include <string.h>

#include <arch/cpu.h>
#include <arch/csr.h>
#include <caisson/mm.h>

#include "run.h"
#include "syscalls.h"

#define POINTERS_MAX 4096 /* of argv and of envp */

enum { CLONE_VM = 0x100, CLONE_FS = 0x200, CLONE_FILES = 0x400, CLONE_SIGHAND = 0x800, CLONE_VFORK = 0x4000, CLONE_THREAD = 0x10000,
       CLONE_SYSVSEM = 0x40000, CLONE_SETTLS = 0x80000, CLONE_PARENT_SETTID = 0x100000, CLONE_DETACHED = 0x400000,
       CLONE_CHILD_CLEARTID = 0x200000, CLONE_CHILD_SETTID = 0x1000000, CLONE_SIGNAL = 0xff };
enum { REG_TP = 4 };
enum { ARG_FLAGS, ARG_STACK, ARG_PARENT_TID, ARG_TLS, ARG_CHILD_TID };

#define CLONE_KNOWN (CLONE_VM | CLONE_VFORK | CLONE_SETTLS | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID | \
		     CLONE_CHILD_SETTID | CLONE_SYSVSEM | CLONE_DETACHED | CLONE_SIGNAL)
#define CLONE_SHARED (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD) /* by threads, all of it */

/* --- fork --- */

/* FP registers may still be in the unit: what the parent has changed is saved first. */
static void copy_registers(struct thread *to, struct thread *from, const uint64_t *arg)
{
	irqflags_t flags = irq_save();

	if (from->ctx.fs == SSTATUS_FS_DIRTY) {
		fp_state_save(&from->fp);
		from->ctx.fs = SSTATUS_FS_CLEAN;
	}
	to->fp = from->fp;
	irq_restore(flags);
	to->ctx = from->ctx;
	to->ctx.x[REG_A0] = 0;
	if (arg[ARG_STACK])
		to->ctx.x[REG_SP] = arg[ARG_STACK];
	if (arg[ARG_FLAGS] & CLONE_SETTLS)
		to->ctx.x[REG_TP] = arg[ARG_TLS];
	if (arg[ARG_FLAGS] & CLONE_CHILD_CLEARTID)
		to->clear_tid = arg[ARG_CHILD_TID];
}

static int copy_process(struct process *child, struct process *p, bool same_memory)
{
	char *cwd = process_copy_cwd(p);

	if (!cwd)
		return -ENOMEM;
	kfree(child->cwd);
	child->cwd = cwd;
	memcpy(child->name, p->name, sizeof(child->name));
	child->umask = p->umask;
	child->limits = p->limits;
	child->files = fd_table_copy(p->files);
	child->signals = signal_table_copy(p->signals);
	if (!child->files || !child->signals)
		return -ENOMEM;
	if (same_memory)
		mm_get(p->mm);
	child->mm = same_memory ? p->mm : mm_fork(p->mm);
	return child->mm ? 0 : -ENOMEM;
}

/* A thread of `p`, which may be the caller's own process, that goes on where the caller does. */
static struct thread *copy_thread(struct process *p, struct thread *from, const uint64_t *arg)
{
	struct thread *t = thread_new(p);

	if (!t)
		return NULL;
	t->blocked = from->blocked;
	if (!(arg[ARG_FLAGS] & CLONE_VM) || (arg[ARG_FLAGS] & CLONE_VFORK))
		t->alt_stack = from->alt_stack;
	copy_registers(t, from, arg);
	return t;
}

static void put_tids(const struct thread *child, const struct thread *t, const uint64_t *arg)
{
	uint32_t tid = child->tid;

	if (arg[ARG_FLAGS] & CLONE_PARENT_SETTID)
		(void)!copy_to_user(t->process->mm, arg[ARG_PARENT_TID], &tid, sizeof(tid));
	if (arg[ARG_FLAGS] & CLONE_CHILD_SETTID)
		(void)!copy_to_user(child->process->mm, arg[ARG_CHILD_TID], &tid, sizeof(tid));
}

static int64_t fork(struct thread *t, const uint64_t *arg)
{
	struct process *p = t->process, *child = process_new(p->exe);
	struct thread *first = NULL;
	unsigned pid;
	int error = child ? copy_process(child, p, arg[ARG_FLAGS] & CLONE_VM) : -ENOMEM;

	if (!error)
		first = copy_thread(child, t, arg);
	if (!error)
		error = first ? process_enter(child, first, t) : -ENOMEM;
	if (error) {
		thread_free(first);
		if (child)
			process_free(child);
		return error;
	}
	error = thread_create_task(first, child->name);
	if (error) {
		process_cancel(child);
		return error;
	}
	put_tids(first, t, arg);
	pid = child->pid;
	thread_start(first);
	if (arg[ARG_FLAGS] & CLONE_VFORK)
		process_wait_take_off(pid);
	return pid;
}

static int64_t new_thread(struct thread *t, const uint64_t *arg)
{
	struct thread *child;
	unsigned tid;
	int error;

	threads_sweep(t->process);
	child = copy_thread(t->process, t, arg);
	if (!child)
		return -ENOMEM;
	error = thread_enter(child, t);
	if (error) {
		thread_free(child);
		return error;
	}
	error = thread_create_task(child, t->process->name);
	if (error) {
		thread_cancel(child);
		return error;
	}
	put_tids(child, t, arg);
	tid = child->tid;
	thread_start(child);
	return tid;
}

/* A thread shares all that Linux lets it choose to share: that is what libraries ask for. */
int64_t sys_clone(struct thread *t, const uint64_t *arg)
{
	uint64_t flags = arg[ARG_FLAGS];

	if (flags & ~(uint64_t)(CLONE_KNOWN | CLONE_SHARED))
		return -EINVAL;
	if (!(flags & CLONE_THREAD))
		return flags & CLONE_SHARED & ~(uint64_t)CLONE_VM ? -EINVAL : fork(t, arg);
	if ((flags & CLONE_SHARED) != CLONE_SHARED || (flags & CLONE_VFORK))
		return -EINVAL;
	return new_thread(t, arg);
}

/* --- exec --- */

static int add_user_string(struct user_mm *mm, struct exec_args *args, uint64_t from)
{
	int64_t n;

	if (!args->strings) {
		args->strings = kalloc(ARGS_MAX);
		if (!args->strings)
			return -ENOMEM;
	}
	n = copy_string_from_user(mm, args->strings + args->size, from, ARGS_MAX - args->size);
	if (n < 0)
		return n == -ENAMETOOLONG ? -E2BIG : (int)n;
	args->size += (size_t)n + 1;
	return 0;
}

static int add_user_strings(struct user_mm *mm, struct exec_args *args, uint64_t pointers, unsigned *n)
{
	uint64_t from;
	int error = 0;

	for (*n = 0; pointers && !error; (*n)++) {
		if (*n == POINTERS_MAX)
			return -E2BIG;
		if (copy_from_user(mm, &from, pointers + *n * sizeof(from), sizeof(from)))
			return -EFAULT;
		if (!from)
			break;
		error = add_user_string(mm, args, from);
	}
	return error;
}

void thread_replace(struct thread *t, const struct program *program)
{
	struct user_mm *old = process_set_mm(t->process, program->mm);
	irqflags_t flags = irq_save();

	mm_unload(t->mm);
	t->mm = program->mm;
	mm_load(t->mm);
	memset(&t->fp, 0, sizeof(t->fp));
	fp_state_load(&t->fp);
	memset(t->ctx.x, 0, sizeof(t->ctx.x));
	t->ctx.fs = SSTATUS_FS_CLEAN;
	t->ctx.pc = program->entry;
	t->ctx.x[REG_SP] = program->sp;
	t->alt_stack.size = 0;
	irq_restore(flags);
	mm_put(old);
}

static int exec(struct thread *t, const char *path, struct exec_args *args)
{
	struct program program;
	const char *why;
	char *real = kalloc(VFS_PATH_MAX);
	int error = real ? vfs_real_path(path, real) : -ENOMEM;

	if (!error)
		error = exec_load(real, args, &program, &why);
	if (error) {
		kfree(real);
		return error;
	}
	error = thread_end_others(t);
	if (error) {
		mm_put(program.mm);
		kfree(real);
		return error;
	}
	thread_release_memory(t);
	thread_replace(t, &program);
	limits_apply(t->process);
	fd_table_close_on_exec(t->process->files);
	signal_table_reset(t->process->signals);
	timers_delete_all(t->process);
	process_set_exe(t->process, real);
	process_set_name(t->process, path);
	process_take_off(t->process);
	return 0;
}

int64_t sys_execve(struct thread *t, const uint64_t *arg)
{
	struct user_mm *mm = t->process->mm;
	struct exec_args args = { .strings = NULL, .stack_size = t->process->limits.of[RLIMIT_STACK].now };
	char *path = kalloc(VFS_PATH_MAX);
	int error = path ? path_from_user(t, LINUX_AT_FDCWD, arg[0], path) : -ENOMEM;

	if (!error)
		error = add_user_strings(mm, &args, arg[1], &args.argc);
	if (!error)
		error = add_user_strings(mm, &args, arg[2], &args.envc);
	if (!error)
		error = exec(t, path, &args);
	kfree(args.strings);
	kfree(path);
	return error;
}
