/* What the tests of all scheduling classes share: tasks that leave a trace, and one program for all classes. */
#pragma once

#include <caisson/hart.h>
#include <caisson/task.h>
#include <caisson/time.h>
#include <machine.h>
#include <test.h>

#define MS 10000 /* ticks */

extern char trace[512];

static inline void note(char c)
{
	size_t n = strlen(trace);

	if (n < sizeof(trace) - 1) {
		trace[n] = c;
		trace[n + 1] = 0;
	}
}

static inline struct task *spawn_nice(void (*entry)(void *), void *arg, uint64_t mask, int nice)
{
	struct task *t = task_create("test", entry, arg, &(struct task_attr){ .hart_mask = mask, .nice = nice });

	assert_non_null(t);
	return t;
}

static inline struct task *spawn(void (*entry)(void *), void *arg, uint64_t mask)
{
	return spawn_nice(entry, arg, mask, 0);
}

/** Set-up of each test: main is alone, on hart 0. */
int tasks_fresh(void **state);

/**
 * T2: two tasks that compute (a, b: 8 times 4 ms) and one that wakes now and then (c: 5 times 1 ms), on one
 * hart. Leaves the trace: a letter for each piece of work begun.
 */
void run_t2_program(void);
#define T2_TRACE_FIFO "aaaaaaaabbbbbbbbccccc"
#define T2_TRACE_RR   "aaabbbaaabbbcaabbcccc"
#define T2_TRACE_CFS  "aaacbbcaacbbcaacbbbab"

/** T6: tasks that compute, yield and sleep on four harts while their masks change all the time: nothing is lost. */
void run_t6_program(void);
