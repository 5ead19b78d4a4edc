/* A request of a stacked device's own to a device below it. */
#include "child.h"

enum { SUBMITTING, LEFT, DONE };

static void child_done(struct block_request *rq)
{
	struct child *c = container_of(rq, struct child, rq);

	if (__atomic_exchange_n(&c->state, DONE, __ATOMIC_ACQ_REL) == LEFT)
		c->resume(c, rq->status);
}

/* Whoever of the two comes second goes on: done(), or we. */
int child_submit(struct child *c, struct block_device *dev)
{
	int error;

	c->rq.done = child_done;
	__atomic_store_n(&c->state, SUBMITTING, __ATOMIC_RELAXED);
	error = block_submit(dev, &c->rq);
	if (error)
		return error;
	return __atomic_exchange_n(&c->state, LEFT, __ATOMIC_ACQ_REL) == DONE ? c->rq.status : CHILD_UNDER_WAY;
}
