/* core/smp: IPIs and calls between harts, on a simulated machine of four harts. */
// sources: core/task/sched.c core/task/place.c core/task/rr.c core/task/task.c core/task/waitq.c core/task/gc.c core/time/time.c core/time/timer.c core/irq/irq.c core/smp/call.c core/smp/alone.c core/smp/power.c core/smp/reserve.c
#include <errno.h>

#include <four_harts.h>

static void B8_idle_hart_runs_a_function_and_idles_again(void **state)
{
	unsigned sum = 0;

	(void)state;
	for (unsigned h = 0; h < HARTS; h++)
		assert_int_equal(smp_call(h, where, &sum), 0);
	assert_int_equal(sum, 1 + 2 + 3 + 4);
	smp_call_all(where, &sum);
	assert_int_equal(sum, 20);
	machine_busy(3 * MACHINE_STEP);
	for (unsigned h = 1; h < HARTS; h++)
		assert_string_equal(harts[h].current->name, "idle");
}

static void calls_run_in_the_order_of_queueing_on(unsigned hart)
{
	struct smp_call c[3] = { { .fn = note, .arg = "a" }, { .fn = note, .arg = "b" }, { .fn = note, .arg = "c" } };

	order[0] = 0;
	irq_disable();
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(smp_call_async(hart, &c[i]), 0);
	assert_string_equal(order, ""); /* also not here before interrupts are on */
	irq_enable();
	smp_call_wait(&c[2]);
	assert_true(c[0].done && c[1].done);
	assert_string_equal(order, "abc");
}

static void B8_queued_calls_run_in_order(void **state)
{
	(void)state;
	calls_run_in_the_order_of_queueing_on(1);
	calls_run_in_the_order_of_queueing_on(this_hart()->index);
}

static void B8_call_to_an_absent_hart_is_refused(void **state)
{
	struct smp_call c = { .fn = note, .arg = "x" };
	unsigned sum = 0;

	(void)state;
	assert_int_equal(smp_call(HARTS, where, &sum), -ENODEV);
	assert_int_equal(smp_offline(3), 0);
	assert_int_equal(smp_call(3, where, &sum), -ENODEV);
	assert_int_equal(smp_call_async(3, &c), -ENODEV);
	smp_call_all(where, &sum);
	assert_int_equal(sum, 1 + 2 + 3);
}

static void calls_back(void *arg)
{
	for (unsigned i = 0; i < 50; i++)
		assert_int_equal(smp_call(0, where, arg), 0);
}

static void B8_harts_that_call_each_other_both_get_on(void **state)
{
	unsigned sum = 0, theirs = 0;
	struct task *t = spawn(calls_back, &theirs, BIT(1));

	(void)state;
	for (unsigned i = 0; i < 50; i++)
		assert_int_equal(smp_call(1, where, &sum), 0);
	task_join(t);
	assert_int_equal(sum, 100);
	assert_int_equal(theirs, 50);
}

static void B8_reasons_of_one_interrupt_are_all_served(void **state)
{
	unsigned ipis = machine_ipis(2);

	(void)state;
	ipi_send(2, IPI_KICK);
	ipi_send(2, IPI_RESCHED); /* the interrupt is on its way already */
	assert_int_equal(machine_ipis(2), ipis + 1);
	machine_busy(2 * MACHINE_STEP);
	assert_int_equal(harts[2].ipi_pending, 0);
	ipi_send(2, IPI_KICK);
	assert_int_equal(machine_ipis(2), ipis + 2);
}

static void B8_ipis_to_several_harts_are_one_call(void **state)
{
	unsigned before[] = { machine_ipis(0), machine_ipis(1), machine_ipis(2), machine_ipis(3) };
	unsigned calls = machine_ipi_calls;
	uint64_t sent = ipi_counts(0).sent, had = ipi_counts(3).had;

	(void)state;
	ipi_send_mask(BIT(1) | BIT(2) | BIT(3), IPI_KICK);
	assert_int_equal(machine_ipi_calls, calls + 1);
	for (unsigned h = 1; h <= 3; h++)
		assert_int_equal(machine_ipis(h), before[h] + 1);
	ipi_send_mask(BIT(1) | BIT(3), IPI_RESCHED); /* on their way */
	assert_int_equal(machine_ipi_calls, calls + 1);
	machine_busy(2 * MACHINE_STEP);
	assert_int_equal(ipi_counts(0).sent, sent + 3);
	assert_int_equal(ipi_counts(3).had, had + 1);
	ipi_send_mask(0, IPI_KICK);
	assert_int_equal(machine_ipi_calls, calls + 1);
	/* Ids that no one mask can name. */
	harts[3].hwid += 1000;
	ipi_send_mask(BIT(1) | BIT(2) | BIT(3), IPI_KICK);
	assert_int_equal(machine_ipi_calls, calls + 3);
	for (unsigned h = 1; h <= 3; h++)
		assert_int_equal(machine_ipis(h), before[h] + 2);
	machine_busy(2 * MACHINE_STEP);
	harts[3].hwid -= 1000;
	assert_int_equal(machine_ipis(0), before[0]);
}

static int fresh(void **state)
{
	(void)state;
	four_harts_again();
	return 0;
}

static int start(void **state)
{
	(void)state;
	machine_start(HARTS);
	return 0;
}

#define T(name) cmocka_unit_test_setup(name, fresh)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(B8_idle_hart_runs_a_function_and_idles_again),
		T(B8_queued_calls_run_in_order),
		T(B8_call_to_an_absent_hart_is_refused),
		T(B8_harts_that_call_each_other_both_get_on),
		T(B8_reasons_of_one_interrupt_are_all_served),
		T(B8_ipis_to_several_harts_are_one_call),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
