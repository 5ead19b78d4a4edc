/*
 * Who runs on this hart, and the switch between tasks.
 *
 * A run queue's lock is held across the switch: the old task takes it, the new
 * one releases it, so that nobody on another hart can pick the old task up
 * before its context is saved. on_hart covers the same for wakers: a task that
 * is woken while it is still switching out stays with its hart.
 */
#include <errno.h>

#include <arch/cpu.h>
#include <arch/layout.h>
#include <caisson/log.h>
#include <caisson/mm.h>
#include <caisson/smp.h>
#include <caisson/time.h>

#include "runqueue.h"

#define LOG_NAME "sched"

struct runqueue runqueues[HART_MAX];

struct task *task_current(void)
{
	return this_hart()->current;
}

/*
 * The slice timer is armed while somebody waits for this hart. It is not moved when the hart goes to another
 * task, nor cancelled when nobody waits any more, which would cost as much as the rest of the switch; it fires too
 * early then, or once in vain, and is armed again if need be.
 */
void sched_update_slice(struct runqueue *rq)
{
	struct task *t = this_hart()->current;
	uint64_t slice;

	if (!rq->q.n || t == rq->idle)
		return;
	slice = class_slice(&rq->q, t);
	if (slice == SLICE_FOR_EVER)
		return;
	if (!rq->slice.queued || t->switched_in_at + slice < rq->slice.deadline)
		timer_arm(&rq->slice, t->switched_in_at + slice);
}

static void slice_end(struct timer *timer)
{
	struct runqueue *rq = container_of(timer, struct runqueue, slice);
	struct task *t = this_hart()->current;

	if (rq->q.n && cpu_time() - t->switched_in_at < class_slice(&rq->q, t)) {
		sched_update_slice(rq);
		return;
	}
	/* With nobody waiting here it is a look at the masks, which may have changed since: a hart may be back. */
	t->slice_used = rq->q.n != 0;
	this_hart()->resched = true;
}

static struct task *pick(struct runqueue *rq)
{
	struct task *t = class_pick(&rq->q);

	if (!t)
		return rq->idle;
	t->queued_in = NULL;
	return t;
}

/* As pick; prev, which stays runnable, wants the hart to go to a certain task. */
static struct task *pick_wanted(struct runqueue *rq, struct task *prev)
{
	struct task *t = rq->wanted;

	rq->wanted = NULL;
	if (prev->queued_in != rq || t->queued_in != rq || !class_pick_wanted(&rq->q, t, prev))
		return pick(rq);
	t->queued_in = NULL;
	return t;
}

uint64_t sched_account(struct runqueue *rq, struct task *t)
{
	uint64_t now = cpu_time(), ran = now - t->switched_in_at;

	t->run_time += ran;
	t->switched_in_at = now;
	if (t == rq->idle)
		rq->idle_time += ran;
	else
		class_charge(&rq->q, t, ran);
	return now;
}

/* The current task begins, or goes on with, a stretch on this hart. */
static void begin_stretch(struct runqueue *rq)
{
	struct task *t = this_hart()->current;

	if (t->ext)
		t->ext->ops->switch_in(t->ext);
	sched_update_slice(rq);
}

/* It has ended, and nobody joins it, or may not run here any more. */
static void __attribute__((noinline)) settle_previous(struct task *prev, bool dead)
{
	if (dead)
		gc_add(prev);
	else
		sched_enqueue(prev, PUT_MOVED);
}

/* First thing after a switch, in the new task: let go of the old one. */
static void finish_switch(void)
{
	struct runqueue *rq = this_rq();
	struct task *prev = rq->previous;
	bool dead = prev->state == TASK_EXITED && prev->detached;
	bool expelled = rq->expelled;

	rq->previous = NULL;
	rq->expelled = false;
	spin_unlock(&rq->lock);
	/* Release: whoever sees it fall also sees the saved context. A joiner may free prev from here on. */
	__atomic_store_n(&prev->on_hart, false, __ATOMIC_RELEASE);
	begin_stretch(rq);
	if (unlikely(dead || expelled))
		settle_previous(prev, dead);
}

static enum put_reason why_it_stopped(const struct task *t)
{
	if (t->yields)
		return PUT_YIELDED;
	return t->slice_used ? PUT_SLICE_USED : PUT_PREEMPTED;
}

/* The old task stays runnable: in this queue or, once its context is saved, on a hart where it may run. */
static void keep_runnable(struct runqueue *rq, struct task *prev)
{
	rq->expelled = !sched_may_run(prev, this_hart()->index);
	if (rq->expelled)
		prev->state = TASK_READY;
	else
		rq_put(rq, prev, why_it_stopped(prev));
}

/* Count what prev ran, and say who is next. Queue lock held. */
static struct task *choose_next(struct runqueue *rq, struct task *prev)
{
	uint64_t now = sched_account(rq, prev);
	struct task *next;

	if (prev == rq->idle)
		__atomic_fetch_and(&idle_harts, ~BIT(this_hart()->index), __ATOMIC_RELAXED);
	else if (prev->state == TASK_RUNNING)
		keep_runnable(rq, prev);
	else if (prev->group)
		__atomic_sub_fetch(&prev->group->runnable, 1, __ATOMIC_RELAXED);
	prev->slice_used = prev->yields = false;
	rq->preempt = false;
	next = unlikely(rq->wanted) ? pick_wanted(rq, prev) : pick(rq);
	/* Neither an idle hart nor the owner of one should be disturbed in vain; others will hardly notice. */
	if (!rq->q.n && next->owns_hart)
		timer_cancel(&rq->slice);
	if (prev->queued_in)
		sched_offer(prev->hart_mask);
	next->wait_time += now - next->switched_in_at;
	next->state = TASK_RUNNING;
	next->hart = this_hart()->index;
	next->switched_in_at = now;
	return next;
}

void sched_switch(void)
{
	struct runqueue *rq = this_rq();
	struct hart *h = this_hart(); /* until the switch */
	struct task *prev = h->current;
	struct task *next;

	if (prev->ext)
		prev->ext->ops->switch_out(prev->ext);
	spin_lock(&rq->lock);
	h->resched = false;
	next = choose_next(rq, prev);
	rq->previous = prev;
	if (next != prev) {
		ASSERT(!next->on_hart); /* see choose_hart */
		next->on_hart = true;
		h->switches++;
		h->current = next;
		context_switch(&prev->ctx, &next->ctx);
		finish_switch();
		return;
	}
	rq->previous = NULL;
	spin_unlock(&rq->lock);
	begin_stretch(rq);
}

static bool should_switch(struct runqueue *rq, struct task *t)
{
	if (t == rq->idle)
		return rq->q.n != 0;
	return (rq->q.n && (t->slice_used || rq->preempt)) || unlikely(!sched_may_run(t, this_hart()->index));
}

void sched_check(void)
{
	irqflags_t flags = irq_save();
	struct runqueue *rq = this_rq();

	this_hart()->resched = false;
	if (should_switch(rq, this_hart()->current)) {
		sched_switch();
	} else {
		rq->wanted = NULL;
		sched_update_slice(rq);
	}
	irq_restore(flags);
}

unsigned sched_others_runnable(void)
{
	return __atomic_load_n(&this_rq()->q.n, __ATOMIC_RELAXED);
}

/* The stretch that goes on is counted too; without a lock, so a switch just now may be missed. */
uint64_t sched_idle_time(unsigned hart)
{
	const struct runqueue *rq = &runqueues[hart];
	uint64_t before = rq->idle_time;

	if (!rq->idle || !harts[hart].online || harts[hart].current != rq->idle)
		return before;
	return before + (cpu_time() - rq->idle->switched_in_at);
}

bool sched_is_idle(unsigned hart)
{
	return harts[hart].current == runqueues[hart].idle;
}

bool sched_yield_to(struct task *t)
{
	struct runqueue *rq = this_rq();

	if (__atomic_load_n(&t->queued_in, __ATOMIC_RELAXED) != rq)
		return false;
	rq->wanted = t;
	rq->preempt = true;
	this_hart()->resched = true;
	return true;
}

void task_yield(void)
{
	irqflags_t flags = irq_save();

	this_hart()->current->yields = true;
	sched_switch();
	irq_restore(flags);
}

/* A new task arrives here from context_start, with the queue lock held as after any switch. */
void sched_first_run(void (*entry)(void *), void *arg);
void sched_first_run(void (*entry)(void *), void *arg)
{
	finish_switch();
	irq_enable();
	entry(arg);
	task_exit(0);
}

/* Nothing to run, it seems. Interrupts off; what is pending is taken when they go on again. */
static void idle(void)
{
	if (unlikely(!this_hart()->online)) {
		sched_account(this_rq(), this_hart()->current);
		smp_idle_leave();
		return;
	}
	__atomic_fetch_or(&idle_harts, BIT(this_hart()->index), __ATOMIC_SEQ_CST);
	if (sched_others_runnable() || sched_pull())
		return;
	/* A page at a time: whoever becomes runnable meanwhile waits no longer than that takes. */
	if (!IS_ENABLED(CONFIG_FRAME_STOCK) || !frame_stock_fill())
		cpu_wfi();
}

static void idle_loop(void) __noreturn;
static void idle_loop(void)
{
	for (;;) {
		irq_disable();
		if (sched_others_runnable())
			sched_switch();
		else
			idle();
		irq_enable();
	}
}

static void idle_entry(void *arg)
{
	(void)arg;
	idle_loop();
}

static void queue_init(struct runqueue *rq)
{
	class_queue_init(&rq->q);
	timer_init(&rq->slice, slice_end);
}

static struct task *make_idle(unsigned hart)
{
	const struct task_attr attr = { .hart_mask = BIT(hart), .owns_hart = true };

	return task_alloc("idle", idle_entry, NULL, &attr);
}

int sched_init(void)
{
	struct hart *h = this_hart();
	struct task *boot;

	class_init();
	sched_harts = UINT64_MAX >> (64 - hart_count());
	for (unsigned i = 0; i < hart_count(); i++) {
		queue_init(&runqueues[i]);
		runqueues[i].idle = make_idle(i);
		if (!runqueues[i].idle)
			return -ENOMEM;
	}
	/* The boot code goes on as the task "main", on the boot stack. */
	boot = task_alloc("main", NULL, NULL, &(struct task_attr){ .hart_mask = 0 });
	if (!boot)
		return -ENOMEM;
	/* As if it had been queued: the class knows it. */
	rq_put(this_rq(), boot, PUT_WOKEN);
	pick(this_rq());
	boot->state = TASK_RUNNING;
	boot->on_hart = true;
	boot->switched_in_at = cpu_time();
	h->current = boot;
	h->online = true;
	return gc_init();
}

void *sched_boot_stack(unsigned hart)
{
	return (char *)runqueues[hart].idle->stack + BOOT_STACK_SIZE;
}

void sched_secondary(void)
{
	struct hart *h = this_hart();
	struct task *idle = runqueues[h->index].idle;

	/* We are on the idle task's stack already (sched_boot_stack). */
	idle->state = TASK_RUNNING;
	idle->on_hart = true;
	idle->hart = h->index;
	idle->switched_in_at = cpu_time();
	h->current = idle;
	h->online = true;
	idle_loop();
}
