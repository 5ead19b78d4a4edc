/* core/smp: harts that go and come, on a simulated machine of four harts. */
// sources: core/task/sched.c core/task/place.c core/task/rr.c core/task/task.c core/task/waitq.c core/task/gc.c core/time/time.c core/time/timer.c core/irq/irq.c core/smp/call.c core/smp/alone.c core/smp/power.c core/smp/reserve.c
#include <errno.h>

#include <arch/hart.h>
#include <arch/sbi.h>
#include <caisson/irq.h>
#include <caisson/smp.h>
#include <caisson/task.h>
#include <caisson/time.h>
#include <four_harts.h>
#include <machine.h>
#include <test.h>

#define SECOND 10000000

static int hook_error;
static unsigned hook_ups[HARTS], hook_downs[HARTS];

static unsigned online(void)
{
	unsigned n = 0;

	for (unsigned h = 0; h < HARTS; h++)
		n += harts[h].online;
	return n;
}

static int fresh(void **state)
{
	(void)state;
	hook_error = 0;
	four_harts_again();
	memset(hook_ups, 0, sizeof(hook_ups));
	memset(hook_downs, 0, sizeof(hook_downs));
	return 0;
}

/* --- going and coming --- */

static void B8_hart_goes_and_comes_back(void **state)
{
	unsigned sum = 0;

	(void)state;
	for (unsigned h = 1; h < HARTS; h++) {
		assert_int_equal(smp_offline(h), 0);
		assert_false(harts[h].online);
		assert_true(arch_hart_stopped(&harts[h]));
		assert_int_equal(smp_offline(h), -EALREADY);
	}
	for (unsigned h = 1; h < HARTS; h++) {
		assert_int_equal(smp_online(h), 0);
		assert_int_equal(smp_online(h), -EALREADY);
		assert_int_equal(smp_call(h, where, &sum), 0);
	}
	assert_int_equal(sum, 2 + 3 + 4);
	assert_int_equal(smp_offline(HARTS), -EINVAL);
	assert_int_equal(smp_online(HARTS), -EINVAL);
}

static void B8_boot_hart_may_go_the_last_may_not(void **state)
{
	(void)state;
	for (unsigned h = 0; h < HARTS - 1; h++)
		assert_int_equal(smp_offline(h), 0); /* the caller moves on before each */
	assert_int_equal(this_hart()->index, 3);
	assert_int_equal(smp_offline(3), -EBUSY);
	assert_int_equal(online(), 1);
}

/* The call is on its way to hart 2 when a hart starts whose id the firmware takes for that one's place. */
static void B8_ipi_that_the_firmware_would_lose_arrives(void **state)
{
	static const uint64_t with_gaps[HARTS] = { 6, 2, 4, 7 };
	struct smp_call c = { .fn = note, .arg = "x" };

	(void)state;
	assert_int_equal(smp_offline(1), 0);
	for (unsigned h = 0; h < HARTS; h++)
		harts[h].hwid = with_gaps[h];
	machine_confuses_harts = true;
	assert_int_equal(smp_call_async(2, &c), 0);
	assert_int_equal(smp_online(1), 0);
	machine_busy(5 * MACHINE_STEP);
	assert_true(c.done);
	machine_confuses_harts = false;
	for (unsigned h = 0; h < HARTS; h++)
		harts[h].hwid = h;
}

static bool released;

/* As a vCPU that fences another one (vmm/vcpu/fence.c). */
static void waits_with_interrupts_off(void *arg)
{
	unsigned *turns = arg;

	irq_disable();
	while (!released) {
		assert_true(++*turns < 1000);
		smp_serve_calls();
		cpu_relax();
	}
	irq_enable();
}

static void releases(void *arg)
{
	unsigned *turns = arg;

	while (*turns < 10)
		machine_busy(MACHINE_STEP);
	released = true;
}

/* The one that it waits for stands still with its interrupts off until all harts do. */
static void B8_hart_that_waits_for_another_runs_calls_meanwhile(void **state)
{
	struct task *t[2];
	unsigned turns = 0;

	(void)state;
	assert_int_equal(smp_offline(3), 0);
	harts[3].hwid = 7; /* a gap: all others wait while it starts */
	released = false;
	t[0] = spawn(releases, &turns, BIT(1));
	t[1] = spawn(waits_with_interrupts_off, &turns, BIT(2));
	while (!turns)
		machine_busy(MACHINE_STEP);
	assert_int_equal(smp_online(3), 0);
	for (unsigned i = 0; i < 2; i++)
		task_join(t[i]);
	harts[3].hwid = 3;
}

static bool stop_tasks;

static void work(void *arg)
{
	while (!stop_tasks) {
		machine_busy(3 * MACHINE_STEP);
		++*(unsigned *)arg;
	}
}

static void B8_tasks_of_a_leaving_hart_go_on_elsewhere(void **state)
{
	unsigned done[6] = { 0 };
	struct task *t[6];

	(void)state;
	stop_tasks = false;
	for (unsigned i = 0; i < 6; i++)
		t[i] = spawn(work, &done[i], i % 2 ? BIT(2) : 0); /* three may run on hart 2 only */
	machine_busy(10 * MACHINE_STEP);
	assert_int_equal(smp_offline(2), 0);
	for (unsigned i = 0; i < 6; i++)
		assert_int_not_equal(t[i]->hart, 2);
	memset(done, 0, sizeof(done));
	task_sleep_until(time_now() + SECOND / 2);
	for (unsigned i = 0; i < 6; i++)
		assert_true(done[i] > 0);
	assert_int_equal(smp_online(2), 0);
	task_sleep_until(time_now() + SECOND / 10);
	for (unsigned i = 1; i < 6; i += 2)
		assert_int_equal(t[i]->hart, 2); /* theirs is back, and so are they */
	stop_tasks = true;
	for (unsigned i = 0; i < 6; i++)
		task_join(t[i]);
}

static unsigned fired, fired_on;

/* Also one that has a hart to itself meanwhile; there they share it. */
static void B8_tasks_of_a_hart_that_is_back_go_home(void **state)
{
	unsigned done[2] = { 0 }, before[2];
	struct task *t[2];

	(void)state;
	stop_tasks = false;
	for (unsigned i = 0; i < 2; i++)
		t[i] = spawn(work, &done[i], BIT(1));
	machine_busy(20 * MACHINE_STEP);
	assert_int_equal(smp_offline(1), 0);
	assert_int_equal(smp_online(1), 0);
	machine_busy(SECOND / 10);
	memcpy(before, done, sizeof(before));
	machine_busy(SECOND / 10);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(t[i]->hart, 1);
		assert_true(done[i] > before[i] + 10);
	}
	stop_tasks = true;
	for (unsigned i = 0; i < 2; i++)
		task_join(t[i]);
}

static void fires(struct timer *t)
{
	(void)t;
	fired++;
	fired_on = this_hart()->index;
}

static struct timer timers[3];

static void arm_timers(void *arg)
{
	(void)arg;
	for (unsigned i = 0; i < 3; i++)
		timer_arm(&timers[i], time_now() + SECOND + i);
}

static void B8_timers_of_a_leaving_hart_move(void **state)
{
	(void)state;
	fired = 0;
	for (unsigned i = 0; i < 3; i++)
		timer_init(&timers[i], fires);
	assert_int_equal(smp_call(1, arm_timers, NULL), 0);
	assert_int_equal(timers[0].hart, 1);
	task_set_mask(task_current(), BIT(3));
	assert_int_equal(smp_offline(1), 0);
	assert_int_equal(timers[2].hart, 3);
	timer_cancel_sync(&timers[1]); /* its owner finds it */
	task_sleep_until(time_now() + SECOND / 2);
	assert_int_equal(fired, 0);
	task_sleep_until(time_now() + SECOND);
	assert_int_equal(fired, 2);
	assert_int_equal(fired_on, 3);
	assert_int_equal(smp_online(1), 0);
}

static void slow(void *arg)
{
	machine_busy(20 * MACHINE_STEP);
	++*(unsigned *)arg;
}

static void B8_calls_that_a_hart_took_are_run_before_it_stops(void **state)
{
	unsigned done = 0;
	struct smp_call c[4];

	(void)state;
	task_set_mask(task_current(), BIT(0));
	for (unsigned i = 0; i < 4; i++) {
		c[i] = (struct smp_call){ .fn = slow, .arg = &done };
		assert_int_equal(smp_call_async(2, &c[i]), 0);
	}
	assert_int_equal(smp_offline(2), 0);
	assert_int_equal(done, 4);
	assert_true(c[3].done);
}

static void keeps_the_hart(void *arg)
{
	irq_disable();
	while (!*(volatile bool *)arg)
		cpu_relax();
	irq_enable();
}

static void B8_hart_that_does_not_leave_its_task_stays(void **state)
{
	bool over = false;
	struct task *t = spawn(keeps_the_hart, &over, BIT(2));
	uint64_t start;
	unsigned sum = 0;

	(void)state;
	task_set_mask(task_current(), BIT(0));
	machine_busy(3 * MACHINE_STEP);
	start = time_now();
	assert_int_equal(smp_offline(2), -ETIMEDOUT);
	assert_in_range(time_now() - start, SECOND, SECOND + SECOND / 10);
	assert_true(harts[2].online);
	over = true;
	task_join(t);
	assert_int_equal(smp_call(2, where, &sum), 0);
}

static void B8_firmware_that_does_not_stop_a_hart(void **state)
{
	unsigned sum = 0;

	(void)state;
	machine_stop_error[2] = SBI_ERR_FAILED;
	assert_int_equal(smp_offline(2), -ENODEV);
	machine_busy(3 * MACHINE_STEP);
	assert_true(harts[2].online);
	assert_int_equal(smp_call(2, where, &sum), 0);
	machine_stop_error[2] = 0;
	assert_int_equal(smp_offline(2), 0);
}

static void B8_hart_that_does_not_start_hangs_nobody(void **state)
{
	uint64_t start;

	(void)state;
	assert_int_equal(smp_offline(1), 0);
	machine_start_error[1] = SBI_ERR_FAILED;
	assert_int_equal(smp_online(1), -ENODEV);
	machine_start_error[1] = SBI_ERR_ALREADY_AVAILABLE; /* it runs, but not for us */
	start = time_now();
	assert_int_equal(smp_online(1), -ETIMEDOUT);
	assert_in_range(time_now() - start, SECOND, SECOND + SECOND / 10);
	machine_start_error[1] = 0;
	machine_silent[1] = true;
	assert_int_equal(smp_online(1), -ETIMEDOUT);
	assert_false(harts[1].online);
	machine_silent[1] = false;
	assert_int_equal(smp_online(1), 0);
}

static void B8_start_of_a_running_hart_is_taken_as_it_is(void **state)
{
	(void)state;
	machine_start_error[1] = SBI_ERR_ALREADY_AVAILABLE;
	machine_start_error[2] = SBI_ERR_FAILED;
	machine_start_error[3] = SBI_ERR_ALREADY_AVAILABLE;
	smp_start_secondaries();
	assert_int_equal(online(), HARTS);
}

static int hook_up(void)
{
	assert_false(irq_enabled());
	hook_ups[this_hart()->index]++;
	return hook_error;
}

static void hook_down(void)
{
	assert_false(irq_enabled());
	hook_downs[this_hart()->index]++;
}

static void B8_components_are_asked_on_each_hart_that_comes_or_goes(void **state)
{
	(void)state;
	assert_int_equal(smp_offline(2), 0);
	assert_int_equal(hook_downs[2], 1);
	assert_int_equal(hook_ups[2], 0);
	hook_error = -ENODEV;
	assert_int_equal(smp_online(2), -ENODEV);
	assert_false(harts[2].online);
	assert_true(arch_hart_stopped(&harts[2]));
	hook_error = 0;
	assert_int_equal(smp_online(2), 0);
	assert_int_equal(hook_ups[2], 2);
	assert_int_equal(hook_ups[1] + hook_ups[3] + hook_downs[1] + hook_downs[3], 0);
}

/* --- the controller has a say --- */

static bool refuse;
static unsigned left;

static bool chip_may_leave(void *dev, unsigned hart)
{
	(void)dev;
	return hart != 1 || !refuse;
}

static void chip_hart_leave(void *dev)
{
	(void)dev;
	left |= 1u << this_hart()->index;
}

static void chip_hart_init(void *dev)
{
	(void)dev;
	left &= ~(1u << this_hart()->index);
}

static const struct irqchip chip = {
	.name = "mock", .n_sources = 8, .hart_init = chip_hart_init, .may_leave = chip_may_leave,
	.hart_leave = chip_hart_leave,
};

static void B8_interrupts_of_a_leaving_hart_are_handed_on(void **state)
{
	(void)state;
	irqchip_register(&chip, NULL);
	refuse = true;
	assert_int_equal(smp_offline(1), -EBUSY);
	refuse = false;
	assert_int_equal(smp_offline(1), 0);
	assert_int_equal(left, BIT(1));
	assert_int_equal(smp_online(1), 0);
	assert_int_equal(left, 0);
}

/* --- everything at once --- */

static void calls_around(void *arg)
{
	unsigned sum = 0;

	while (!stop_tasks) {
		for (unsigned h = 0; h < HARTS; h++) {
			int error = smp_call(h, where, &sum);

			assert_true(error == 0 || error == -ENODEV);
			*(unsigned *)arg += error == 0;
		}
		task_sleep_until(time_now() + 2 * MACHINE_STEP);
	}
}

static void goes_and_comes(void *arg)
{
	unsigned hart = (unsigned)(uintptr_t)arg;

	for (unsigned i = 0; i < 20; i++) {
		assert_int_equal(smp_offline(hart), 0);
		assert_int_equal(smp_online(hart), 0);
	}
}

static void B8_changes_under_load_lose_nothing(void **state)
{
	unsigned done[4] = { 0 }, calls[2] = { 0 };
	struct task *workers[6], *changers[HARTS - 1];

	(void)state;
	stop_tasks = false;
	for (unsigned i = 0; i < 4; i++)
		workers[i] = spawn(work, &done[i], 0);
	for (unsigned i = 0; i < 2; i++)
		workers[4 + i] = spawn(calls_around, &calls[i], 0);
	for (unsigned h = 1; h < HARTS; h++) /* at the same time: one change after the other */
		changers[h - 1] = spawn(goes_and_comes, (void *)(uintptr_t)h, 0);
	for (unsigned h = 1; h < HARTS; h++)
		task_join(changers[h - 1]);
	stop_tasks = true;
	for (unsigned i = 0; i < 6; i++)
		task_join(workers[i]);
	assert_int_equal(online(), HARTS);
	assert_true(done[0] && done[1] && done[2] && done[3] && calls[0] && calls[1]);
	for (unsigned h = 1; h < HARTS; h++)
		assert_int_equal(hook_downs[h], 20);
}

static struct hart_hook hook = { .online = hook_up, .offline = hook_down };

static int start(void **state)
{
	(void)state;
	machine_start(HARTS);
	smp_add_hook(&hook);
	return 0;
}

#define T(name) cmocka_unit_test_setup(name, fresh)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(B8_hart_goes_and_comes_back),
		T(B8_boot_hart_may_go_the_last_may_not),
		T(B8_ipi_that_the_firmware_would_lose_arrives),
		T(B8_hart_that_waits_for_another_runs_calls_meanwhile),
		T(B8_tasks_of_a_leaving_hart_go_on_elsewhere),
		T(B8_tasks_of_a_hart_that_is_back_go_home),
		T(B8_timers_of_a_leaving_hart_move),
		T(B8_calls_that_a_hart_took_are_run_before_it_stops),
		T(B8_hart_that_does_not_leave_its_task_stays),
		T(B8_firmware_that_does_not_stop_a_hart),
		T(B8_hart_that_does_not_start_hangs_nobody),
		T(B8_start_of_a_running_hart_is_taken_as_it_is),
		T(B8_components_are_asked_on_each_hart_that_comes_or_goes),
		T(B8_interrupts_of_a_leaving_hart_are_handed_on),
		T(B8_changes_under_load_lose_nothing),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
