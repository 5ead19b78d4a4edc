/* core/task/fifo.c: the cooperative class, on a simulated machine of four harts. */
// sources: core/task/sched.c core/task/place.c core/task/fifo.c core/task/task.c core/task/waitq.c core/task/gc.c core/time/time.c core/time/timer.c core/irq/irq.c core/smp/call.c core/smp/alone.c core/smp/power.c
#include <errno.h>

#include <tasks.h>

static bool stop;

static void spins(void *arg)
{
	note(*(const char *)arg);
	while (!stop)
		machine_busy(MS);
	note(*(const char *)arg);
}

static void works_once(void *arg)
{
	note(*(const char *)arg);
	machine_busy(50 * MS);
	note(*(const char *)arg);
}

static void T2_same_program_leaves_the_trace_of_fifo(void **state)
{
	(void)state;
	assert_string_equal(sched_class_name(), "fifo");
	run_t2_program();
	assert_string_equal(trace, T2_TRACE_FIFO);
	assert_string_not_equal(trace, T2_TRACE_RR);
	assert_string_not_equal(trace, T2_TRACE_CFS);
}

static void T2_nobody_is_preempted(void **state)
{
	struct task *a = spawn(spins, "a", BIT(1));
	struct task *b;
	uint64_t ticks;

	(void)state;
	stop = false;
	machine_busy(2 * MS);
	ticks = timer_ticks(1);
	b = spawn(works_once, "b", BIT(1));
	machine_busy(1000 * MS);
	assert_string_equal(trace, "a");
	assert_int_equal(timer_ticks(1), ticks); /* there are no slices */
	stop = true;
	task_join(a);
	task_join(b);
	assert_string_equal(trace, "aabb");
}

static void yields_once(void *arg)
{
	note(*(const char *)arg);
	task_yield();
	note(*(const char *)arg);
}

static void T2_turns_in_the_order_of_arrival(void **state)
{
	struct task *t[3];

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		t[i] = spawn(yields_once, &"abc"[i], BIT(0));
	for (unsigned i = 0; i < 3; i++)
		task_join(t[i]);
	assert_string_equal(trace, "abcabc");
}

static void T6_running_task_leaves_where_it_may_not_stay(void **state)
{
	struct task *t = spawn(spins, "a", BIT(1));

	(void)state;
	stop = false;
	machine_busy(2 * MS);
	task_set_mask(t, BIT(2)); /* the one thing that takes the hart from it */
	machine_busy(MS);
	assert_int_equal(t->hart, 2);
	stop = true;
	task_join(t);
}

static void T2_nice_is_accepted_and_changes_nothing(void **state)
{
	struct task *a, *b;

	(void)state;
	stop = false;
	a = spawn_nice(spins, "a", BIT(1), NICE_MAX);
	machine_busy(MS);
	b = spawn_nice(works_once, "b", BIT(1), NICE_MIN);
	assert_int_equal(task_set_nice(b, NICE_MIN - 1), -EINVAL);
	assert_int_equal(task_set_nice(b, NICE_MAX + 1), -EINVAL);
	assert_int_equal(task_set_nice(a, NICE_MAX - 1), 0);
	machine_busy(100 * MS);
	assert_string_equal(trace, "a");
	stop = true;
	task_join(a);
	task_join(b);
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
		cmocka_unit_test_setup(T2_same_program_leaves_the_trace_of_fifo, tasks_fresh),
		cmocka_unit_test_setup(T2_nobody_is_preempted, tasks_fresh),
		cmocka_unit_test_setup(T2_turns_in_the_order_of_arrival, tasks_fresh),
		cmocka_unit_test_setup(T6_running_task_leaves_where_it_may_not_stay, tasks_fresh),
		cmocka_unit_test_setup(T2_nice_is_accepted_and_changes_nothing, tasks_fresh),
		cmocka_unit_test_setup(T6_migration_under_load_loses_nothing, tasks_fresh),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
