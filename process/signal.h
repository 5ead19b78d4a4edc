/*
 * Signals (POSIX; frames and numbers as Linux has them on riscv64).
 *
 * A signal is sent to a process or to one thread of it, waits there while it is blocked, and is taken by a thread on its way
 * back to the program: by default something happens to the whole process, or the program's handler runs on a frame that
 * is pushed onto its stack, and returns through a page of code that every process has (USER_TRAMPOLINE).
 */
#pragma once

#include <caisson/list.h>
#include <caisson/types.h>
#include <caisson/spinlock.h>

struct process;
struct thread;

#define SIGNALS 64               /* numbers 1 to 64 */
#define SIG_BIT(n) BIT((n) - 1)
#define NEVER_BLOCKED (SIG_BIT(SIGKILL) | SIG_BIT(SIGSTOP))

enum { SIGHUP = 1, SIGINT = 2, SIGQUIT = 3, SIGILL = 4, SIGTRAP = 5, SIGABRT = 6, SIGBUS = 7, SIGFPE = 8, SIGKILL = 9,
       SIGSEGV = 11, SIGPIPE = 13, SIGALRM = 14, SIGTERM = 15, SIGCHLD = 17, SIGCONT = 18, SIGSTOP = 19, SIGTSTP = 20,
       SIGTTIN = 21, SIGTTOU = 22, SIGURG = 23, SIGXFSZ = 25, SIGWINCH = 28 };

/** siginfo's si_code. */
enum { SI_USER = 0, SI_KERNEL = 0x80, SI_TKILL = -6, SI_QUEUE = -1, SI_TIMER = -2, SEGV_MAPERR = 1, SEGV_ACCERR = 2, BUS_ADRALN = 1,
       BUS_ADRERR = 2, ILL_ILLOPC = 1, TRAP_BRKPT = 1, CLD_EXITED = 1, CLD_KILLED = 2,
       CLD_STOPPED = 5, CLD_CONTINUED = 6 };

/** What is known of a signal that waits. */
struct signal_info {
	int32_t code;
	uint32_t pid;            /* who sent it, or which child or timer */
	int32_t status;          /* SIGCHLD: the child's; SI_TIMER: how often more it was due */
	uint64_t value;          /* the sender's, or the timer's */
	uint64_t addr;           /* faults */
};

/** What a program wants done, as rt_sigaction has it. */
struct signal_action {
	uint64_t handler, flags, mask;
};

/** The actions of a process. */
struct signal_table {
	uint32_t refs;           /* atomic */
	spinlock_t lock;         /* of the actions and of all that waits at its processes; then: run queues */
	struct signal_action actions[SIGNALS];
};

/** What waits for a process or a thread. */
struct signal_queue {
	uint64_t pending;        /* SIG_BIT */
	struct signal_info info[SIGNALS];
	struct list more;        /* of real-time signals those that came while one waited (process/signal_queue.c) */
	unsigned n_more;
};

/* Whoever calls these holds the table's lock. */
void signal_queue_init(struct signal_queue *q);
/** @return 0; -EAGAIN: too many wait, or memory is out */
int signal_queue_put(struct signal_queue *q, unsigned signal, const struct signal_info *info);
/** SIGKILL first, then the lowest number of `set`. @return 0: none waits */
unsigned signal_queue_take(struct signal_queue *q, uint64_t set, struct signal_info *info);
void signal_queue_drop(struct signal_queue *q, uint64_t set);

struct signal_table *signal_table_new(void) __must_check;
struct signal_table *signal_table_copy(struct signal_table *from) __must_check;
void signal_table_put(struct signal_table *t);
/** After exec: handlers are gone, what was ignored stays so. */
void signal_table_reset(struct signal_table *t);
/** Does the process not want to wait for its children (SIGCHLD ignored, or SA_NOCLDWAIT)? Not to hear of their stops (SA_NOCLDSTOP)? */
bool signal_ignores_children(struct signal_table *t);
bool signal_ignores_stops(struct signal_table *t);

/** Change what is done with a signal (new NULL: do not). What waits and is to be ignored goes. Its own task. */
void signal_set_action(struct process *p, unsigned signal, const struct signal_action *new, struct signal_action *old);
/** Wait for one of `set`, which it takes, until deadline (ticks). @return its number; -EAGAIN: none came; -EINTR. Its own task */
int signal_wait(struct thread *t, uint64_t set, uint64_t deadline, struct signal_info *info) __must_check;

/** Send. @return 0; -EAGAIN: too many of this real-time signal wait. The process must not go away (the table's lock of process/tree.c, or one's own). signal 1 to 64. Any context. */
int signal_send(struct process *p, unsigned signal, const struct signal_info *info);
/** The same to the thread of this number, if the process has it still; else to nobody. */
int signal_send_tid(struct process *p, unsigned tid, unsigned signal, const struct signal_info *info);
int signal_send_thread(struct thread *t, unsigned signal, const struct signal_info *info);
/** It takes fewer signals than before, or is leaving: others look at what waits for the process. Its own task. */
void signal_pass_on(struct thread *t);
/** Have it look whether it is wanted, wherever it is. The signal table's lock is held. */
void thread_nudge(struct thread *t);
/** The program has done what it must not: a handler of its own, or its end; it cannot be blocked. Its own task. */
void signal_fault(struct thread *t, unsigned signal, const struct signal_info *info);

/** Let it block these from now on, those left out that cannot be. Its own task. */
void signal_set_blocked(struct thread *t, uint64_t set);
/** Would a signal have no effect on the thread, because it is ignored or blocked? */
bool signal_is_refused(const struct thread *t, unsigned signal);
/** Does one wait that will end the thread, because the program has no handler for it? Its own task. */
bool signal_will_end(const struct thread *t);
/** On the way back to the program: take what waits. Its own task, interrupts on. */
void signal_take(struct thread *t);
/** Map the page through which handlers return. @return 0 or -ENOMEM */
struct user_mm;
int signal_map_trampoline(struct user_mm *mm) __must_check;
/** Once. @return 0 or -ENOMEM */
int signal_init(void) __must_check;
/** Put a handler's frame onto the stack and let the thread run it; the other way round. Memory that is not there: -EFAULT. */
int signal_push_frame(struct thread *t, unsigned signal, const struct signal_info *info, const struct signal_action *a) __must_check;
int signal_pop_frame(struct thread *t) __must_check;
struct linux_siginfo;
/** As a program sees it. */
void signal_info_to_linux(struct linux_siginfo *to, unsigned signal, const struct signal_info *info);

/** What a call returns that a signal has interrupted and that is to be done again if no handler says otherwise. */
#undef ERESTART /* the host, where unit tests run, has another */
#define ERESTART 512
/** The same, but again in any case, as if it had not begun. */
#define ERESTART_ALWAYS 513
/** The same, but EINTR after any handler, SA_RESTART or not. Its deadline: thread_deadline(). */
#define ERESTART_QUIET 514
