/* What waits for a process: one of each, real-time signals in order and not without end. */
// sources: process/signal_queue.c
#include <errno.h>

#include <caisson/mm.h>
#include <test.h>

#include "process/signal.h"

enum { SIGUSR1 = 10, SIGRT = 34, MANY = 100000 };

static struct signal_queue queue;

static int setup(void **state)
{
	(void)state;
	queue = (struct signal_queue){ .pending = 0 };
	signal_queue_init(&queue);
	return 0;
}

static int put(unsigned signal, uint64_t value)
{
	return signal_queue_put(&queue, signal, &(struct signal_info){ .value = value });
}

/* @return value of what is taken, with the signal's number in *signal */
static uint64_t take(uint64_t set, unsigned *signal)
{
	struct signal_info info = { .value = 0 };

	*signal = signal_queue_take(&queue, set, &info);
	return info.value;
}

static void of_a_signal_one_waits_and_it_is_the_first(void **state)
{
	unsigned signal;

	(void)state;
	assert_int_equal(put(SIGUSR1, 1), 0);
	assert_int_equal(put(SIGUSR1, 2), 0);
	assert_int_equal(take(UINT64_MAX, &signal), 1);
	assert_int_equal(signal, SIGUSR1);
	take(UINT64_MAX, &signal);
	assert_int_equal(signal, 0);
}

static void real_time_signals_come_in_order(void **state)
{
	unsigned signal;

	(void)state;
	for (uint64_t i = 1; i <= 3; i++) {
		assert_int_equal(put(SIGRT + 1, 10 + i), 0);
		assert_int_equal(put(SIGRT, i), 0);
	}
	for (uint64_t i = 1; i <= 3; i++) {
		assert_int_equal(take(UINT64_MAX, &signal), i);
		assert_int_equal(signal, SIGRT);
	}
	assert_int_equal(queue.pending, SIG_BIT(SIGRT + 1));
	for (uint64_t i = 1; i <= 3; i++)
		assert_int_equal(take(UINT64_MAX, &signal), 10 + i);
	assert_int_equal(queue.pending, 0);
}

static void the_lowest_goes_first_but_none_before_a_kill(void **state)
{
	unsigned signal;

	(void)state;
	put(SIGTERM, 0);
	put(SIGHUP, 0);
	put(SIGKILL, 0);
	take(~SIG_BIT(SIGKILL), &signal);
	assert_int_equal(signal, SIGHUP);
	put(SIGHUP, 0);
	take(UINT64_MAX, &signal);
	assert_int_equal(signal, SIGKILL);
	take(SIG_BIT(SIGTERM), &signal);
	assert_int_equal(signal, SIGTERM);
	assert_int_equal(queue.pending, SIG_BIT(SIGHUP));
}

static void there_is_an_end_to_it(void **state)
{
	unsigned n = 0;

	(void)state;
	while (n < MANY && put(SIGRT, n) == 0)
		n++;
	assert_in_range(n, 32, MANY - 1);
	assert_int_equal(put(SIGRT + 1, 0), 0); /* one of each always has room */
	assert_int_equal(put(SIGRT + 1, 0), -EAGAIN);
	signal_queue_drop(&queue, SIG_BIT(SIGRT));
	assert_int_equal(queue.pending, SIG_BIT(SIGRT + 1));
	assert_int_equal(put(SIGRT + 1, 0), 0);
	signal_queue_drop(&queue, UINT64_MAX);
	assert_true(list_empty(&queue.more) && queue.n_more == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(of_a_signal_one_waits_and_it_is_the_first, setup),
		cmocka_unit_test_setup(real_time_signals_come_in_order, setup),
		cmocka_unit_test_setup(the_lowest_goes_first_but_none_before_a_kill, setup),
		cmocka_unit_test_setup(there_is_an_end_to_it, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
