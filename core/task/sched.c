/*
 * Run queues and the switch between tasks (class RR).
 *
 * A run queue's lock is held across the switch: the old task takes it, the new
 * one releases it, so that nobody on another hart can pick the old task up
 * before its context is saved. on_hart covers the same for wakers: a task that
 * is woken while it is still switching out stays with its hart.
 *
 * Masks: hart_mask is written before t->hart is read (task_set_mask), t->hart
 * before hart_mask is read (queue_on), all sequentially consistent. So of a
 * change and a wake-up at the same time at least one sees the other.
 */
#include "sched.h"

#include <errno.h>

#include <arch/cpu.h>
#include <arch/layout.h>
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
	bool expelled;              /* and it may not stay on this hart */
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

static void take_out(struct runqueue *rq, struct task *t)
{
	list_del(&t->rq_node);
	rq->n_ready--;
}

/* The harts where t may run now. All of its mask offline: rather run somewhere than never. */
static uint64_t allowed_harts(const struct task *t)
{
	uint64_t online = 0, mask;

	for (unsigned h = 0; h < hart_count(); h++)
		if (harts[h].online)
			online |= BIT(h);
	mask = __atomic_load_n(&t->hart_mask, __ATOMIC_SEQ_CST) & online;
	return mask ? mask : online;
}

static bool allowed_on(const struct task *t, unsigned hart)
{
	uint64_t mask = __atomic_load_n(&t->hart_mask, __ATOMIC_SEQ_CST);

	return (harts[hart].online && (mask & BIT(hart))) || (allowed_harts(t) & BIT(hart));
}

/* Tasks on a hart, the running one too; unlocked, so only an estimate. */
static unsigned load(unsigned hart)
{
	return runqueues[hart].n_ready + (harts[hart].current != runqueues[hart].idle);
}

/*
 * Its last hart if that is idle, else an idle one, else the one with the shortest queue. A task that is
 * still leaving its hart is queued there: two harts that each waited for the other's task to be saved
 * would wait for ever.
 */
static unsigned choose_hart(const struct task *t)
{
	unsigned best = t->hart;
	uint64_t mask;

	while (__atomic_load_n(&t->on_hart, __ATOMIC_ACQUIRE)) {
		if (allowed_on(t, t->hart))
			return t->hart;
		cpu_relax();
	}
	if (allowed_on(t, best) && load(best) == 0)
		return best;
	mask = allowed_harts(t);
	if (!(mask & BIT(best)))
		best = (unsigned)__builtin_ctzll(mask);
	for (unsigned h = 0; h < hart_count(); h++)
		if ((mask & BIT(h)) && load(h) < load(best))
			best = h;
	return best;
}

/* @return false: meanwhile the hart became one where t may not run. */
static bool queue_on(unsigned hart, struct task *t)
{
	struct runqueue *rq = &runqueues[hart];
	bool ok;

	spin_lock(&rq->lock);
	__atomic_store_n(&t->hart, hart, __ATOMIC_SEQ_CST);
	ok = allowed_on(t, hart);
	if (ok)
		put_back(rq, t);
	spin_unlock(&rq->lock);
	return ok;
}

void sched_enqueue(struct task *t)
{
	unsigned hart;

	do
		hart = choose_hart(t);
	while (!queue_on(hart, t));
	if (hart == this_hart()->index) {
		this_hart()->resched = true;
		update_slice(&runqueues[hart]);
	} else {
		ipi_send(hart, IPI_RESCHED);
	}
}

static struct task *pick(struct runqueue *rq)
{
	struct task *t;

	if (list_empty(&rq->ready))
		return rq->idle;
	t = list_first(&rq->ready, struct task, rq_node);
	take_out(rq, t);
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

/* The current task begins, or goes on with, a stretch on this hart. */
static void begin_stretch(struct runqueue *rq)
{
	struct task *t = this_hart()->current;

	t->switched_in_at = time_now();
	if (!t->slice_left)
		t->slice_left = slice_ticks;
	if (t->ext)
		t->ext->ops->switch_in(t->ext);
	update_slice(rq);
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
	if (dead)
		gc_add(prev);
	else if (expelled)
		sched_enqueue(prev);
}

/* The old task stays runnable: in this queue or, once its context is saved, on a hart where it may run. */
static void keep_runnable(struct runqueue *rq, struct task *prev)
{
	rq->expelled = !allowed_on(prev, this_hart()->index);
	if (rq->expelled)
		prev->state = TASK_READY;
	else
		put(rq, prev);
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
		keep_runnable(rq, prev);
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
	begin_stretch(rq);
}

static bool should_switch(struct runqueue *rq, struct task *t)
{
	if (t == rq->idle)
		return rq->n_ready != 0;
	return (rq->n_ready && t->slice_used) || unlikely(!allowed_on(t, this_hart()->index));
}

void sched_check(void)
{
	irqflags_t flags = irq_save();
	struct runqueue *rq = this_rq();

	this_hart()->resched = false;
	if (should_switch(rq, this_hart()->current))
		sched_switch();
	else
		update_slice(rq);
	irq_restore(flags);
}

/* The queue of the hart where t is, locked. */
static struct runqueue *lock_queue_of(const struct task *t)
{
	for (;;) {
		unsigned hart = __atomic_load_n(&t->hart, __ATOMIC_SEQ_CST);

		spin_lock(&runqueues[hart].lock);
		if (__atomic_load_n(&t->hart, __ATOMIC_SEQ_CST) == hart)
			return &runqueues[hart];
		spin_unlock(&runqueues[hart].lock);
	}
}

/* t may have to leave its hart: move it if it is queued, else let its hart look. Interrupts off. */
static void settle(struct task *t)
{
	struct runqueue *rq = lock_queue_of(t);
	unsigned hart = t->hart;
	bool queued = t->state == TASK_READY && !list_empty(&t->rq_node);
	bool moves = queued && !allowed_on(t, hart);

	if (moves)
		take_out(rq, t);
	spin_unlock(&rq->lock);
	if (moves)
		sched_enqueue(t);
	else if (t->on_hart && hart != this_hart()->index)
		ipi_send(hart, IPI_RESCHED);
}

void task_set_mask(struct task *t, uint64_t mask)
{
	irqflags_t flags = irq_save();

	__atomic_store_n(&t->hart_mask, mask ? mask : UINT64_MAX, __ATOMIC_SEQ_CST);
	settle(t);
	irq_restore(flags);
	if (t == task_current())
		sched_check();
}

static struct task *take_first(struct runqueue *rq)
{
	struct task *t = NULL;

	spin_lock(&rq->lock);
	if (!list_empty(&rq->ready)) {
		t = list_first(&rq->ready, struct task, rq_node);
		take_out(rq, t);
	}
	spin_unlock(&rq->lock);
	return t;
}

void sched_vacate(unsigned hart)
{
	irqflags_t flags = irq_save();
	struct task *t;

	while ((t = take_first(&runqueues[hart])) != NULL)
		sched_enqueue(t);
	irq_restore(flags);
}

unsigned sched_others_runnable(void)
{
	return __atomic_load_n(&this_rq()->n_ready, __ATOMIC_RELAXED);
}

/* The stretch that goes on is counted too; without a lock, so a switch just now may be missed. */
uint64_t sched_idle_time(unsigned hart)
{
	const struct runqueue *rq = &runqueues[hart];
	uint64_t before = rq->idle_time;

	if (!rq->idle || harts[hart].current != rq->idle)
		return before;
	return before + (time_now() - rq->idle->switched_in_at);
}

void sched_end_slice(void)
{
	this_hart()->current->slice_used = true;
	this_hart()->resched = true;
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
		if (sched_others_runnable())
			sched_switch();
		else if (unlikely(!this_hart()->online))
			smp_idle_leave();
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
	idle->switched_in_at = time_now();
	h->current = idle;
	h->online = true;
	idle_loop();
}
