/* core/task/cfs.c: the rules of the fair class one by one, on a simulated machine of four harts. */
// sources: core/task/sched.c core/task/place.c core/task/cfs.c core/lib/rbtree.c core/task/task.c core/task/waitq.c core/task/gc.c core/time/time.c core/time/timer.c core/irq/irq.c core/smp/call.c core/smp/alone.c core/smp/power.c
#include <errno.h>
#include <math.h>

#include <tasks.h>

#include "core/task/runqueue.h"

#define UNIT 1024.0 /* of vruntime, per tick at nice 0 */

static bool stop;

static void spins(void *arg)
{
	(void)arg;
	while (!stop)
		machine_busy(MACHINE_STEP);
}

static int fresh(void **state)
{
	stop = false;
	return tasks_fresh(state);
}

static void join_all(struct task **t, unsigned n)
{
	stop = true;
	for (unsigned i = 0; i < n; i++)
		task_join(t[i]);
}

/* The time that t has run, up to now. */
static double ran(const struct task *t)
{
	return (double)(t->run_time + (t->on_hart ? time_now() - t->switched_in_at : 0));
}

static double ahead(const struct task *a, const struct task *b)
{
	return (double)(int64_t)(a->vruntime - b->vruntime) / UNIT;
}

static void T2_same_program_leaves_the_trace_of_cfs(void **state)
{
	(void)state;
	assert_string_equal(sched_class_name(), "cfs");
	run_t2_program();
	assert_string_equal(trace, T2_TRACE_CFS);
}

static void T3_weights_are_a_quarter_apart(void **state)
{
	struct task *t = spawn(spins, NULL, BIT(1));
	double last = 0;

	(void)state;
	for (int nice = NICE_MAX; nice >= NICE_MIN; nice--) {
		assert_int_equal(task_set_nice(t, nice), 0);
		assert_true(fabs(t->weight / (1024 / pow(1.25, nice)) - 1) < 0.07); /* the table is rounded */
		assert_true(t->weight > last);
		last = t->weight;
	}
	assert_int_equal(task_set_nice(t, 0), 0);
	assert_int_equal(t->weight, 1024);
	join_all(&t, 1);
}

static void T3_vruntime_grows_by_time_over_weight(void **state)
{
	struct task *t = spawn(spins, NULL, BIT(1));

	(void)state;
	machine_busy(MS);
	for (int nice = NICE_MIN; nice <= NICE_MAX; nice++) {
		uint64_t before, run_time;
		double grown, expected;

		assert_int_equal(task_set_nice(t, nice), 0); /* charges the time so far */
		before = t->vruntime;
		run_time = t->run_time;
		machine_busy(33 * MS);
		assert_int_equal(task_set_nice(t, nice), 0);
		assert_int_equal(t->run_time - run_time, 33 * MS);
		grown = (double)(t->vruntime - before) / UNIT;
		expected = 33.0 * MS * 1024 / t->weight;
		assert_true(fabs(grown - expected) < 1);
	}
	join_all(&t, 1);
}

static void T3_short_stretches_of_a_heavy_task_count_too(void **state)
{
	struct task *t = spawn_nice(spins, NULL, BIT(1), NICE_MIN);
	struct class_queue *q = &runqueues[1].q;
	uint64_t before;

	(void)state;
	machine_busy(MS);
	before = t->vruntime;
	for (unsigned i = 0; i < 1000; i++)
		class_charge(q, t, 3); /* 0.3 us each: a thirtieth of a tick of virtual time */
	assert_true(fabs((double)(t->vruntime - before) / UNIT - 3000.0 * 1024 / 88761) < 2);
	join_all(&t, 1);
}

static void notes_and_ends(void *arg)
{
	note(*(const char *)arg);
}

static void T3_init_vruntime_orders_the_first_run(void **state)
{
	static const int nice[] = { 19, 0, 10, -20, 15, -5 };
	struct task *t[6], *first = spawn(spins, NULL, BIT(1));
	char expected[7] = "";
	bool used[6] = { false };

	(void)state;
	machine_busy(3 * MS);
	for (unsigned i = 0; i < 6; i++)
		t[i] = spawn_nice(notes_and_ends, &"abcdef"[i], BIT(1), nice[i]);
	assert_string_equal(trace, ""); /* a new task does not preempt */
	for (unsigned n = 0; n < 6; n++) {
		unsigned least = 6;

		for (unsigned i = 0; i < 6; i++)
			if (!used[i] && (least == 6 || ahead(t[i], t[least]) < 0))
				least = i;
		used[least] = true;
		expected[n] = "abcdef"[least];
	}
	assert_true(strchr(expected, 'a') > strchr(expected, 'b')); /* nice 19 came first, but goes later */
	stop = true;
	for (unsigned i = 0; i < 6; i++)
		task_join(t[i]);
	assert_string_equal(trace, expected);
	task_join(first);
}

static void T3_new_task_starts_a_slice_after_the_least(void **state)
{
	struct task *t[2];
	double least;

	(void)state;
	t[0] = spawn(spins, NULL, BIT(1));
	machine_busy(50 * MS); /* alone, without being charged; that must not become its loss */
	least = (double)t[0]->vruntime / UNIT + 50 * MS;
	t[1] = spawn(spins, NULL, BIT(1));
	/* Two tasks share 20 ms. */
	assert_true(fabs((double)t[1]->vruntime / UNIT - (least + 10 * MS)) < 2 * MACHINE_STEP);
	join_all(t, 2);
}

static bool wakes;
static uint64_t slept_until;

static void sleeps_then_spins(void *arg)
{
	task_sleep_until(slept_until);
	wakes = true;
	spins(arg);
}

static void T3_sleeper_neither_starves_nor_is_starved(void **state)
{
	struct task *t[2];
	double before[2];

	(void)state;
	wakes = false;
	slept_until = time_now() + 60000 * MS;
	t[0] = spawn(sleeps_then_spins, NULL, BIT(1));
	machine_busy(MS);
	t[1] = spawn(spins, NULL, BIT(1));
	task_sleep_until(slept_until + MACHINE_STEP);
	assert_true(wakes); /* at once: it has some credit */
	for (unsigned i = 0; i < 2; i++)
		before[i] = ran(t[i]);
	task_sleep_until(time_now() + 200 * MS);
	for (unsigned i = 0; i < 2; i++)
		assert_true(fabs(ran(t[i]) - before[i] - 100 * MS) <= 15 * MS); /* half, but for credit and one slice */
	join_all(t, 2);
}

static bool gate_open;
static struct waitq gate = WAITQ_INIT(gate);

static bool is_open(void *arg)
{
	(void)arg;
	return gate_open;
}

static void waits_at_gate(void *arg)
{
	waitq_wait(&gate, is_open, NULL, UINT64_MAX);
	note(*(const char *)arg);
}

/* Wake one of this nice value when wake-ups were paid for ahead of time: is it there within `within` ticks? */
static void wake_beside_a_spinner(int nice, uint64_t paid, uint64_t within, bool expected)
{
	struct task *t[2];

	gate_open = false;
	t[0] = spawn_nice(waits_at_gate, "w", BIT(1), nice);
	machine_busy(MS);
	t[1] = spawn(spins, NULL, BIT(1));
	machine_busy(100 * MS);
	assert_int_equal(task_set_nice(t[1], 0), 0); /* its slice begins: it is not because that is over */
	runqueues[1].q.wakeups_paid = time_now() + paid;
	gate_open = true;
	waitq_notify_all(&gate);
	machine_busy(within);
	assert_int_equal(strlen(trace), expected);
	join_all(t, 2);
}

static void T3_woken_task_preempts_if_it_is_far_behind(void **state)
{
	(void)state;
	wake_beside_a_spinner(0, 0, 2 * MACHINE_STEP, true);
}

static void T3_woken_task_preempts_a_few_times_in_a_row(void **state)
{
	(void)state;
	wake_beside_a_spinner(0, 2 * MS, 2 * MACHINE_STEP, true);
}

/* After four in a row, wake-ups take the hart every half millisecond, however far ahead the running one is. */
static void T3_woken_task_waits_when_there_were_too_many(void **state)
{
	(void)state;
	wake_beside_a_spinner(0, 2 * MS + MS / 2, 2 * MACHINE_STEP, false);
}

static void T3_woken_task_waits_no_longer_than_it_must(void **state)
{
	(void)state;
	wake_beside_a_spinner(0, 2 * MS + MS / 2, MS / 2 + 2 * MACHINE_STEP, true);
}

static void naps(void *arg)
{
	(void)arg;
	while (!stop)
		task_sleep_until(time_now() + MACHINE_STEP / 10);
}

static void H15_who_wakes_all_the_time_causes_few_switches(void **state)
{
	struct task *t[2] = { spawn(spins, NULL, BIT(1)), spawn(naps, NULL, BIT(1)) };
	uint64_t before;

	(void)state;
	machine_busy(50 * MS);
	before = harts[1].switches;
	machine_busy(100 * MS);
	assert_in_range(harts[1].switches - before, 100, 2 * 200 + 20);
	join_all(t, 2);
}

static void T3_light_task_does_not_preempt(void **state)
{
	(void)state;
	wake_beside_a_spinner(NICE_MAX, 0, 2 * MACHINE_STEP, false);
}

static void yields_often(void *arg)
{
	for (unsigned i = 0; i < 4; i++) {
		note(*(const char *)arg);
		machine_busy(MACHINE_STEP);
		task_yield();
	}
}

static void T2_yield_lets_the_others_run_first(void **state)
{
	struct task *t[3];

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		t[i] = spawn_nice(yields_often, &"abc"[i], BIT(1), i == 0 ? -20 : 0);
	join_all(t, 3);
	for (size_t i = 1; trace[i]; i++)
		assert_int_not_equal(trace[i], trace[i - 1]);
	assert_int_equal(strlen(trace), 12);
}

/* The first has run long on hart 1, the other just began on hart 2; then both are on one hart. */
static void meet(unsigned hart)
{
	struct task *t[2];
	double before[2];

	t[0] = spawn_nice(spins, NULL, BIT(1), 10);
	machine_busy(5000 * MS);
	t[1] = spawn_nice(spins, NULL, BIT(2), 10);
	machine_busy(30 * MS);
	for (unsigned i = 0; i < 2; i++)
		task_set_mask(t[i], BIT(hart));
	machine_busy(MS);
	for (unsigned i = 0; i < 2; i++)
		before[i] = ran(t[i]);
	machine_busy(400 * MS);
	for (unsigned i = 0; i < 2; i++)
		assert_true(fabs(ran(t[i]) - before[i] - 200 * MS) <= 20 * MS);
	join_all(t, 2);
}

static void T6_moved_task_takes_its_place_on_the_other_time_line(void **state)
{
	(void)state;
	for (unsigned hart = 1; hart <= 3; hart++) {
		stop = false;
		meet(hart);
	}
}

static void T3_vruntime_may_wrap_around(void **state)
{
	struct task *t[3];

	(void)state;
	runqueues[3].q.min_vruntime = 0 - (uint64_t)(100 * MS * UNIT);
	for (unsigned i = 0; i < 3; i++)
		t[i] = spawn_nice(spins, NULL, BIT(3), 3 - (int)i);
	machine_busy(1000 * MS);
	assert_true((int64_t)runqueues[3].q.min_vruntime > 0); /* it did */
	for (unsigned i = 0; i < 3; i++) {
		double expected = 1000.0 * MS * t[i]->weight / (526 + 655 + 820);

		assert_true(fabs(ran(t[i]) - expected) < 20 * MS);
	}
	join_all(t, 3);
}

static void T3_very_long_stretch_is_counted(void **state)
{
	struct task *t = spawn_nice(spins, NULL, BIT(1), NICE_MAX);
	uint64_t before;

	(void)state;
	machine_busy(MS);
	before = t->vruntime;
	class_charge(&runqueues[1].q, t, UINT64_MAX);
	assert_true((int64_t)(t->vruntime - before) > 0);
	join_all(&t, 1);
}

/* The weights that are queued on a hart, added up. */
struct sum {
	struct runqueue *rq;
	uint64_t weight;
	unsigned n;
};

static void add_weight(const struct task *t, void *arg)
{
	struct sum *s = arg;

	if (t->queued_in == s->rq) {
		s->weight += t->weight;
		s->n++;
	}
}

static void sleeps_and_spins(void *arg)
{
	uint64_t seed = (uintptr_t)arg;

	while (!stop) {
		machine_busy(mock_random(&seed) % 5 * MS);
		if (mock_random(&seed) % 2)
			task_sleep_until(time_now() + mock_random(&seed) % 20 * MS);
	}
}

static void T3_sum_of_weights_follows_every_change(void **state)
{
	struct task *t[10];
	uint64_t seed = 3;

	(void)state;
	for (unsigned i = 0; i < 10; i++)
		t[i] = spawn(sleeps_and_spins, (void *)(uintptr_t)(i + 1), BIT(1) | BIT(2));
	for (unsigned i = 0; i < 1000; i++) {
		machine_busy(MS);
		assert_int_equal(task_set_nice(t[mock_random(&seed) % 10], (int)(mock_random(&seed) % 40) - 20), 0);
		for (unsigned h = 1; h < 3; h++) {
			struct sum s = { .rq = &runqueues[h] };

			task_for_each(add_weight, &s);
			assert_int_equal(s.weight, s.rq->q.weight);
			assert_int_equal(s.n, s.rq->q.n);
		}
	}
	join_all(t, 10);
}

static void T3_nice_out_of_range_is_refused(void **state)
{
	struct task_attr attr = { .nice = NICE_MAX + 1 };

	(void)state;
	assert_null(task_create("x", spins, NULL, &attr));
	attr.nice = NICE_MIN - 1;
	assert_null(task_create("x", spins, NULL, &attr));
	assert_int_equal(task_set_nice(task_current(), NICE_MAX + 1), -EINVAL);
	assert_int_equal(task_set_nice(task_current(), NICE_MIN - 1), -EINVAL);
	assert_int_equal(task_current()->nice, 0);
}

static struct task *spawn_in(struct task_group *g, void (*entry)(void *), uint64_t mask)
{
	struct task *t = task_create("member", entry, NULL, &(struct task_attr){ .group = g, .hart_mask = mask });

	assert_non_null(t);
	return t;
}

/* What tasks from..to ran in the next second, in thousandths of it. */
static double next_second(struct task **t, unsigned from, unsigned to)
{
	double before = 0, after = 0;

	for (unsigned i = from; i < to; i++)
		before += ran(t[i]);
	task_sleep_until(time_now() + 1000 * MS);
	for (unsigned i = from; i < to; i++)
		after += ran(t[i]);
	return (after - before) / MS;
}

static void H9_a_group_has_its_weight_however_many_tasks_it_has(void **state)
{
	struct task_group a = { .weight = 1024 }, b = { .weight = 1024 };
	struct task *t[4];

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		t[i] = spawn_in(&a, spins, BIT(1));
	t[3] = spawn_in(&b, spins, BIT(1));
	(void)next_second(t, 0, 1);
	assert_true(fabs(next_second(t, 0, 3) - 500) < 30);
	assert_true(fabs(next_second(t, 1, 2) - 500.0 / 3) < 20);
	assert_int_equal(task_group_set_weight(&b, 3072), 0);
	(void)next_second(t, 0, 1);
	assert_true(fabs(next_second(t, 3, 4) - 750) < 30);
	assert_int_equal(a.runnable, 3);
	join_all(t, 4);
	assert_int_equal(a.runnable, 0);
	assert_int_equal(b.runnable, 0);
}

static void sleeps(void *arg)
{
	(void)arg;
	task_sleep_until(time_now() + 5000 * MS);
}

static void H9_tasks_that_sleep_take_nothing_from_their_group(void **state)
{
	struct task_group a = { .weight = 1024 }, b = { .weight = 1024 };
	struct task *t[5] = { spawn_in(&a, spins, BIT(1)), spawn_in(&b, spins, BIT(1)) };

	(void)state;
	for (unsigned i = 2; i < 5; i++)
		t[i] = spawn_in(&a, sleeps, BIT(1));
	(void)next_second(t, 0, 1);
	assert_int_equal(a.runnable, 1);
	assert_true(fabs(next_second(t, 0, 1) - 500) < 30);
	join_all(t, 5);
	assert_int_equal(a.runnable, 0);
}

static void H9_weights_of_groups_have_bounds(void **state)
{
	struct task_group g = { .weight = 7 };

	(void)state;
	assert_int_equal(task_group_set_weight(&g, 0), -EINVAL);
	assert_int_equal(task_group_set_weight(&g, TASK_WEIGHT_MAX + 1), -EINVAL);
	assert_int_equal(task_group_set_weight(&g, UINT64_MAX), -EINVAL);
	assert_int_equal(g.weight, 7);
	assert_int_equal(task_group_set_weight(&g, TASK_WEIGHT_MAX), 0);
}

static void T6_migration_under_load_loses_nothing(void **state)
{
	(void)state;
	run_t6_program();
}

static int start(void **state)
{
	(void)state;
	machine_start(4);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(T2_same_program_leaves_the_trace_of_cfs, fresh),
		cmocka_unit_test_setup(T3_weights_are_a_quarter_apart, fresh),
		cmocka_unit_test_setup(T3_vruntime_grows_by_time_over_weight, fresh),
		cmocka_unit_test_setup(T3_short_stretches_of_a_heavy_task_count_too, fresh),
		cmocka_unit_test_setup(T3_init_vruntime_orders_the_first_run, fresh),
		cmocka_unit_test_setup(T3_new_task_starts_a_slice_after_the_least, fresh),
		cmocka_unit_test_setup(T3_sleeper_neither_starves_nor_is_starved, fresh),
		cmocka_unit_test_setup(T3_woken_task_preempts_if_it_is_far_behind, fresh),
		cmocka_unit_test_setup(T3_woken_task_preempts_a_few_times_in_a_row, fresh),
		cmocka_unit_test_setup(T3_woken_task_waits_when_there_were_too_many, fresh),
		cmocka_unit_test_setup(T3_woken_task_waits_no_longer_than_it_must, fresh),
		cmocka_unit_test_setup(H15_who_wakes_all_the_time_causes_few_switches, fresh),
		cmocka_unit_test_setup(T3_light_task_does_not_preempt, fresh),
		cmocka_unit_test_setup(T2_yield_lets_the_others_run_first, fresh),
		cmocka_unit_test_setup(T6_moved_task_takes_its_place_on_the_other_time_line, fresh),
		cmocka_unit_test_setup(T3_vruntime_may_wrap_around, fresh),
		cmocka_unit_test_setup(T3_very_long_stretch_is_counted, fresh),
		cmocka_unit_test_setup(T3_sum_of_weights_follows_every_change, fresh),
		cmocka_unit_test_setup(T3_nice_out_of_range_is_refused, fresh),
		cmocka_unit_test_setup(H9_a_group_has_its_weight_however_many_tasks_it_has, fresh),
		cmocka_unit_test_setup(H9_tasks_that_sleep_take_nothing_from_their_group, fresh),
		cmocka_unit_test_setup(H9_weights_of_groups_have_bounds, fresh),
		cmocka_unit_test_setup(T6_migration_under_load_loses_nothing, fresh),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
