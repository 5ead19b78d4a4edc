/* What is due once, or again and again: interval timers and files that tell of time. */
#pragma once

#include <caisson/mutex.h>
#include <caisson/spinlock.h>
#include <caisson/time.h>

struct alarm {
	struct mutex setting;   /* one at a time sets it; then: lock */
	spinlock_t lock;        /* of the times; then: the hart's timers */
	struct timer timer;
	uint64_t due, period;   /* ticks; due 0: not set; period 0: once */
	/** It was due n times since it was last called. Interrupt context, no lock held. */
	void (*fn)(struct alarm *a, uint64_t n);
};

/** Ticks: how long until it is due (0: it is not set), and its period. */
struct alarm_times {
	uint64_t left, period;
};

void alarm_init(struct alarm *a, void (*fn)(struct alarm *a, uint64_t n));
/** Set it, or stop it (due 0). Once this returns, fn runs for what is set now only. Task context. @param[out] old  or NULL */
void alarm_set(struct alarm *a, uint64_t due, uint64_t period, struct alarm_times *old);
/** Any context. */
struct alarm_times alarm_get(struct alarm *a);
