/* fork, vfork and exec: a process that is like its parent, and a program that takes another's place. */
#include <errno.h>
#include <string.h>

#include <arch/cpu.h>
#include <arch/csr.h>
#include <caisson/mm.h>

#include "run.h"
#include "syscalls.h"

#define POINTERS_MAX 4096 /* of argv and of envp */

enum { CLONE_VM = 0x100, CLONE_VFORK = 0x4000, CLONE_SETTLS = 0x80000, CLONE_PARENT_SETTID = 0x100000,
       CLONE_CHILD_CLEARTID = 0x200000, CLONE_CHILD_SETTID = 0x1000000, CLONE_SIGNAL = 0xff };
enum { REG_TP = 4 };
enum { ARG_FLAGS, ARG_STACK, ARG_PARENT_TID, ARG_TLS, ARG_CHILD_TID };

#define CLONE_KNOWN (CLONE_VM | CLONE_VFORK | CLONE_SETTLS | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID | \
		     CLONE_CHILD_SETTID | CLONE_SIGNAL)

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

static int copy_process(struct process *child, struct process *p, const uint64_t *arg)
{
	char *cwd = kalloc(strlen(p->cwd) + 1);

	if (!cwd)
		return -ENOMEM;
	kfree(child->cwd);
	child->cwd = strcpy(cwd, p->cwd);
	memcpy(child->name, p->name, sizeof(child->name));
	child->umask = p->umask;
	child->files = fd_table_copy(p->files);
	child->signals = signal_table_copy(p->signals);
	if (!child->files || !child->signals)
		return -ENOMEM;
	child->thread.blocked = p->thread.blocked;
	child->thread.alt_stack = p->thread.alt_stack;
	if (arg[ARG_FLAGS] & CLONE_VM)
		mm_get(p->mm);
	child->mm = arg[ARG_FLAGS] & CLONE_VM ? p->mm : mm_fork(p->mm);
	if (!child->mm)
		return -ENOMEM;
	copy_registers(&child->thread, &p->thread, arg);
	return thread_create_task(&child->thread, child->name);
}

static void put_tids(struct process *child, struct process *p, const uint64_t *arg)
{
	uint32_t tid = child->thread.tid;

	if (arg[ARG_FLAGS] & CLONE_PARENT_SETTID)
		(void)!copy_to_user(p->mm, arg[ARG_PARENT_TID], &tid, sizeof(tid));
	if (arg[ARG_FLAGS] & CLONE_CHILD_SETTID)
		(void)!copy_to_user(child->mm, arg[ARG_CHILD_TID], &tid, sizeof(tid));
}

int64_t sys_clone(struct thread *t, const uint64_t *arg)
{
	struct process *p = t->process, *child;
	unsigned pid;
	int error;

	if (arg[ARG_FLAGS] & ~(uint64_t)CLONE_KNOWN)
		return -EINVAL;
	child = process_new(p->exe);
	if (!child)
		return -ENOMEM;
	error = copy_process(child, p, arg);
	if (error) {
		process_free(child);
		return error;
	}
	process_enter(child, p);
	put_tids(child, p, arg);
	pid = child->pid;
	task_wake(child->thread.task);
	if (arg[ARG_FLAGS] & CLONE_VFORK)
		process_wait_take_off(child);
	return pid;
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

	memset(&t->fp, 0, sizeof(t->fp));
	fp_state_load(&t->fp);
	memset(t->ctx.x, 0, sizeof(t->ctx.x));
	t->ctx.fs = SSTATUS_FS_CLEAN;
	t->ctx.pc = program->entry;
	t->ctx.x[REG_SP] = program->sp;
	t->clear_tid = 0;
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
	thread_replace(t, &program);
	fd_table_close_on_exec(t->process->files);
	signal_table_reset(t->process->signals);
	process_set_exe(t->process, real);
	process_set_name(t->process, path);
	process_take_off(t->process);
	return 0;
}

int64_t sys_execve(struct thread *t, const uint64_t *arg)
{
	struct user_mm *mm = t->process->mm;
	struct exec_args args = { .strings = NULL };
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
