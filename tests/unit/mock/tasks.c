/* The programs of tasks.h. */
#include <tasks.h>

#define STRESSED 12
#define ROUNDS 300

char trace[512];

int tasks_fresh(void **state)
{
	(void)state;
	trace[0] = 0;
	task_set_mask(task_current(), BIT(0));
	task_sleep_until(time_now() + 10 * MACHINE_STEP); /* whoever is ready runs and goes to sleep */
	assert_int_equal(this_hart()->index, 0);
	assert_int_equal(sched_others_runnable(), 0);
	trace[0] = 0;
	return 0;
}

static void computes(void *arg)
{
	for (unsigned i = 0; i < 8; i++) {
		note(*(const char *)arg);
		machine_busy(4 * MS);
	}
}

static void wakes_often(void *arg)
{
	for (unsigned i = 0; i < 5; i++) {
		task_sleep_until(time_now() + 5 * MS);
		note(*(const char *)arg);
		machine_busy(1 * MS);
	}
}

void run_t2_program(void)
{
	struct task *t[3];

	t[0] = spawn(computes, "a", BIT(1));
	t[1] = spawn(computes, "b", BIT(1));
	t[2] = spawn(wakes_often, "c", BIT(1));
	for (unsigned i = 0; i < ARRAY_SIZE(t); i++)
		task_join(t[i]);
}

static void counts(void *arg)
{
	unsigned *n = arg;

	for (unsigned i = 0; i < ROUNDS; i++) {
		machine_busy(i % 3 * MACHINE_STEP);
		(*n)++;
		if (i % 4 == 0)
			task_yield();
		if (i % 7 == 0)
			task_sleep_until(time_now() + i);
	}
}

/* A queued task is where its mask allows; a running one may just be leaving. */
static void check_place(const struct task *t, void *arg)
{
	(void)arg;
	if (t->queued_in)
		assert_true(t->hart_mask & BIT(t->hart));
}

void run_t6_program(void)
{
	struct task *t[STRESSED];
	unsigned n[STRESSED] = { 0 };
	uint64_t seed = 5;

	for (unsigned i = 0; i < STRESSED; i++)
		t[i] = spawn(counts, &n[i], 0);
	for (unsigned i = 0; i < 2000; i++) {
		task_set_mask(t[mock_random(&seed) % STRESSED], mock_random(&seed) % 16);
		assert_int_equal(task_set_nice(t[mock_random(&seed) % STRESSED], (int)(mock_random(&seed) % 40) - 20), 0);
		task_for_each(check_place, NULL);
		if (i % 5 == 0)
			task_sleep_until(time_now() + MACHINE_STEP);
	}
	for (unsigned i = 0; i < STRESSED; i++) {
		task_join(t[i]);
		assert_int_equal(n[i], ROUNDS);
	}
}
