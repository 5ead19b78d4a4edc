/* core/smp/reserve.c: harts that belong to somebody, on a simulated machine of four harts (class RR). */
// sources: core/task/sched.c core/task/place.c core/task/rr.c core/task/task.c core/task/waitq.c core/task/gc.c core/time/time.c core/time/timer.c core/irq/irq.c core/smp/call.c core/smp/alone.c core/smp/power.c core/smp/reserve.c
#include <errno.h>

#include <caisson/irq.h>
#include <caisson/smp.h>
#include <tasks.h>

#define HARTS 4

static volatile bool stop;

static void spins(void *arg)
{
	(void)arg;
	while (!stop)
		machine_busy(MS / 10);
}

static void sleeps(void *arg)
{
	(void)arg;
	while (!stop)
		task_sleep_until(time_now() + MS / 2);
}

static int fresh(void **state)
{
	stop = false;
	return tasks_fresh(state);
}

/* Everything that is given is given back. */
static int give_back(void **state)
{
	(void)state;
	for (unsigned h = 0; h < HARTS; h++)
		if (smp_owner(h))
			smp_release(h);
	return 0;
}

static struct task *spawn_owner(void (*entry)(void *), void *arg, uint64_t mask)
{
	struct task *t = task_create("owner", entry, arg, &(struct task_attr){ .hart_mask = mask, .owns_hart = true });

	assert_non_null(t);
	return t;
}

static void join_all(struct task **t, unsigned n)
{
	stop = true;
	for (unsigned i = 0; i < n; i++)
		task_join(t[i]);
}

static void T6_reserved_hart_is_left_by_all_others(void **state)
{
	struct task *t[9];
	uint64_t switches, ticks;

	(void)state;
	for (unsigned i = 0; i < 8; i++)
		t[i] = spawn(spins, NULL, 0);
	machine_busy(2 * MS);
	assert_false(sched_is_idle(2));
	assert_int_equal(smp_reserve(2, "me"), 0);
	assert_string_equal(smp_owner(2), "me");
	assert_true(sched_is_idle(2));
	t[8] = spawn(sleeps, NULL, 0); /* one that comes later */
	machine_busy(MS);
	switches = harts[2].switches;
	ticks = timer_ticks(2);
	machine_busy(20 * MS);
	assert_int_equal(harts[2].switches, switches);
	assert_int_equal(timer_ticks(2), ticks);
	for (unsigned i = 0; i < 9; i++)
		assert_int_not_equal(t[i]->hart, 2);
	join_all(t, 9);
}

static void T6_owner_runs_alone_and_without_a_tick(void **state)
{
	struct task *t[6];
	uint64_t switches, ticks, run_time;
	unsigned ipis;

	(void)state;
	assert_int_equal(smp_reserve(1, "me"), 0);
	for (unsigned i = 0; i < 5; i++)
		t[i] = spawn(i % 2 ? spins : sleeps, NULL, 0);
	t[5] = spawn_owner(spins, NULL, BIT(1));
	machine_busy(MS);
	switches = harts[1].switches;
	ticks = timer_ticks(1);
	ipis = machine_ipis(1);
	run_time = time_now() - t[5]->switched_in_at;
	machine_busy(30 * MS);
	assert_ptr_equal(harts[1].current, t[5]);
	assert_int_equal(harts[1].switches, switches);
	assert_int_equal(timer_ticks(1), ticks);
	assert_int_equal(machine_ipis(1), ipis);
	assert_true(time_now() - t[5]->switched_in_at >= run_time + 30 * MS);
	join_all(t, 6);
}

static void T6_who_asks_only_for_a_reserved_hart_has_the_others(void **state)
{
	struct task *before = spawn(spins, NULL, BIT(3)), *after, *both;

	(void)state;
	machine_busy(MS);
	assert_int_equal(before->hart, 3);
	assert_int_equal(smp_reserve(3, "me"), 0);
	assert_int_not_equal(before->hart, 3);
	after = spawn(sleeps, NULL, BIT(3));
	both = spawn(spins, NULL, BIT(3) | BIT(1));
	machine_busy(5 * MS);
	assert_int_not_equal(after->hart, 3);
	assert_int_equal(both->hart, 1);
	task_set_mask(both, BIT(3) | BIT(2));
	machine_busy(5 * MS);
	assert_int_equal(both->hart, 2);
	assert_true(sched_is_idle(3));
	smp_release(3);
	machine_busy(MS);
	assert_int_equal(before->hart, 3); /* what it asked for is not forgotten */
	join_all((struct task *[]){ before, after, both }, 3);
}

static void T6_caller_moves_and_released_hart_is_everybodys(void **state)
{
	struct task *t[8];

	(void)state;
	task_set_mask(task_current(), BIT(1));
	task_set_mask(task_current(), 0);
	assert_int_equal(this_hart()->index, 1);
	assert_int_equal(smp_reserve(1, "me"), 0);
	assert_int_not_equal(this_hart()->index, 1);
	for (unsigned i = 0; i < 8; i++)
		t[i] = spawn(spins, NULL, 0);
	machine_busy(5 * MS);
	assert_true(sched_is_idle(1));
	smp_release(1);
	assert_null(smp_owner(1));
	machine_busy(MS);
	assert_false(sched_is_idle(1));
	join_all(t, 8);
}

static unsigned fired_on;

static void fires(struct timer *t)
{
	(void)t;
	fired_on |= 1u << this_hart()->index;
}

static void arms(void *arg)
{
	timer_arm(arg, time_now() + 20 * MS);
}

static void T6_timers_leave_with_the_tasks(void **state)
{
	struct timer timer;
	uint64_t ticks;

	(void)state;
	fired_on = 0;
	timer_init(&timer, fires);
	task_set_mask(task_current(), BIT(0));
	assert_int_equal(smp_call(2, arms, &timer), 0);
	assert_int_equal(smp_reserve(2, "me"), 0);
	ticks = timer_ticks(2);
	machine_busy(30 * MS);
	assert_int_equal(fired_on, BIT(0));
	assert_int_equal(timer_ticks(2), ticks);
	task_set_mask(task_current(), 0);
}

/* --- refusals --- */

static bool fixed; /* device interrupts cannot leave hart 1 */
static unsigned left;

static bool chip_may_leave(void *dev, unsigned hart)
{
	(void)dev;
	return hart != 1 || !fixed;
}

static void chip_hart_leave(void *dev)
{
	(void)dev;
	left |= 1u << this_hart()->index;
}

static void chip_hart_init(void *dev)
{
	(void)dev;
}

static const struct irqchip chip = {
	.name = "mock", .n_sources = 8, .hart_init = chip_hart_init, .may_leave = chip_may_leave,
	.hart_leave = chip_hart_leave,
};

static void T6_device_interrupts_leave_or_the_hart_is_refused(void **state)
{
	(void)state;
	irqchip_register(&chip, NULL);
	fixed = true;
	assert_int_equal(smp_reserve(1, "me"), -EBUSY);
	assert_null(smp_owner(1));
	fixed = false;
	left = 0;
	assert_int_equal(smp_reserve(1, "me"), 0);
	assert_int_equal(left, BIT(1));
}

static void T6_refused_where_it_cannot_be(void **state)
{
	(void)state;
	assert_int_equal(smp_reserve(HARTS, "me"), -ENODEV);
	assert_int_equal(smp_reserve(~0u, "me"), -ENODEV);
	assert_int_equal(smp_offline(3), 0);
	assert_int_equal(smp_reserve(3, "me"), -ENODEV);
	assert_int_equal(smp_reserve(0, "me"), 0);
	assert_int_equal(smp_reserve(0, "you"), -EALREADY);
	assert_string_equal(smp_owner(0), "me");
	assert_int_equal(smp_offline(0), -EBUSY);
	assert_int_equal(smp_reserve(1, "you"), 0);
	assert_int_equal(smp_reserve(2, "they"), -EBUSY);
	assert_int_equal(smp_offline(2), -EBUSY); /* nobody else's is left */
	assert_int_equal(smp_online(3), 0);
	assert_int_equal(smp_offline(2), 0);
	assert_int_equal(this_hart()->index, 3);
	assert_int_equal(smp_online(2), 0);
}

static void keeps_the_hart(void *arg)
{
	irq_disable();
	while (!*(volatile bool *)arg)
		cpu_relax();
	irq_enable();
}

static void T6_hart_that_does_not_leave_its_task_is_not_reserved(void **state)
{
	bool over = false;
	struct task *t = spawn(keeps_the_hart, &over, BIT(2));

	(void)state;
	task_set_mask(task_current(), BIT(0));
	machine_busy(3 * MACHINE_STEP);
	assert_int_equal(smp_reserve(2, "me"), -ETIMEDOUT);
	assert_null(smp_owner(2));
	over = true;
	task_join(t);
	assert_int_equal(smp_reserve(2, "me"), 0);
	task_set_mask(task_current(), 0);
}

static void runs_on(void *arg)
{
	*(unsigned *)arg |= 1u << this_hart()->index;
}

static void call_on_some_harts(void **state)
{
	unsigned seen = 0;

	(void)state;
	smp_call_mask(BIT(0) | BIT(3) | BIT(40), runs_on, &seen);
	assert_int_equal(seen, BIT(0) | BIT(3));
	smp_call_mask(0, runs_on, &seen);
	assert_int_equal(seen, BIT(0) | BIT(3));
	smp_call_all(runs_on, &seen);
	assert_int_equal(seen, BIT(0) | BIT(1) | BIT(2) | BIT(3));
}

static int start(void **state)
{
	(void)state;
	machine_start(HARTS);
	return 0;
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, fresh, give_back)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(T6_reserved_hart_is_left_by_all_others),
		CASE(T6_owner_runs_alone_and_without_a_tick),
		CASE(T6_who_asks_only_for_a_reserved_hart_has_the_others),
		CASE(T6_caller_moves_and_released_hart_is_everybodys),
		CASE(T6_timers_leave_with_the_tasks),
		CASE(T6_refused_where_it_cannot_be),
		CASE(T6_hart_that_does_not_leave_its_task_is_not_reserved),
		CASE(call_on_some_harts),
		CASE(T6_device_interrupts_leave_or_the_hart_is_refused),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
