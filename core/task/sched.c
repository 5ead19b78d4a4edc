/*
 * Run queues and the switch between tasks (class RR).
 *
 * A run queue's lock is held across the switch: the old task takes it, the new
 * one releases it, so that nobody on another hart can pick the old task up
 * before its context is saved. on_hart covers the same for wakers: a task that
 * is woken while it is still switching out stays with its hart.
 */
#include "sched.h"

#include <errno.h>

#include <arch/cpu.h>
#include <caisson/log.h>
#include <caisson/mm.h>
#include <caisson/smp.h>
#include <caisson/time.h>

#define LOG_NAME "sched"
#define SLICE_US 10000

static struct runqueue {
	spinlock_t lock;
	struct list ready;
	unsigned n_ready;
	struct task *idle;
	struct task *previous;      /* set across a switch: who ran before */
	struct timer slice;
	uint64_t idle_time;
} ALIGNED_TO(64) runqueues[HART_MAX];

static uint64_t slice_ticks;

static struct runqueue *this_rq(void)
{
	return &runqueues[this_hart()->index];
}

struct task *task_current(void)
{
	return this_hart()->current;
}

static void slice_end(struct timer *timer)
{
	(void)timer;
	this_hart()->current->slice_used = true;
	this_hart()->resched = true;
}

/* The slice timer runs only while somebody else waits for this hart. */
static void update_slice(struct runqueue *rq)
{
	struct task *t = this_hart()->current;

	if (rq->n_ready && t != rq->idle && !rq->slice.queued)
		timer_arm(&rq->slice, t->switched_in_at + t->slice_left);
}

/* Queue a task at the back, or at the front when it was preempted with slice left. Queue lock held. */
static void put(struct runqueue *rq, struct task *t)
{
	t->state = TASK_READY;
	if (t->slice_left) {
		list_push_front(&rq->ready, &t->rq_node);
	} else {
		t->slice_left = slice_ticks;
		list_push_back(&rq->ready, &t->rq_node);
	}
	rq->n_ready++;
}

static void put_back(struct runqueue *rq, struct task *t)
{
	t->slice_left = 0;
	put(rq, t);
}

static bool is_idle(unsigned hart)
{
	return harts[hart].current == runqueues[hart].idle && runqueues[hart].n_ready == 0;
}

/*
 * Its last hart if that is idle, else an idle one, else the one with the shortest queue. A task that is still
 * leaving its hart is queued there: two harts that each waited for the other's task to be saved would wait for ever.
 */
static unsigned choose_hart(const struct task *t)
{
	unsigned best = HART_MAX;

	while (__atomic_load_n(&t->on_hart, __ATOMIC_ACQUIRE)) {
		if (t->hart_mask & BIT(t->hart))
			return t->hart;
		cpu_relax();
	}

	if ((t->hart_mask & BIT(t->hart)) && harts[t->hart].online && is_idle(t->hart))
		return t->hart;
	for (unsigned h = 0; h < hart_count(); h++) {
		if (!(t->hart_mask & BIT(h)) || !harts[h].online)
			continue;
		if (is_idle(h))
			return h;
		if (best == HART_MAX || runqueues[h].n_ready < runqueues[best].n_ready)
			best = h;
	}
	/* A mask of harts that are all offline: rather run somewhere than never. */
	return best == HART_MAX ? this_hart()->index : best;
}

void sched_enqueue(struct task *t)
{
	unsigned hart = choose_hart(t);
	struct runqueue *rq = &runqueues[hart];

	spin_lock(&rq->lock);
	put_back(rq, t);
	spin_unlock(&rq->lock);
	if (hart == this_hart()->index)
		this_hart()->resched = true;
	else
		ipi_send(hart, IPI_RESCHED);
}

static struct task *pick(struct runqueue *rq)
{
	struct task *t;

	if (list_empty(&rq->ready))
		return rq->idle;
	t = list_first(&rq->ready, struct task, rq_node);
	list_del(&t->rq_node);
	rq->n_ready--;
	return t;
}

static void account(struct runqueue *rq, struct task *t)
{
	uint64_t ran = time_now() - t->switched_in_at;

	if (t == rq->idle)
		rq->idle_time += ran;
	t->run_time += ran;
	t->slice_left = ran < t->slice_left && !t->slice_used ? t->slice_left - ran : 0;
	t->slice_used = false;
}

/* First thing after a switch, in the new task: let go of the old one. */
static void finish_switch(void)
{
	struct runqueue *rq = this_rq();
	struct task *prev = rq->previous;
	struct task *t = this_hart()->current;
	bool ended = prev->state == TASK_EXITED;

	rq->previous = NULL;
	spin_unlock(&rq->lock);
	if (ended && prev->detached)
		gc_add(prev);
	/* Release: whoever sees it fall also sees the saved context. */
	__atomic_store_n(&prev->on_hart, false, __ATOMIC_RELEASE);
	t->switched_in_at = time_now();
	if (!t->slice_left)
		t->slice_left = slice_ticks;
	if (t->ext)
		t->ext->ops->switch_in(t->ext);
	update_slice(rq);
}

void sched_switch(void)
{
	struct runqueue *rq = this_rq();
	struct task *prev = this_hart()->current;
	struct task *next;

	if (prev->ext)
		prev->ext->ops->switch_out(prev->ext);
	timer_cancel(&rq->slice);
	spin_lock(&rq->lock);
	this_hart()->resched = false;
	account(rq, prev);
	if (prev->state == TASK_RUNNING && prev != rq->idle)
		put(rq, prev);
	next = pick(rq);
	next->state = TASK_RUNNING;
	next->hart = this_hart()->index;
	rq->previous = prev;
	if (next != prev) {
		ASSERT(!next->on_hart); /* see choose_hart */
		next->on_hart = true;
		this_hart()->current = next;
		context_switch(&prev->ctx, &next->ctx);
		finish_switch();
		return;
	}
	rq->previous = NULL;
	spin_unlock(&rq->lock);
	prev->switched_in_at = time_now();
	if (!prev->slice_left)
		prev->slice_left = slice_ticks;
	if (prev->ext)
		prev->ext->ops->switch_in(prev->ext);
	update_slice(rq);
}

void sched_check(void)
{
	irqflags_t flags = irq_save();
	struct runqueue *rq = this_rq();
	struct task *t = this_hart()->current;

	this_hart()->resched = false;
	if (rq->n_ready && (t == rq->idle || t->slice_used || !(t->hart_mask & BIT(this_hart()->index))))
		sched_switch();
	else
		update_slice(rq);
	irq_restore(flags);
}

unsigned sched_others_runnable(void)
{
	return __atomic_load_n(&this_rq()->n_ready, __ATOMIC_RELAXED);
}

uint64_t sched_idle_time(unsigned hart)
{
	return runqueues[hart].idle_time;
}

void task_yield(void)
{
	irqflags_t flags = irq_save();

	this_hart()->current->slice_used = true;
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

static void idle_loop(void) __noreturn;
static void idle_loop(void)
{
	for (;;) {
		irq_disable();
		if (this_rq()->n_ready)
			sched_switch();
		else
			cpu_wfi(); /* returns for a pending interrupt, which is taken when they go on again */
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
	list_init(&rq->ready);
	timer_init(&rq->slice, slice_end);
}

static struct task *make_idle(unsigned hart)
{
	const struct task_attr attr = { .hart_mask = BIT(hart) };

	return task_alloc("idle", idle_entry, NULL, &attr);
}

int sched_init(void)
{
	struct hart *h = this_hart();
	struct task *boot;

	slice_ticks = time_from_us(SLICE_US);
	for (unsigned i = 0; i < hart_count(); i++) {
		queue_init(&runqueues[i]);
		runqueues[i].idle = make_idle(i);
		if (!runqueues[i].idle)
			return -ENOMEM;
	}
	timer_hart_init();
	/* The boot code goes on as the task "main", on the boot stack. */
	boot = task_alloc("main", NULL, NULL, &(struct task_attr){ .hart_mask = 0 });
	if (!boot)
		return -ENOMEM;
	boot->state = TASK_RUNNING;
	boot->on_hart = true;
	boot->switched_in_at = time_now();
	boot->slice_left = slice_ticks;
	h->current = boot;
	h->online = true;
	return gc_init();
}

void sched_secondary(void)
{
	struct hart *h = this_hart();
	struct task *idle = runqueues[h->index].idle;

	timer_hart_init();
	/* The start-up stack becomes the idle task's; the one made for it is its first context only. */
	idle->state = TASK_RUNNING;
	idle->on_hart = true;
	idle->hart = h->index;
	idle->switched_in_at = time_now();
	h->current = idle;
	h->online = true;
	idle_loop();
}
