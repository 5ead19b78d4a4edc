/*
 * Class RR: round robin. Each task has the hart for a slice while others wait.
 * One that is preempted with slice left goes to the front and has the rest of it
 * next time; one that has used it up, has yielded, or is made ready goes to the
 * back with a new slice. Nice has no effect.
 */
#include "turns.h"

#define SLICE_US 10000

static uint64_t slice_ticks;

const char *sched_class_name(void)
{
	return "rr";
}

void class_init(void)
{
	slice_ticks = time_from_us(SLICE_US);
}

void class_queue_init(struct class_queue *q)
{
	list_init(&q->list);
}

void class_put(struct class_queue *q, struct task *t, enum put_reason why)
{
	if (why == PUT_PREEMPTED && t->slice_left) {
		list_push_front(&q->list, &t->rq_node);
		q->n++;
	} else {
		t->slice_left = slice_ticks;
		turns_put_back(q, t);
	}
}

struct task *class_pick(struct class_queue *q)
{
	return turns_pick(q);
}

/* It has the rest of prev's slice, and prev its place in the turns: together they have no more than one slice. */
bool class_pick_wanted(struct class_queue *q, struct task *t, struct task *prev)
{
	if (!prev->slice_left)
		return false;
	turns_take_out(q, t);
	turns_take_out(q, prev);
	t->slice_left = MIN(t->slice_left, prev->slice_left);
	class_put(q, prev, PUT_SLICE_USED);
	return true;
}

void class_take_out(struct class_queue *q, struct task *t)
{
	turns_take_out(q, t);
}

struct task *class_steal(struct class_queue *q, unsigned hart, bool (*fits)(const struct task *, unsigned))
{
	return turns_steal(q, hart, fits);
}

void class_charge(struct class_queue *q, struct task *t, uint64_t ran)
{
	(void)q;
	t->slice_left = ran < t->slice_left ? t->slice_left - ran : 0;
}

uint64_t class_slice(const struct class_queue *q, const struct task *t)
{
	(void)q;
	return t->slice_left;
}

bool class_preempts(struct class_queue *q, const struct task *t)
{
	(void)q;
	(void)t;
	return false;
}

void class_renice(struct class_queue *q, struct task *t)
{
	(void)q;
	(void)t;
}
