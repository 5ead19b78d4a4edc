/* core/task/place.c: harts that idle take waiting tasks, on a simulated machine of four harts (class RR). */
// sources: core/task/sched.c core/task/place.c core/task/rr.c core/task/task.c core/task/waitq.c core/task/gc.c core/time/time.c core/time/timer.c core/irq/irq.c core/smp/call.c core/smp/alone.c core/smp/power.c
#include <caisson/smp.h>
#include <tasks.h>

static bool stop;
static uint64_t stop_at;

static void spins(void *arg)
{
	(void)arg;
	while (!stop)
		machine_busy(MS / 10);
}

static void spins_until(void *arg)
{
	(void)arg;
	while (time_now() < stop_at)
		machine_busy(MS / 10);
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

static void T4_hart_that_becomes_idle_takes_a_waiting_task(void **state)
{
	struct task *t[4], *shorter;

	(void)state;
	stop_at = time_now() + 20 * MS;
	shorter = spawn(spins_until, NULL, BIT(2));
	machine_busy(MS);
	for (unsigned i = 0; i < 4; i++)
		t[i] = spawn(spins, NULL, BIT(1) | BIT(2)); /* two wait here and two there, or so */
	machine_busy(10 * MS);
	assert_int_equal(shorter->state == TASK_EXITED, 0);
	for (unsigned i = 0; i < 4; i++)
		task_set_mask(t[i], BIT(1));
	for (unsigned i = 0; i < 2; i++)
		task_set_mask(t[i], BIT(1) | BIT(2));
	assert_int_equal(t[0]->hart, 1);
	task_join(shorter);
	machine_busy(MS); /* less than a slice */
	assert_true(t[0]->hart == 2 || t[1]->hart == 2);
	assert_string_not_equal(harts[2].current->name, "idle");
	join_all(t, 4);
}

static void T4_idle_hart_takes_from_the_longest_queue(void **state)
{
	struct task *few[2], *many[4], *shorter;

	(void)state;
	stop_at = time_now() + 5 * MS;
	shorter = spawn(spins_until, NULL, BIT(3));
	machine_busy(MS);
	for (unsigned i = 0; i < 2; i++)
		few[i] = spawn(spins, NULL, BIT(1));
	for (unsigned i = 0; i < 4; i++)
		many[i] = spawn(spins, NULL, BIT(2));
	machine_busy(MS);
	for (unsigned i = 0; i < 2; i++)
		few[i]->hart_mask |= BIT(3); /* not task_set_mask, which would tell hart 3 */
	for (unsigned i = 0; i < 4; i++)
		many[i]->hart_mask |= BIT(3);
	task_join(shorter);
	machine_busy(MS);
	assert_ptr_not_equal(harts[3].current, few[0]);
	assert_ptr_not_equal(harts[3].current, few[1]);
	assert_string_equal(harts[3].current->name, "test");
	stop = true;
	join_all(few, 2);
	join_all(many, 4);
}

static void T4_idle_hart_takes_nobody_who_may_not_run_there(void **state)
{
	struct task *t[3];

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		t[i] = spawn(spins, NULL, BIT(1));
	for (unsigned i = 0; i < 100; i++) {
		machine_busy(MS);
		assert_string_equal(harts[2].current->name, "idle");
		for (unsigned k = 0; k < 3; k++)
			assert_int_equal(t[k]->hart, 1);
	}
	join_all(t, 3);
}

static void T4_preempted_task_is_offered_to_an_idle_hart(void **state)
{
	struct task *t[2];

	(void)state;
	t[0] = spawn(spins, NULL, BIT(1) | BIT(2));
	machine_busy(MS);
	assert_int_equal(t[0]->hart, 1);
	t[1] = spawn(spins, NULL, BIT(1)); /* waits for t[0]'s slice to end; hart 2 idles and may not take it */
	machine_busy(MS);
	assert_string_equal(harts[2].current->name, "idle");
	machine_busy(10 * MS);
	assert_ptr_equal(harts[1].current, t[1]);
	assert_ptr_equal(harts[2].current, t[0]);
	join_all(t, 2);
}

static void T6_wider_mask_is_used_at_once(void **state)
{
	struct task *t[2];

	(void)state;
	t[0] = spawn(spins, NULL, BIT(1));
	machine_busy(MS);
	t[1] = spawn(spins, NULL, BIT(1));
	machine_busy(MS);
	assert_ptr_equal(harts[1].current, t[0]);
	task_set_mask(t[1], BIT(1) | BIT(3));
	machine_busy(MS);
	assert_ptr_equal(harts[3].current, t[1]);
	join_all(t, 2);
}

static struct waitq gate = WAITQ_INIT(gate);

static bool is_stopped(void *arg)
{
	(void)arg;
	return stop;
}

static void waits_for_wake_up(void *arg)
{
	(void)arg;
	waitq_wait(&gate, is_stopped, NULL, UINT64_MAX);
	note((char)('0' + this_hart()->index));
}

/* Hart 2 becomes idle when hart 3 has been told of a task and has not had its turn yet. */
static void T4_task_on_its_way_to_an_idle_hart_is_left_alone(void **state)
{
	struct task *t[2];

	(void)state;
	t[0] = spawn(spins, NULL, BIT(2));
	t[1] = spawn(waits_for_wake_up, NULL, BIT(3));
	machine_busy(MS);
	task_set_mask(t[1], BIT(2) | BIT(3));
	stop = true;
	assert_true(task_wake(t[1]));
	assert_int_equal(t[1]->hart, 3);
	join_all(t, 2);
	assert_string_equal(trace, "3");
}

/* Work for all: 16 tasks of 20 ms on four harts take a quarter of the time of one. */
static void works(void *arg)
{
	(void)arg;
	machine_busy(20 * MS);
}

static void T6_no_hart_idles_while_tasks_wait(void **state)
{
	uint64_t start;
	struct task *t[16];

	(void)state;
	task_set_mask(task_current(), 0);
	start = time_now();
	for (unsigned i = 0; i < 16; i++)
		t[i] = spawn(works, NULL, BIT(1)); /* all are queued on one hart */
	for (unsigned i = 0; i < 16; i++)
		task_set_mask(t[i], 0);
	for (unsigned i = 0; i < 16; i++)
		task_join(t[i]);
	assert_in_range(time_now() - start, 80 * MS, 90 * MS);
}

static void B8_tasks_of_a_hart_that_left_come_back_by_pulling(void **state)
{
	struct task *t[6];
	unsigned here = 0;

	(void)state;
	assert_int_equal(smp_offline(1), 0);
	for (unsigned i = 0; i < 6; i++)
		t[i] = spawn(spins, NULL, i % 2 ? BIT(1) | BIT(2) : BIT(2));
	machine_busy(5 * MS);
	assert_int_equal(smp_online(1), 0);
	machine_busy(MS);
	for (unsigned i = 0; i < 6; i++)
		here += t[i]->hart == 1;
	assert_int_equal(here, 1);
	assert_string_equal(harts[1].current->name, "test");
	join_all(t, 6);
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
		cmocka_unit_test_setup(T4_hart_that_becomes_idle_takes_a_waiting_task, fresh),
		cmocka_unit_test_setup(T4_idle_hart_takes_from_the_longest_queue, fresh),
		cmocka_unit_test_setup(T4_idle_hart_takes_nobody_who_may_not_run_there, fresh),
		cmocka_unit_test_setup(T4_preempted_task_is_offered_to_an_idle_hart, fresh),
		cmocka_unit_test_setup(T6_wider_mask_is_used_at_once, fresh),
		cmocka_unit_test_setup(T4_task_on_its_way_to_an_idle_hart_is_left_alone, fresh),
		cmocka_unit_test_setup(T6_no_hart_idles_while_tasks_wait, fresh),
		cmocka_unit_test_setup(B8_tasks_of_a_hart_that_left_come_back_by_pulling, fresh),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
