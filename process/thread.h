/* Between the files of process/: what a process and its thread consist of. */
#pragma once

#include <arch/fp.h>
#include <arch/user.h>
#include <caisson/process.h>
#include <caisson/task.h>

#include "file.h"
#include "mm.h"

#define USER_FLAT USER_LOWEST               /* flat programs */
#define USER_FLAT_DATA UINT64_C(0x40000000)
#define USER_FLAT_DATA_SIZE (1 * MiB)
#define ARGS_MAX (128 * KiB)                /* all strings of argv and envp */

/** Signals by Linux's numbers: what a program dies of. */
enum { SIGILL = 4, SIGTRAP = 5, SIGBUS = 7, SIGSEGV = 11, SIGNAL_MAX = 31 };
enum { REG_SP = 2, REG_A0 = 10, REG_A7 = 17 };

struct thread {
	struct task_ext ext;
	struct user_ctx ctx;    /* registers */
	struct fp_state fp;     /* while it is on no hart */
	struct process *process;
	struct task *task;
	unsigned tid;
	uint64_t clear_tid;     /* address of the program's to clear at its end; 0: none */
};

struct process {
	struct thread thread;
	unsigned pid;
	char name[24];
	char *exe;              /* absolute path */
	char *cwd;              /* absolute, resolved; "" is the root */
	unsigned umask;
	struct user_mm *mm;
	struct fd_table *files;
	int status;             /* when it has ended */
	bool ended;             /* its own task only */
	unsigned signal;        /* atomic; the signal it is to die of, 0: none */
};

/** Strings of argv and envp, one behind the other, each with its NUL. */
struct exec_args {
	char *strings;          /* kalloc */
	size_t size;
	unsigned argc, envc;
};

/** A program ready to run. */
struct program {
	struct user_mm *mm;
	uint64_t entry, sp;
};

/** Add a string. @return 0, -E2BIG, -ENOMEM */
int exec_args_add(struct exec_args *args, const char *string) __must_check;

/** Load an executable of the VFS, or the interpreter that a script names. @return as process_create */
int exec_load(const char *path, struct exec_args *args, struct program *out, const char **why) __must_check;
int exec_load_flat(const void *image, size_t size, struct program *out) __must_check;

/** The call that stands in the program's registers (a7: number, a0 to a5). Its result goes to a0. */
void syscall_handle(struct thread *t);
/** End the process with this status at the next look. Its own task. */
void process_end(struct process *p, int status);
/** Is it to leave the kernel soon, because a signal waits? Whoever sleeps asks. */
bool thread_interrupted(const struct thread *t);
/** The thread whose task runs. */
struct thread *thread_current(void);
