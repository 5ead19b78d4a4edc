/* Timers that go off when the test says so: one at a time. Included by tests. */
#pragma once

#include <stddef.h>

#include <caisson/time.h>

static struct timer *armed; /* the one that a test lets go off */

void timer_init(struct timer *t, void (*fn)(struct timer *))
{
	*t = (struct timer){ .fn = fn };
}

void timer_arm(struct timer *t, uint64_t deadline)
{
	t->deadline = deadline;
	armed = t;
}

void timer_cancel_sync(struct timer *t)
{
	armed = armed == t ? NULL : armed;
}
