/*
 * Which hart a task goes to: masks, wake-ups, pulling, harts that leave.
 *
 * Masks: hart_mask is written before t->hart is read (task_set_mask), t->hart
 * before hart_mask is read (queue_on), all sequentially consistent. So of a
 * change and a wake-up at the same time at least one sees the other. The same
 * goes for nice, which is read when a task is put into a queue.
 *
 * Pulling: a hart says in idle_harts that it idles before it looks at the queues
 * of others; whoever leaves a task in a queue looks at idle_harts afterwards. So
 * no hart sleeps while a task that may run there waits elsewhere.
 */
#include <errno.h>

#include <arch/cpu.h>
#include <caisson/smp.h>

#include "runqueue.h"

uint64_t idle_harts;
uint64_t sched_harts;
/* Guards hart_mask of all tasks, so that it follows asked_mask and which harts are reserved. Innermost. */
static spinlock_t mask_lock;

static uint64_t reserved_harts(void)
{
	uint64_t mask = 0;

	for (unsigned h = 0; h < hart_count(); h++)
		if (__atomic_load_n(&harts[h].reserved, __ATOMIC_SEQ_CST))
			mask |= BIT(h);
	return mask;
}

/* The harts where t may run now. All of its mask offline: rather run somewhere than never, but on no reserved hart. */
static uint64_t allowed_harts(const struct task *t)
{
	uint64_t online = 0, reserved = reserved_harts(), mask;

	for (unsigned h = 0; h < hart_count(); h++)
		if (harts[h].online)
			online |= BIT(h);
	mask = __atomic_load_n(&t->hart_mask, __ATOMIC_SEQ_CST) & online;
	return mask ? mask : online & ~reserved;
}

bool sched_may_run_anyway(const struct task *t, unsigned hart)
{
	return allowed_harts(t) & BIT(hart);
}

static unsigned queued(unsigned hart)
{
	return __atomic_load_n(&runqueues[hart].q.n, __ATOMIC_RELAXED);
}

/* Tasks on a hart, the running one too; unlocked, so only an estimate. */
static unsigned load(unsigned hart)
{
	return queued(hart) + (harts[hart].current != runqueues[hart].idle);
}

/* The online hart of a mask with the fewest tasks; `best` if no other has fewer. @return HART_MAX: none. */
static unsigned shortest_queue(uint64_t mask, unsigned best)
{
	unsigned least = best == HART_MAX ? ~0u : load(best);
	unsigned n = hart_count();

	for (unsigned h = 0; h < n && least; h++) {
		if ((mask & BIT(h)) && harts[h].online && load(h) < least) {
			best = h;
			least = load(h);
		}
	}
	return best;
}

/*
 * Its last hart if that is idle, else an idle one, else the one with the shortest queue. A task that is
 * still leaving its hart is queued there: two harts that each waited for the other's task to be saved
 * would wait for ever.
 */
static unsigned __attribute__((noinline)) choose_hart(const struct task *t)
{
	unsigned hart;

	while (unlikely(__atomic_load_n(&t->on_hart, __ATOMIC_ACQUIRE))) {
		if (sched_may_run(t, t->hart))
			return t->hart;
		cpu_relax();
	}
	hart = shortest_queue(t->hart_mask, sched_may_run(t, t->hart) ? t->hart : HART_MAX);
	return hart == HART_MAX ? shortest_queue(allowed_harts(t), HART_MAX) : hart;
}

/* As choose_hart, without a search if there is at most one; whether t may run there is looked at afterwards. */
static inline unsigned guess_hart(const struct task *t)
{
	if (likely(!__atomic_load_n(&t->on_hart, __ATOMIC_ACQUIRE)) && !(t->hart_mask & sched_harts & ~BIT(t->hart)))
		return t->hart;
	return choose_hart(t);
}

/* @return false: meanwhile the hart became one where t may not run. */
static bool queue_on(unsigned hart, struct task *t, enum put_reason why)
{
	struct runqueue *rq = &runqueues[hart];
	bool ok;

	spin_lock(&rq->lock);
	__atomic_store_n(&t->hart, hart, __ATOMIC_SEQ_CST);
	ok = sched_may_run(t, hart);
	if (ok) {
		rq_put(rq, t, why);
		rq->preempt |= class_preempts(&rq->q, t);
	}
	spin_unlock(&rq->lock);
	return ok;
}

void sched_enqueue(struct task *t, enum put_reason why)
{
	uint64_t mask = t->hart_mask; /* once it is queued it may run, and end */
	unsigned hart = guess_hart(t);

	while (unlikely(!queue_on(hart, t, why)))
		hart = choose_hart(t);
	if (hart != this_hart()->index) {
		ipi_send(hart, IPI_RESCHED);
	} else {
		this_hart()->resched = true;
		/* At the end of an interrupt somebody looks, and does this. */
		if (!this_hart()->irq_depth)
			sched_update_slice(&runqueues[hart]);
	}
	/* Between the queue, which was just written, and idle_harts: see above. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	mask &= __atomic_load_n(&idle_harts, __ATOMIC_RELAXED);
	if (unlikely(mask) && load(hart) > 1)
		sched_call_idle(mask);
}

/* --- pulling --- */

void sched_call_idle(uint64_t idle)
{
	for (; idle; idle &= idle - 1) {
		unsigned hart = (unsigned)__builtin_ctzll(idle);

		/* One that has somebody queued runs that one first. */
		if (harts[hart].online && queued(hart) == 0) {
			ipi_send(hart, IPI_RESCHED);
			return;
		}
	}
}

bool sched_rouse_idle(void)
{
	uint64_t idle = __atomic_load_n(&idle_harts, __ATOMIC_RELAXED);

	if (idle)
		sched_call_idle(idle);
	return idle;
}

/* The hart with the longest queue of those not tried that have somebody waiting. @return HART_MAX: none. */
static unsigned longest_queue(uint64_t tried)
{
	unsigned best = HART_MAX;

	for (unsigned h = 0; h < hart_count(); h++) {
		/* One task on an idle hart is just about to run there. */
		if ((tried & BIT(h)) || queued(h) == 0 || load(h) < 2)
			continue;
		if (best == HART_MAX || queued(h) > queued(best))
			best = h;
	}
	return best;
}

static bool may_run(const struct task *t, unsigned hart)
{
	return sched_may_run(t, hart);
}

static struct task *steal(unsigned from)
{
	struct runqueue *rq = &runqueues[from];
	struct task *t;

	spin_lock(&rq->lock);
	t = class_steal(&rq->q, this_hart()->index, may_run);
	if (t)
		t->queued_in = NULL;
	spin_unlock(&rq->lock);
	return t;
}

bool sched_pull(void)
{
	unsigned me = this_hart()->index, from;
	uint64_t tried = BIT(me);
	struct task *t = NULL;

	while (!t && (from = longest_queue(tried)) != HART_MAX) {
		tried |= BIT(from);
		t = steal(from);
	}
	if (!t)
		return false;
	/* Perhaps it was just put back. Its hart saves it with interrupts off; ours is free meanwhile. */
	while (__atomic_load_n(&t->on_hart, __ATOMIC_ACQUIRE))
		cpu_relax();
	if (!queue_on(me, t, PUT_MOVED))
		sched_enqueue(t, PUT_MOVED);
	return true;
}

/* --- changes of a task or a hart --- */

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

static void take_out(struct runqueue *rq, struct task *t)
{
	class_take_out(&rq->q, t);
	t->queued_in = NULL;
}

static bool runs_in(const struct runqueue *rq, const struct task *t)
{
	return harts[rq - runqueues].current == t && t != rq->idle;
}

/* t may have to leave its hart: move it if it is queued, else let its hart look. Interrupts off. */
static void settle(struct task *t)
{
	struct runqueue *rq = lock_queue_of(t);
	unsigned hart = (unsigned)(rq - runqueues);
	bool waits = t->queued_in == rq;
	bool moves = waits && !sched_may_run(t, hart);

	if (moves)
		take_out(rq, t);
	else if (waits)
		sched_offer(t->hart_mask);
	spin_unlock(&rq->lock);
	if (moves)
		sched_enqueue(t, PUT_MOVED);
	else if (t->on_hart && hart != this_hart()->index)
		ipi_send(hart, IPI_RESCHED);
}

bool mask_review(struct task *t)
{
	irqflags_t flags = spin_lock_irqsave(&mask_lock);
	uint64_t reserved = t->owns_hart ? 0 : reserved_harts(), old = t->hart_mask;
	uint64_t mask = __atomic_load_n(&t->asked_mask, __ATOMIC_SEQ_CST) & ~reserved;

	__atomic_store_n(&t->hart_mask, mask ? mask : ~reserved, __ATOMIC_SEQ_CST);
	spin_unlock_irqrestore(&mask_lock, flags);
	return t->hart_mask != old;
}

/* Whose mask stays is left alone: no IPI goes to the owner of another reserved hart. */
static void review_and_settle(const struct task *t, void *arg)
{
	struct task *changed = (void *)(uintptr_t)t;

	(void)arg;
	if (mask_review(changed))
		settle(changed);
}

void task_review_masks(void)
{
	task_for_each(review_and_settle, NULL);
	sched_check();
}

void task_set_mask(struct task *t, uint64_t mask)
{
	irqflags_t flags = irq_save();

	__atomic_store_n(&t->asked_mask, mask ? mask : UINT64_MAX, __ATOMIC_SEQ_CST);
	(void)mask_review(t);
	settle(t);
	irq_restore(flags);
	if (t == task_current())
		sched_check();
}

int task_set_nice(struct task *t, int nice)
{
	struct runqueue *rq;
	irqflags_t flags;

	if (nice < NICE_MIN || nice > NICE_MAX)
		return -EINVAL;
	flags = irq_save();
	__atomic_store_n(&t->nice, nice, __ATOMIC_SEQ_CST);
	rq = lock_queue_of(t);
	if (runs_in(rq, t))
		sched_account(rq, t); /* the time so far at the old weight */
	/* Otherwise it counts when t is put into a queue. */
	if (runs_in(rq, t) || t->queued_in == rq)
		class_renice(&rq->q, t);
	spin_unlock(&rq->lock);
	irq_restore(flags);
	return 0;
}

int task_group_set_weight(struct task_group *g, uint64_t weight)
{
	if (weight < TASK_WEIGHT_MIN || weight > TASK_WEIGHT_MAX)
		return -EINVAL;
	/* Tasks read it when they are put into a queue, which is when a turn begins. */
	__atomic_store_n(&g->weight, (uint32_t)weight, __ATOMIC_RELAXED);
	return 0;
}

static struct task *take_first(struct runqueue *rq)
{
	struct task *t;

	spin_lock(&rq->lock);
	t = class_pick(&rq->q);
	if (t)
		t->queued_in = NULL;
	spin_unlock(&rq->lock);
	return t;
}

void sched_vacate(unsigned hart)
{
	irqflags_t flags = irq_save();
	struct task *t;

	while ((t = take_first(&runqueues[hart])) != NULL)
		sched_enqueue(t, PUT_MOVED);
	irq_restore(flags);
}
