/*
 * Class FIFO: cooperative. Whoever is made ready goes to the back; the running
 * task keeps its hart until it waits, ends, or yields (then it goes to the back
 * too). There are no slices, and nice has no effect.
 */
#include "turns.h"

const char *sched_class_name(void)
{
	return "fifo";
}

void class_init(void)
{
}

void class_queue_init(struct class_queue *q)
{
	list_init(&q->list);
}

void class_put(struct class_queue *q, struct task *t, enum put_reason why)
{
	(void)why;
	turns_put_back(q, t);
}

struct task *class_pick(struct class_queue *q)
{
	return turns_pick(q);
}

bool class_pick_wanted(struct class_queue *q, struct task *t, struct task *prev)
{
	(void)prev;
	turns_take_out(q, t);
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
	(void)t;
	(void)ran;
}

uint64_t class_slice(const struct class_queue *q, const struct task *t)
{
	(void)q;
	(void)t;
	return SLICE_FOR_EVER;
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
