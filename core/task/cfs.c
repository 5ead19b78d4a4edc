/*
 * Class CFS: completely fair. Every task has a virtual run time, which grows by
 *
 *	vruntime += ticks x 1024 / weight(nice)
 *
 * (kept in 1/1024 ticks), and the task with the least has the next turn; so tasks
 * that are always runnable share a hart as their weights. weight(0) is 1024, and
 * each step of nice is a factor of about 1.25: the table is Linux's.
 *
 * Of each queue we keep min_vruntime, the least vruntime of its runnable tasks
 * (the running one too) so far; it never goes back. With it,
 *
 *	new     vruntime = init_vruntime = min_vruntime + slice x 1024 / weight
 *	woken   vruntime = max(vruntime, min_vruntime - latency / 2)
 *	moved   vruntime += min_vruntime here - min_vruntime where it was
 *	yielded vruntime = max(vruntime, that of the first in the queue)
 *
 * so a sleeper is served soon but cannot claim all the time it slept, and a task
 * that forks gains nothing. While others wait, a task runs for a slice of
 *
 *	max(max(latency, tasks x granularity) x weight / sum of weights, granularity)
 *
 * and one that is woken takes the hart before that if the running task's vruntime
 * is ahead of its own by more than wakeup_granularity x 1024 / its weight: at once,
 * but in the long run not more often than every wakeup_interval, and a few times
 * (wakeup_burst) in a row, so that one that wakes all the time does not eat up the
 * hart by switches.
 *
 * A vruntime may wrap around: only differences are looked at, as signed numbers.
 */
#include <arch/cpu.h>

#include "class.h"

#define LATENCY_US 20000
#define GRANULARITY_US 2000
#define WAKEUP_GRANULARITY_US 2000
#define WAKEUP_INTERVAL_US 500
#define WAKEUP_BURST_US 2000 /* four in a row */

#define WEIGHT_SHIFT 10
#define FRACTION_SHIFT 10
_Static_assert(TASK_WEIGHT_0 == BIT(WEIGHT_SHIFT), "the weight of nice 0");
/* A longer stretch counts as this (10 days at 10 MHz): the product below stays within 64 bits. */
#define STRETCH_MAX BIT(63 - WEIGHT_SHIFT - FRACTION_SHIFT)

static const uint32_t weights[NICE_MAX - NICE_MIN + 1] = {
	88761, 71755, 56483, 46273, 36291, 29154, 23254, 18705, 14949, 11916, /* -20 to -11 */
	9548, 7620, 6100, 4904, 3906, 3121, 2501, 1991, 1586, 1277,           /* -10 to -1 */
	1024, 820, 655, 526, 423, 335, 272, 215, 172, 137,                    /* 0 to 9 */
	110, 87, 70, 56, 45, 36, 29, 23, 18, 15,                              /* 10 to 19 */
};

static uint64_t latency, granularity, wakeup_granularity, wakeup_interval, wakeup_burst; /* ticks */

const char *sched_class_name(void)
{
	return "cfs";
}

void class_init(void)
{
	latency = time_from_us(LATENCY_US);
	granularity = time_from_us(GRANULARITY_US);
	wakeup_granularity = time_from_us(WAKEUP_GRANULARITY_US);
	wakeup_interval = time_from_us(WAKEUP_INTERVAL_US);
	wakeup_burst = time_from_us(WAKEUP_BURST_US);
}

void class_queue_init(struct class_queue *q)
{
	q->tree = (struct rb_tree){ NULL, NULL };
	q->head = NULL;
}

static bool before(uint64_t a, uint64_t b)
{
	return (int64_t)(a - b) < 0;
}

static uint64_t later(uint64_t a, uint64_t b)
{
	return before(a, b) ? b : a;
}

static struct task *task_at(struct rb_node *n)
{
	return container_of(n, struct task, rb_node);
}

/* NULL: the queue is empty. */
static struct task *first(const struct class_queue *q)
{
	if (q->head)
		return q->head;
	return q->tree.first ? task_at(q->tree.first) : NULL;
}

/* ticks x 1024 / weight. */
static uint64_t virtual_time(uint64_t ticks, uint64_t weight)
{
	return (MIN(ticks, STRETCH_MAX) << (WEIGHT_SHIFT + FRACTION_SHIFT)) / weight;
}

/* It is charged only when it stops. */
static uint64_t vruntime_now(const struct task *running)
{
	int64_t ran = (int64_t)(cpu_time() - running->switched_in_at);

	/* The clocks of two harts may differ by a little. */
	return running->vruntime + virtual_time(ran > 0 ? (uint64_t)ran : 0, running->weight);
}

/* least: of the runnable tasks but the first in the queue. */
static void raise_min(struct class_queue *q, uint64_t least)
{
	const struct task *f = first(q);

	if (f && before(f->vruntime, least))
		least = f->vruntime;
	/* Atomic: tasks that leave for another hart read it without the lock. */
	if (before(q->min_vruntime, least))
		__atomic_store_n(&q->min_vruntime, least, __ATOMIC_RELAXED);
}

static void update_min(struct class_queue *q)
{
	if (q->running) {
		q->running_at = vruntime_now(q->running);
		raise_min(q, q->running_at);
	} else if (first(q)) {
		raise_min(q, first(q)->vruntime);
	}
}

void class_charge(struct class_queue *q, struct task *t, uint64_t ran)
{
	t->vruntime += virtual_time(ran, t->weight);
	raise_min(q, t->vruntime);
}

/* Of n tasks that weigh this much together. */
static uint64_t slice_of(uint64_t weight, unsigned n, uint64_t sum)
{
	uint64_t period = MAX(latency, n * granularity);

	return MAX(period * weight / sum, granularity);
}

/* Until the next wake-up may take the hart. */
static uint64_t pressed_slice(const struct class_queue *q, const struct task *t)
{
	uint64_t end = __atomic_load_n(&q->wakeups_paid, __ATOMIC_RELAXED) - wakeup_burst;

	return before(t->switched_in_at, end) ? end - t->switched_in_at : 0;
}

uint64_t class_slice(const struct class_queue *q, const struct task *t)
{
	uint64_t others = __atomic_load_n(&q->weight, __ATOMIC_RELAXED);

	if (__atomic_load_n(&q->pressed, __ATOMIC_RELAXED))
		return pressed_slice(q, t);
	return slice_of(t->weight, __atomic_load_n(&q->n, __ATOMIC_RELAXED) + 1, others + t->weight);
}

static uint64_t init_vruntime(const struct class_queue *q, const struct task *t)
{
	unsigned n = q->n + 1 + (q->running != NULL);
	uint64_t sum = q->weight + t->weight + (q->running ? q->running->weight : 0);

	return q->min_vruntime + virtual_time(slice_of(t->weight, n, sum), t->weight);
}

/* The vruntime with which t comes into the queue. */
static uint64_t place(const struct class_queue *q, const struct task *t, enum put_reason why)
{
	uint64_t v = t->vruntime;

	if (!t->home)
		return init_vruntime(q, t);
	if (t->home != q)
		v += q->min_vruntime - __atomic_load_n(&t->home->min_vruntime, __ATOMIC_RELAXED);
	if (why == PUT_WOKEN)
		v = later(v, q->min_vruntime - virtual_time(latency / 2, TASK_WEIGHT_0));
	if (why == PUT_YIELDED && first(q))
		v = later(v, first(q)->vruntime);
	return v;
}

static void insert_in_tree(struct rb_tree *tree, struct task *t)
{
	struct rb_node *parent = NULL;
	unsigned side = 0;

	/* Among equals the one that came first. */
	for (struct rb_node *at = tree->root; at; at = at->child[side]) {
		parent = at;
		side = !before(t->vruntime, task_at(at)->vruntime);
	}
	rb_insert(tree, &t->rb_node, parent, side);
}

/* The first one stays out of the tree: often it is the next that runs, and then the tree has no work with it. */
static void insert(struct class_queue *q, struct task *t)
{
	const struct task *f = first(q);

	if (f && !before(t->vruntime, f->vruntime)) {
		insert_in_tree(&q->tree, t);
		return;
	}
	if (q->head)
		rb_insert(&q->tree, &q->head->rb_node, q->tree.first, 0);
	q->head = t;
}

/* What the weight of a group gives each of its tasks that are runnable now. */
static uint32_t group_part(const struct task_group *g)
{
	uint32_t n = __atomic_load_n(&g->runnable, __ATOMIC_RELAXED);
	uint32_t weight = __atomic_load_n(&g->weight, __ATOMIC_RELAXED);

	return MAX((weight + n / 2) / MAX(n, 1), TASK_WEIGHT_MIN);
}

static uint32_t weight_of(const struct task *t)
{
	if (t->group)
		return group_part(t->group);
	return weights[__atomic_load_n(&t->nice, __ATOMIC_SEQ_CST) - NICE_MIN];
}

void class_put(struct class_queue *q, struct task *t, enum put_reason why)
{
	/* One that has just run was charged. */
	if (why == PUT_WOKEN || why == PUT_MOVED)
		update_min(q);
	t->weight = weight_of(t);
	t->vruntime = place(q, t, why);
	t->home = q;
	insert(q, t);
	q->n++;
	__atomic_store_n(&q->weight, q->weight + t->weight, __ATOMIC_RELAXED);
}

void class_take_out(struct class_queue *q, struct task *t)
{
	if (t == q->head)
		q->head = NULL;
	else
		rb_remove(&q->tree, &t->rb_node);
	q->n--;
	__atomic_store_n(&q->weight, q->weight - t->weight, __ATOMIC_RELAXED);
}

/* A wake-up takes the hart: it pays with an interval. */
static void pay_wakeup(struct class_queue *q, uint64_t now)
{
	__atomic_store_n(&q->wakeups_paid, later(q->wakeups_paid, now) + wakeup_interval, __ATOMIC_RELAXED);
}

static void end_pressure(struct class_queue *q)
{
	if (likely(!q->pressed))
		return;
	__atomic_store_n(&q->pressed, false, __ATOMIC_RELAXED);
	pay_wakeup(q, cpu_time());
}

struct task *class_pick(struct class_queue *q)
{
	struct task *t = first(q);

	end_pressure(q);
	if (t)
		class_take_out(q, t);
	q->running = t;
	return t;
}

/* prev was put back, so there is a first. */
bool class_pick_wanted(struct class_queue *q, struct task *t, struct task *prev)
{
	(void)prev;
	if (before(first(q)->vruntime + virtual_time(latency, t->weight), t->vruntime))
		return false;
	class_take_out(q, t);
	end_pressure(q);
	q->running = t;
	return true;
}

struct task *class_steal(struct class_queue *q, unsigned hart, bool (*fits)(const struct task *, unsigned))
{
	struct rb_node *n = q->tree.first;
	struct task *t = first(q);

	while (t && !fits(t, hart)) {
		/* After the head, the tree from its first on. */
		if (t != q->head)
			n = rb_next(n);
		t = n ? task_at(n) : NULL;
	}
	if (t)
		class_take_out(q, t);
	return t;
}

bool class_preempts(struct class_queue *q, const struct task *t)
{
	uint64_t now;
	int64_t ahead;

	if (!q->running)
		return false;
	ahead = (int64_t)(q->running_at - t->vruntime);
	if (ahead <= (int64_t)virtual_time(wakeup_granularity, t->weight))
		return false;
	now = cpu_time();
	if (before(now + wakeup_burst, q->wakeups_paid)) {
		__atomic_store_n(&q->pressed, true, __ATOMIC_RELAXED);
		return false;
	}
	pay_wakeup(q, now);
	return true;
}

void class_renice(struct class_queue *q, struct task *t)
{
	uint32_t weight = weight_of(t);

	if (q->running != t)
		__atomic_store_n(&q->weight, q->weight - t->weight + weight, __ATOMIC_RELAXED);
	t->weight = weight;
}
