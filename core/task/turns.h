/* The queue of the classes that know only an order of turns (FIFO, RR): a list. */
#pragma once

#include "class.h"

static inline void turns_take_out(struct class_queue *q, struct task *t)
{
	list_del(&t->rq_node);
	q->n--;
}

static inline void turns_put_back(struct class_queue *q, struct task *t)
{
	list_push_back(&q->list, &t->rq_node);
	q->n++;
}

static inline struct task *turns_pick(struct class_queue *q)
{
	struct task *t;

	if (list_empty(&q->list))
		return NULL;
	t = list_first(&q->list, struct task, rq_node);
	turns_take_out(q, t);
	return t;
}

static inline struct task *turns_steal(struct class_queue *q, unsigned hart,
				       bool (*fits)(const struct task *, unsigned))
{
	list_for_each(t, &q->list, struct task, rq_node) {
		if (fits(t, hart)) {
			turns_take_out(q, t);
			return t;
		}
	}
	return NULL;
}
