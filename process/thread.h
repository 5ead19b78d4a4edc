/* Between the files of process/: what a process and its thread consist of. */
#pragma once

#include <arch/fp.h>
#include <arch/user.h>
#include <caisson/process.h>
#include <caisson/task.h>

#include "file.h"
#include "mm.h"
#include "signal.h"

#define USER_FLAT USER_LOWEST               /* flat programs */
#define USER_FLAT_DATA UINT64_C(0x40000000)
#define USER_FLAT_DATA_SIZE (1 * MiB)
#define ARGS_MAX (128 * KiB)                /* all strings of argv and envp */

#define ECALL_SIZE 4                        /* bytes of the instruction */
enum { REG_SP = 2, REG_A0 = 10, REG_A7 = 17 };

struct thread {
	struct task_ext ext;
	struct user_ctx ctx;    /* registers */
	struct fp_state fp;     /* while it is on no hart */
	struct process *process;
	struct task *task;
	unsigned tid;
	uint64_t clear_tid;     /* address of the program's to clear at its end; 0: none */
	uint64_t blocked;       /* signals, SIG_BIT */
	uint64_t saved_blocked; /* while rt_sigsuspend has others: what to go back to */
	bool has_saved_blocked;
	bool restart;           /* the call was interrupted and may be done again (ERESTART) */
	bool restart_quiet;     /* if no handler runs (ERESTART_QUIET) */
	bool again;             /* the call is done again, and waits until `deadline` */
	uint64_t deadline;      /* ticks */
	bool keep_result;       /* the call has set all registers itself */
	uint64_t first_argument; /* of the call, whose result stands in the same register */
	struct { uint64_t base, size; } alt_stack; /* for handlers; size 0: none */
	struct signal_queue queue; /* for this thread alone; under the signal table's lock */
};

struct process {
	struct thread thread;
	unsigned pid;
	struct list node;       /* in the table of all (process/tree.c), whose lock guards this group */
	struct process *parent; /* NULL: the kernel waits for it, or nobody */
	struct list children, sibling;
	bool zombie;            /* it has ended, and is there for its status only */
	bool orphan;            /* its parent has ended first: the reaper waits for it */
	bool took_off;          /* it has left its parent's memory, by exec or by its end (vfork) */
	char name[24];
	unsigned group, session;
	char *exe;              /* absolute path */
	char *cwd;              /* absolute, resolved; "" is the root */
	unsigned umask;
	struct user_mm *mm;     /* NULL: it has ended */
	struct fd_table *files;
	int status;             /* when it has ended: 0 to 255, or 128 + a signal's number */
	unsigned died_of;       /* the signal, 0: none */
	unsigned stopped_by;    /* the signal; 0: it runs. Under the signal table's lock */
	unsigned news;          /* atomic: a stop or SIGCONT that its parent has not been told by wait4; 0: none */
	bool ended;             /* its own task only */
	struct signal_table *signals;
	struct signal_queue queue;
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

/** Give the program's registers and memory to a thread whose task runs; what it had goes. Its own task. */
void thread_replace(struct thread *t, const struct program *program);

/* The tree of processes (process/tree.c). */

/** Begin to wait for those whose parents have ended. Once. @return 0 or -ENOMEM */
int process_start_reaper(void) __must_check;
/** Room for a process, with nothing in it but what every process has. @return NULL: out of memory */
struct process *process_new(const char *path) __must_check;
/** Give back what it has; it is in no table. */
void process_free(struct process *p);
/** Put it into the table, as a child of `parent` (or of nobody); it gets its number. */
void process_enter(struct process *p, struct process *parent);
/** It ends: memory and files go, its children become orphans, whoever waits is told. Its own task, the last thing it does. */
void process_leave(struct process *p);
/** Change what others may look at (process_for_each). The strings are the process's then. Its own task. */
struct user_mm *process_set_mm(struct process *p, struct user_mm *mm) __must_check; /* and translate through it; @return the old one */
void process_set_exe(struct process *p, char *exe);
void process_set_name(struct process *p, const char *path); /* its last component */
void process_set_cwd(struct process *p, char *cwd);
/** It is in its parent's memory no more (vfork). */
void process_take_off(struct process *p);
void process_wait_take_off(struct process *child);
/** It has stopped or goes on: its parent gets SIGCHLD, and whoever waits looks. */
void process_tell_parent(struct process *p, unsigned signal);
/** Sleep until pred; everything that happens to processes, and signals to the caller, make it look. Task context. */
void process_wait_until(bool (*pred)(void *), void *arg);
enum { WAIT_NO_HANG = 1, WAIT_STOPPED = 2, WAIT_CONTINUED = 8 };
/**
 * Wait for a child to end, or with these flags to stop or to go on.
 * @param which      as wait4(2): > 0 that one, -1 any, 0 of the caller's group, < -1 of that group
 * @param flags      WAIT_*; with WAIT_NO_HANG the answer is 0 if nothing has happened so far
 * @param[out] code  as wait4 reports it
 * @return its number; 0; -ECHILD; -EINTR
 */
int64_t process_wait(struct process *p, int64_t which, unsigned flags, int *code) __must_check;
/** Pages that it has at the moment. The table's lock is held (process_for_each). */
uint64_t process_resident(const struct process *p);
/** Call fn with each process until it returns false; the table's lock is held. */
void process_for_each(bool (*fn)(struct process *p, void *arg), void *arg);

/** The call that stands in the program's registers (a7: number, a0 to a5). Its result goes to a0. */
void syscall_handle(struct thread *t);
/** End the process with this status at the next look. Its own task. */
void process_end(struct process *p, int status);
/** End it as by this signal. Its own task. */
void process_die(struct process *p, unsigned signal);
/** Is it to leave the kernel soon, because a signal waits? Whoever sleeps asks. */
bool thread_interrupted(const struct thread *t);
/**
 * A call that may end with -ERESTART_QUIET waits until `deadline` (ticks): when it is done again, until what it was the
 * first time. Once a call, before it waits. @return the deadline
 */
uint64_t thread_deadline(struct thread *t, uint64_t deadline);
/** The thread whose task runs, if its extension is thread_ext_ops(). */
struct thread *thread_current(void);
const struct task_ext_ops *thread_ext_ops(void);
