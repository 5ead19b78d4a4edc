/* Between the files of process/: what a process and its threads consist of. */
#pragma once

#include <arch/fp.h>
#include <arch/user.h>
#include <caisson/process.h>
#include <caisson/task.h>

#include "file.h"
#include "limits.h"
#include "mm.h"
#include "signal.h"
#include "usage.h"

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
	struct user_mm *mm;     /* what its hart translates through while it is there; NULL: it has left it. Its own task only */
	struct task *task;      /* NULL: not yet made */
	struct list node;       /* in process->threads, then in process->gone */
	unsigned tid;
	bool started;           /* under the signal table's lock: its task has been let run */
	bool leaving;           /* atomic: it ends at its next look */
	uint64_t clear_tid;     /* address of the program's to clear at its end; 0: none */
	uint64_t robust_list;   /* address of the program's: locks to mark at its end; 0: none */
	uint64_t blocked;       /* signals, SIG_BIT */
	uint64_t saved_blocked; /* while rt_sigsuspend has others: what to go back to */
	bool has_saved_blocked;
	uint64_t awaited;       /* signals: rt_sigtimedwait waits for them */
	bool restart;           /* the call was interrupted and may be done again (ERESTART) */
	bool restart_quiet;     /* if no handler runs (ERESTART_QUIET) */
	bool again;             /* the call is done again, and waits until `deadline` */
	uint64_t deadline;      /* ticks */
	bool keep_result;       /* the call has set all registers itself */
	uint64_t first_argument; /* of the call, whose result stands in the same register */
	struct { uint64_t base, size; } alt_stack; /* for handlers; size 0: none */
	uint64_t faults;        /* page faults that were resolved; its own task */
	uint64_t waits, preempted; /* how often it left its hart */
	struct signal_queue queue; /* for this thread alone; under the signal table's lock */
};

struct process {
	/*
	 * The oldest first. They change under the lock of the tree and that of the signal table; whoever has one of the
	 * two may look. A thread that stands there and has started has a task that one may wake.
	 */
	struct list threads;
	unsigned n_threads;
	struct list gone;       /* threads that have ended and wait for somebody to free them; the lock of the tree */
	unsigned pid;
	struct list node;       /* in the table of all (process/tree.c), whose lock guards this group */
	struct process *parent; /* NULL: the kernel waits for it, or nobody */
	unsigned parent_pid;    /* its number, 0: none; read without the lock */
	struct list children, sibling;
	bool zombie;            /* it has ended, and is there for its status only */
	bool orphan;            /* its parent has ended first: the reaper waits for it */
	bool took_off;          /* it has left its parent's memory, by exec or by its end (vfork) */
	char name[24];
	unsigned group, session;
	uint64_t started;       /* ticks */
	char *exe;              /* absolute path */
	char *cwd;              /* absolute, resolved; "" is the root */
	unsigned umask;
	struct user_mm *mm;     /* NULL: it has ended */
	struct fd_table *files; /* NULL: it has ended. That changes under the table's lock */
	struct limits limits;   /* changed by its own threads, under the lock of the tree */
	int status;             /* when it has ended: 0 to 255, or 128 + a signal's number */
	unsigned died_of;       /* the signal, 0: none */
	unsigned stopped_by;    /* the signal; 0: it runs. Under the signal table's lock, and so are: */
	bool stop_is_due;       /* a thread has taken a stop out of a queue, and no SIGCONT has come since */
	uint32_t continued;     /* SIGCONT has ended the last stop, which the parent is to be told. Atomic */
	unsigned news;          /* atomic: a stop or SIGCONT that its parent has not been told by wait4; 0: none */
	bool ending;            /* all its threads are leaving, and status is known. Under the signal table's lock */
	uint64_t most_pages;    /* when it ended */
	struct usage gone_usage; /* of the threads that have ended; the lock of the tree */
	struct usage children_usage; /* of the children that were waited for; likewise */
	struct process_timers *timers; /* NULL: it has asked for none (process/sys_timer.c) */
	struct signal_table *signals;
	struct signal_queue queue;
};

/** Strings of argv and envp, one behind the other, each with its NUL. */
struct exec_args {
	char *strings;          /* kalloc */
	size_t size;
	unsigned argc, envc;
	uint64_t stack_size;    /* bytes that the program's stack is to have, 0: USER_STACK_SIZE */
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

/** Give the program's registers and memory to a thread whose task runs; what it had goes. Its own task, the only thread. */
void thread_replace(struct thread *t, const struct program *program);

/* Threads (process/threads.c). */

/** Room for a thread, in no list. @return NULL: out of memory */
struct thread *thread_new(struct process *p) __must_check;
void thread_free(struct thread *t);
/**
 * Put it among those of its process, the caller's; it gets its number.
 * @return 0; -EAGAIN: there are too many; -ERESTART_ALWAYS: the process ends
 */
int thread_enter(struct thread *t, const struct thread *caller) __must_check;
/** Undo thread_enter, and free it. It has no task. */
void thread_cancel(struct thread *t);
/** It uses its memory no more, at its end or for another program's: who waits for that is told. Its own task. */
void thread_release_memory(struct thread *t);
/** Let its task run. */
void thread_start(struct thread *t);
/** Its own task, the last thing it does: with the last thread the process ends. */
void thread_leave(struct thread *t);
/** End it at its next look, with this status if it is the oldest. Its own task. */
void thread_end(struct thread *t, int status);
/** Wait until t, which runs, is the only one, and has the number of its process. @return 0; -EINTR: it is to end itself */
int thread_end_others(struct thread *t) __must_check;
/** Free those that have ended. Task context. */
void threads_sweep(struct process *p);
/** Are all its threads asleep? The table's lock is held. */
bool process_is_asleep(const struct process *p);

/* The tree of processes (process/tree.c). */

/** Begin to wait for those whose parents have ended. Once. @return 0 or -ENOMEM */
int process_start_reaper(void) __must_check;
/** Room for a process, with nothing in it but what every process has, and no thread. @return NULL: out of memory */
struct process *process_new(const char *path) __must_check;
/** Give back what it has; it is in no table and has no threads. */
void process_free(struct process *p);
/**
 * Put it with its first thread into the table, as a child of the caller's process (NULL: of nobody); both get its number.
 * @return 0; -EAGAIN: there are too many; -ERESTART_ALWAYS: a signal waits for the caller, which the child must not escape
 */
int process_enter(struct process *p, struct thread *first, const struct thread *caller) __must_check;
/** Undo process_enter, and free it and the thread, which has no task. */
void process_cancel(struct process *p);
/** Its last thread has left: memory and files go, its children become orphans, whoever waits is told. */
void process_leave(struct process *p);
/** The lock of the tree, for the threads that are part of it. */
irqflags_t tree_lock(void);
void tree_unlock(irqflags_t flags);
/** Something has happened that threads of p may wait for (process_wait_until). The lock is held. */
void tree_tell(struct process *p);
/** A number that no process, group, session or thread has. The lock is held. */
unsigned tree_number(void);
/** May a process of `parent`'s group have one more thread, or child? The lock is held. @return 0 or -EAGAIN */
int tree_room(const struct process *parent) __must_check;
/** Change what others may look at (process_for_each). The strings are the process's then. Its own task. */
struct user_mm *process_set_mm(struct process *p, struct user_mm *mm) __must_check; /* @return the old one */
void process_set_exe(struct process *p, char *exe);
void process_set_name(struct process *p, const char *path); /* its last component */
void process_set_cwd(struct process *p, char *cwd);
/** Its folder, resolved, "" for the root: other threads may change it meanwhile. out has VFS_PATH_MAX bytes. */
void process_get_cwd(const struct process *p, char *out);
char *process_copy_cwd(const struct process *p) __must_check; /* kalloc, or NULL */
/** It is in its parent's memory no more (vfork). */
void process_take_off(struct process *p);
/** Wait until the child of this number has, or has gone, or the caller is to end. */
void process_wait_take_off(unsigned pid);
/** It has stopped or goes on: its parent gets SIGCHLD, and whoever waits looks. */
void process_tell_parent(struct process *p, unsigned signal);
/** Sleep until pred; what happens to the caller's process, its threads and children makes it look, and so do signals. Task context. */
void process_wait_until(bool (*pred)(void *), void *arg);
enum { WAIT_NO_HANG = 1, WAIT_STOPPED = 2, WAIT_ENDED = 4, WAIT_CONTINUED = 8, WAIT_KEEP = 0x1000000 };
/** What has happened to a child. */
struct process_event {
	unsigned pid;
	int code;               /* CLD_* */
	int status;             /* of an end; else the signal */
	struct usage usage;     /* its own and its children's */
};
/**
 * Wait for a child to end, to stop or to go on.
 * @param which      as wait4(2): > 0 that one, -1 any, 0 of the caller's group, < -1 of that group
 * @param flags      WAIT_*: for what; with WAIT_NO_HANG the answer is 0 if nothing has happened so far; with WAIT_KEEP
 *                   the next who waits gets the same
 * @param[out] out   what it was
 * @return its number; 0; -ECHILD; -ERESTART
 */
int64_t process_wait(struct process *p, int64_t which, unsigned flags, struct process_event *out) __must_check;
/** What its children have used that were waited for. */
struct usage process_children_usage(struct process *p);
/** Pages that it has at the moment. The table's lock is held (process_for_each). */
uint64_t process_resident(const struct process *p);
/** Call fn with each process until it returns false; the table's lock is held. */
void process_for_each(bool (*fn)(struct process *p, void *arg), void *arg);

/** Delete the timers that a process has made (exec); give all back (its end). Its own task. process/sys_timer.c */
void timers_delete_all(struct process *p);
void timers_release(struct process *p);

/** The call that stands in the program's registers (a7: number, a0 to a5). Its result goes to a0. */
void syscall_handle(struct thread *t);
/** End the process, all threads at their next look, with this status unless it has one. A task of its own. */
void process_end(struct process *p, int status);
/** End it as by this signal. A task of its own. */
void process_die(struct process *p, unsigned signal);
/** No memory for a page that a call was to copy: if it is the running program's, that ends. */
void thread_out_of_memory(const struct user_mm *mm);
/** The signals that wait and that the thread would take. Any context; its own task or one that holds it. Asked at every trap. */
static inline uint64_t signal_pending(const struct thread *t)
{
	uint64_t pending = __atomic_load_n(&t->process->queue.pending, __ATOMIC_RELAXED) |
			   __atomic_load_n(&t->queue.pending, __ATOMIC_RELAXED);

	return pending & (~t->blocked | NEVER_BLOCKED);
}

static inline bool signal_waits(const struct thread *t)
{
	return signal_pending(t);
}

/** Is it to leave the kernel soon, because a signal waits or it is to end? Whoever sleeps asks. */
bool thread_interrupted(const struct thread *t);
/** Is it to end? What takes long but waits for nobody goes on at all other signals, as on Linux. Its own task. */
bool thread_is_ending(const struct thread *t);
/**
 * A call that may end with -ERESTART_QUIET waits until `deadline` (ticks): when it is done again, until what it was the
 * first time. Once a call, before it waits. @return the deadline
 */
uint64_t thread_deadline(struct thread *t, uint64_t deadline);
/** The thread whose task runs, if its extension is thread_ext_ops(). */
struct thread *thread_current(void);
const struct task_ext_ops *thread_ext_ops(void);
