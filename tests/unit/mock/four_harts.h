/* What the tests of core/smp share: the simulated machine with four harts, and functions for harts to call. */
#pragma once

#include <caisson/hart.h>
#include <caisson/irq.h>
#include <caisson/smp.h>
#include <caisson/task.h>
#include <caisson/time.h>
#include <machine.h>
#include <test.h>

#define HARTS 4

/** What note() was called with, one character after the other. */
static char order[16];

static inline struct task *spawn(void (*entry)(void *), void *arg, uint64_t mask)
{
	struct task *t = task_create("test", entry, arg, &(struct task_attr){ .hart_mask = mask });

	assert_non_null(t);
	return t;
}

/** All harts are online, idle and without faults, but for the caller's. */
static inline void four_harts_again(void)
{
	for (unsigned h = 0; h < HARTS; h++) {
		machine_start_error[h] = machine_stop_error[h] = 0;
		machine_silent[h] = false;
		if (!harts[h].online)
			assert_int_equal(smp_online(h), 0);
	}
	task_set_mask(task_current(), BIT(0));
	task_sleep_until(time_now() + 10 * MACHINE_STEP);
	task_set_mask(task_current(), 0);
}

/** Add 1 + the hart's number to *arg. */
static inline void where(void *arg)
{
	assert_false(irq_enabled());
	*(unsigned *)arg += 1 + this_hart()->index;
}

/** A call that tells its order: append the first character of arg. */
static inline void note(void *arg)
{
	assert_true(this_hart()->irq_depth > 0);
	strncat(order, arg, 1);
}
