/* What waits for a process or a thread: of each signal one, of real-time signals as many as were sent. */
#include <errno.h>

#include <caisson/mm.h>

#include "signal.h"

#define FIRST_REAL_TIME 32
#define MORE_MAX 1024 /* signals in a queue beyond one of each */

struct more {
	struct list node;
	unsigned signal;
	struct signal_info info;
};

void signal_queue_init(struct signal_queue *q)
{
	list_init(&q->more);
}

static int add_more(struct signal_queue *q, unsigned signal, const struct signal_info *info)
{
	struct more *m = q->n_more < MORE_MAX ? kalloc(sizeof(*m)) : NULL;

	if (!m)
		return -EAGAIN;
	m->signal = signal;
	m->info = *info;
	list_push_back(&q->more, &m->node);
	q->n_more++;
	return 0;
}

int signal_queue_put(struct signal_queue *q, unsigned signal, const struct signal_info *info)
{
	if (q->pending & SIG_BIT(signal))
		return signal >= FIRST_REAL_TIME ? add_more(q, signal, info) : 0;
	q->info[signal - 1] = *info;
	__atomic_fetch_or(&q->pending, SIG_BIT(signal), __ATOMIC_RELEASE);
	return 0;
}

/* The oldest of those that came while one waited already. */
static struct more *find_more(const struct signal_queue *q, unsigned signal)
{
	list_for_each(m, &q->more, struct more, node)
		if (m->signal == signal)
			return m;
	return NULL;
}

static void remove(struct signal_queue *q, struct more *m)
{
	list_del(&m->node);
	q->n_more--;
	kfree(m);
}

unsigned signal_queue_take(struct signal_queue *q, uint64_t set, struct signal_info *info)
{
	uint64_t takable = q->pending & set;
	struct more *m;
	unsigned signal;

	if (!takable)
		return 0;
	signal = takable & SIG_BIT(SIGKILL) ? SIGKILL : (unsigned)__builtin_ctzll(takable) + 1;
	*info = q->info[signal - 1];
	m = find_more(q, signal);
	if (m) {
		q->info[signal - 1] = m->info;
		remove(q, m);
	} else {
		__atomic_fetch_and(&q->pending, ~SIG_BIT(signal), __ATOMIC_RELAXED);
	}
	return signal;
}

void signal_queue_drop(struct signal_queue *q, uint64_t set)
{
	q->pending &= ~set;
	list_for_each_safe(m, next, &q->more, struct more, node)
		if (SIG_BIT(m->signal) & set)
			remove(q, m);
}
