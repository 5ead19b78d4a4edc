/*
 * What a scheduling class is: the order in which the runnable tasks of one hart
 * get it, and for how long. One class is built in (fifo.c, rr.c or cfs.c, chosen
 * by CONFIG_SCHED_*), so these are plain calls. All that is the same for every
 * class stands in sched.c and place.c: harts, masks, the switch, the slice timer,
 * wake-ups, pulling. Idle tasks are unknown to the class.
 *
 * Interrupts are off and the lock of the queue's hart is held in all functions,
 * unless they say otherwise.
 */
#pragma once

#include <caisson/rbtree.h>
#include <caisson/task.h>

/** Why a task comes into a queue. The last three: it has just run on this hart, and class_charge was called. */
enum put_reason {
	PUT_WOKEN,       /* woken, or new: it was in no queue before */
	PUT_MOVED,       /* was runnable elsewhere */
	PUT_PREEMPTED,   /* has slice left */
	PUT_SLICE_USED,
	PUT_YIELDED,
};

/** The runnable tasks of a hart but the one that runs. */
struct class_queue {
	unsigned n;               /* how many; others read it without the lock */
	struct list list;         /* FIFO, RR: in the order of their turns */
	struct task *head;        /* CFS: the first one; not in the tree. NULL: that is in the tree, or there is none */
	struct rb_tree tree;      /* CFS: the others, by vruntime */
	struct task *running;     /* CFS: the one picked last, if it still runs */
	uint64_t running_at;      /* CFS: its vruntime when a task was put last that had not run here */
	bool pressed;             /* CFS: one that was woken takes the hart when it may, before the slice is over */
	uint64_t wakeups_paid;    /* CFS: the time until which wake-ups that took the hart have been paid for */
	uint64_t min_vruntime;    /* CFS: the queue's virtual time; never goes back */
	uint64_t weight;          /* CFS: of the queued tasks together */
};

#define SLICE_FOR_EVER UINT64_MAX

/** Once, before the first queue; time units are known. */
void class_init(void);
void class_queue_init(struct class_queue *q);
void class_put(struct class_queue *q, struct task *t, enum put_reason why);
/** Take the next task out: it will run. @return NULL: there is none. */
struct task *class_pick(struct class_queue *q);
/**
 * As class_pick, but t, which is queued, for the sake of prev, which has just run and been put back.
 * @return false: that would not be fair to others; nothing was taken.
 */
bool class_pick_wanted(struct class_queue *q, struct task *t, struct task *prev);
/** Take a queued task out; it will not run here now. */
void class_take_out(struct class_queue *q, struct task *t);
/** Take the first queued task out that fits(t, hart). @return NULL: none does. */
struct task *class_steal(struct class_queue *q, unsigned hart, bool (*fits)(const struct task *t, unsigned hart));
/** The running task has run for so many ticks; switched_in_at is the end of that time already. */
void class_charge(struct class_queue *q, struct task *t, uint64_t ran);
/** How many ticks after switched_in_at the running task has to give way, while others are queued. No lock needed. */
uint64_t class_slice(const struct class_queue *q, const struct task *t);
/** Should t, which was just put and had not run here, have the hart before the running task's slice is over? */
bool class_preempts(struct class_queue *q, const struct task *t);
/** t->nice has changed; t is in this queue, or runs on its hart and was charged up to now. */
void class_renice(struct class_queue *q, struct task *t);
