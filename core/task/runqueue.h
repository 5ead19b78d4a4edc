/*
 * A hart's run queue, for sched.c (who runs on this hart) and place.c (which
 * hart a task goes to). Lock order: none of these locks is taken inside another.
 */
#pragma once

#include <caisson/hart.h>
#include <caisson/spinlock.h>

#include "class.h"
#include "sched.h"

struct runqueue {
	spinlock_t lock;
	struct class_queue q;
	struct task *idle;
	struct task *previous;      /* set across a switch: who ran before */
	bool expelled;              /* and it may not stay on this hart */
	bool preempt;               /* the running task gives way at the next look */
	struct task *wanted;        /* to whom the running task gives way, or NULL */
	struct timer slice;
	uint64_t idle_time;
} ALIGNED_TO(64);

extern struct runqueue runqueues[];
/** Bit n: hart n looks for work, or sleeps. Atomic. */
extern uint64_t idle_harts;
/** Bit n: the machine has a hart n, which need not be online. Set once. */
extern uint64_t sched_harts;

static inline struct runqueue *this_rq(void)
{
	return &runqueues[this_hart()->index];
}

/** Put a task that is ready into a queue, whose lock is held. */
static inline void rq_put(struct runqueue *rq, struct task *t, enum put_reason why)
{
	t->state = TASK_READY;
	class_put(&rq->q, t, why);
	t->queued_in = rq;
}

/** May t run on a hart that is not of its mask, or not online? Yes, while no hart of its mask is online. */
bool sched_may_run_anyway(const struct task *t, unsigned hart);

/** May t run there now? */
static inline bool sched_may_run(const struct task *t, unsigned hart)
{
	uint64_t mask = __atomic_load_n(&t->hart_mask, __ATOMIC_SEQ_CST);

	return likely(harts[hart].online && (mask & BIT(hart))) || sched_may_run_anyway(t, hart);
}

/** This hart has nothing to run: get a task that waits elsewhere. Idle task, interrupts off. @return true: got one. */
bool sched_pull(void);
/** Let one of these harts, which idle, look for work. Queue locks may be held. */
void sched_call_idle(uint64_t idle);

/** A task with this mask was left in a queue: a hart that idles may have it. Queue locks may be held. */
static inline void sched_offer(uint64_t mask)
{
	/* Between the queue, which was just written, and idle_harts: see place.c. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	mask &= __atomic_load_n(&idle_harts, __ATOMIC_RELAXED);
	if (unlikely(mask))
		sched_call_idle(mask);
}

/** Make the slice timer of this hart right for the running task and those that wait. Interrupts off. */
void sched_update_slice(struct runqueue *rq);
/** The running task's time up to now is counted and charged. Queue lock held. @return now. */
uint64_t sched_account(struct runqueue *rq, struct task *t);
