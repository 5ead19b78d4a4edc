/*
 * Tasks: the only thing that is scheduled.
 *
 * A task has a stack with a guard page, a context, a set of harts it may run on
 * and one extension slot: a vCPU or a process thread hangs there, with functions
 * for the state only it has. Each hart has a run queue, whose order belongs to
 * the scheduling class that is built in: FIFO, RR or CFS (docs/scheduling.md).
 * There is no tick: a slice timer runs only while another task waits for the
 * hart. A hart that has nothing to run takes a waiting task from another.
 *
 * hart.resched means "look again": it is set when a task is queued on a hart,
 * when a slice ends, and by an IPI. sched_check() then decides; a wake-up takes
 * the hart from a task that has slice left only if the class says so (CFS).
 *
 * Lock order: wait queue lock -> run queue lock. Both are taken with interrupts off.
 */
#pragma once

#include <arch/context.h>
#include <caisson/list.h>
#include <caisson/rbtree.h>
#include <caisson/spinlock.h>
#include <caisson/time.h>
#include <caisson/types.h>

struct task;
struct waitq;
struct runqueue;
struct class_queue;

/** Nice: the lower, the larger a task's share of its hart (CFS; no effect in the other classes). */
#define NICE_MIN (-20)
#define NICE_MAX 19

/**
 * Tasks that share one weight, such as the vCPUs of a VM: while n of them are runnable, each counts with an n-th of it
 * (CFS; no effect in the other classes). It must outlast its tasks.
 */
struct task_group {
	uint32_t weight;           /* atomic, TASK_WEIGHT_MIN to TASK_WEIGHT_MAX */
	unsigned runnable;         /* atomic: of its tasks, those that run or wait for a hart */
};

/** A task of nice 0 weighs this much. */
#define TASK_WEIGHT_0 1024
#define TASK_WEIGHT_MIN 1
#define TASK_WEIGHT_MAX (TASK_WEIGHT_0 * 128)

/** What a task carries besides itself (a vCPU, a process thread). */
struct task_ext {
	const struct task_ext_ops *ops;
};

struct task_ext_ops {
	const char *name;
	/**
	 * The task is about to run on this hart / stops running. Interrupts off; must not wake tasks under a
	 * lock that a waker of this very task may hold.
	 */
	void (*switch_in)(struct task_ext *ext);
	void (*switch_out)(struct task_ext *ext);
};

enum task_state { TASK_READY, TASK_RUNNING, TASK_BLOCKED, TASK_EXITED };

struct task {
	struct context ctx;
	struct list rq_node;       /* in a run queue (FIFO, RR), or in that of gc */
	struct rb_node rb_node;    /* in a run queue (CFS) */
	struct runqueue *queued_in; /* the run queue where it waits for its turn, or NULL; under that one's lock */
	struct list wq_node;       /* in a wait queue */
	struct list all_node;      /* in the list of all tasks */
	struct waitq *waiting_on;
	bool look_again;           /* atomic: somebody wants its predicate looked at (task_interrupt) */
	enum task_state state;
	unsigned id;
	char name[24];
	uint64_t hart_mask;        /* bit n: may run on hart n; from asked_mask, less harts that are reserved */
	uint64_t asked_mask;       /* what task_create or task_set_mask said */
	bool owns_hart;            /* reserved harts are for this one */
	unsigned hart;             /* where it runs or is queued, or ran last */
	int nice;
	struct task_group *group;  /* whose weight it shares; NULL: its weight comes from nice */
	uint32_t weight;           /* CFS: its share of a hart, from nice or its group */
	uint64_t vruntime;         /* CFS: ticks x 1024 x 1024 / weight so far, on the time line of home */
	const struct class_queue *home; /* CFS: NULL before the first time in a queue */
	uint64_t slice_left;       /* RR: ticks */
	uint64_t run_time;         /* ticks on a hart so far */
	uint64_t wait_time;        /* ticks ready without a hart so far; counted when it gets one */
	uint64_t switched_in_at;   /* since when run_time (while it runs) or wait_time (while it is ready) does not count */
	int exit_status;
	struct task_ext *ext;
	struct timer timeout;
	void *stack;               /* lowest usable byte */
	volatile bool on_hart;     /* its context is in use: it runs, or is just being switched out */
	bool detached;
	bool slice_used;           /* give up the hart at the next look, */
	bool yields;               /* because it wants to */
	void (*entry)(void *);     /* what it runs first */
	void *arg;
};

/** Options of task_create; zero means default. */
struct task_attr {
	uint64_t hart_mask;        /* 0: all harts */
	struct task_ext *ext;
	int nice;                  /* NICE_MIN to NICE_MAX */
	struct task_group *group;  /* nice has no effect then */
	bool suspended;            /* do not make it ready: task_wake() will */
	bool detached;             /* nobody joins it: gc frees it when it has ended */
	bool owns_hart;            /* its mask may name reserved harts (smp_reserve): they are for it */
};

/** Bring up run queues, idle and gc tasks of the boot hart and make the caller the task "main". */
int sched_init(void) __must_check;
/** The same for a secondary hart; becomes its idle task and does not return. */
void sched_secondary(void) __noreturn;
/** Where a hart that is being started has its stack: that of its idle task. @return one past its highest byte. */
void *sched_boot_stack(unsigned hart);

/** "fifo", "rr" or "cfs". */
const char *sched_class_name(void);

/** @return the new task, or NULL: memory is out or the nice value is none. Task context. */
struct task *task_create(const char *name, void (*entry)(void *), void *arg,
			 const struct task_attr *attr) __must_check;
void task_exit(int status) __noreturn;
/** Wait for a task to exit, take its status and give up its storage. Task context. */
int task_join(struct task *t);
struct task *task_current(void);

/** Let the others that are ready on this hart have their turn first. Task context. */
void task_yield(void);
/** Sleep until an absolute time in ticks. Task context, interrupts on. */
void task_sleep_until(uint64_t deadline);

/**
 * Make a blocked (or suspended) task ready: it goes to a hart of its mask, which gets an IPI if it is
 * another, and takes itself out of its wait queue when it runs. Chosen is its last hart if that is idle,
 * else an idle one, else the one with the shortest queue. Any context, also the guest's hot exit path.
 * @return false: it was not blocked.
 */
bool task_wake(struct task *t);
/**
 * Restrict a task to the harts in mask (0: all). A queued task moves at once, a running one as soon as its
 * hart has taken an interrupt, the caller itself before this returns. While no hart of its mask is online
 * a task may run on any. Harts that are reserved (smp_reserve) count only for a task that owns harts: any other has
 * the rest of its mask or, if there is no rest, all harts that are not reserved. Task context.
 */
void task_set_mask(struct task *t, uint64_t mask);
/** Any context. Counts from now on, also for a task that runs. @return 0, or -EINVAL: not NICE_MIN to NICE_MAX. */
int task_set_nice(struct task *t, int nice);
/**
 * Any context. Counts for each task of the group from its next turn on: at once where tasks take turns.
 * @return 0, or -EINVAL: not TASK_WEIGHT_MIN to TASK_WEIGHT_MAX.
 */
int task_group_set_weight(struct task_group *g, uint64_t weight);

/**
 * At the next look, give the hart to t, if it waits for this one and the class finds that fair: RR hands over the
 * rest of the slice, CFS refuses if t is far ahead of the others. t must exist until this task has left the hart, or
 * sched_check() was called. Interrupts off. @return false: t does not wait here.
 */
bool sched_yield_to(struct task *t);
/**
 * Look at the run queue (whoever finds this_hart()->resched set calls it) and give the hart to another task
 * if the current one is idle, has used its slice up, is preempted, or may not run here any more. Task
 * context, interrupts off or on (as they are afterwards, perhaps on another hart).
 */
void sched_check(void);
/** Move what is queued on a hart that is no longer online to others. Any context. */
void sched_vacate(unsigned hart);
/**
 * The owner of a hart has changed: tasks that may no longer run there leave as after task_set_mask (the caller
 * before this returns), others may come. Task context.
 */
void task_review_masks(void);
/** Does a hart run nothing? Any context; an estimate, unless nothing can come to it. */
bool sched_is_idle(unsigned hart);
/** Let a hart that idles look for work, so that it also fills the stock of zeroed frames. Any context. @return false: none does. */
bool sched_rouse_idle(void);
/** Ticks a hart has been idle. Any context. */
uint64_t sched_idle_time(unsigned hart);
/** Runnable tasks on this hart besides the current one. Interrupts off. */
unsigned sched_others_runnable(void);
/** Ticks on a hart so far, the stretch that goes on included; a switch just now may be missed. t must not go away. */
static inline uint64_t task_run_time(const struct task *t)
{
	return t->run_time + (t->state == TASK_RUNNING ? time_now() - t->switched_in_at : 0);
}

/**
 * Bytes of its stack that were used at most, by it and those that had the stack before it: stacks begin zeroed.
 * 0 for the task that began on the boot stack. t must not go away.
 */
size_t task_stack_used(const struct task *t);
/** Call fn with each task (any context; must not block). */
void task_for_each(void (*fn)(const struct task *t, void *arg), void *arg);

/* Wait queues. */

struct waitq {
	spinlock_t lock;
	struct list tasks;
};

#define WAITQ_INIT(name) { SPINLOCK_INIT, LIST_INIT((name).tasks) }
void waitq_init(struct waitq *wq);

/**
 * Sleep until pred(arg) is true or the deadline (absolute ticks, UINT64_MAX: none) has passed. pred is called
 * with the queue's lock held and interrupts off, before sleeping and after each wake-up, so that a notify between
 * test and sleep is not lost (whoever changes what pred reads notifies afterwards).
 * Task context. @return 0, or -ETIMEDOUT.
 */
int waitq_wait(struct waitq *wq, bool (*pred)(void *), void *arg, uint64_t deadline);
/**
 * Let a task that waits look at its predicate again, whatever it waits for; one that does not wait loses nothing. t must
 * not go away. Any context, no wait queue's lock held.
 */
void task_interrupt(struct task *t);
/** Wake the first / all / this waiter. Any context. @return how many were woken. */
unsigned waitq_notify_one(struct waitq *wq);
unsigned waitq_notify_all(struct waitq *wq);
bool waitq_notify_task(struct waitq *wq, struct task *t);
