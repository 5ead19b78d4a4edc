/* core/task: wait queues, on a simulated machine of two harts. */
// sources: core/task/sched.c core/task/place.c core/task/rr.c core/task/task.c core/task/waitq.c core/task/gc.c core/time/time.c core/time/timer.c core/irq/irq.c core/smp/call.c core/smp/alone.c core/smp/power.c
#include <errno.h>

#include <caisson/task.h>
#include <caisson/time.h>
#include <machine.h>
#include <test.h>

#define WAITERS 3

static struct waitq queue = WAITQ_INIT(queue);
static bool open_for[WAITERS];
static uint64_t deadline;
static char trace[64];
static struct task *waiters[WAITERS];
static unsigned tests_of[WAITERS];

static void note(const char *text)
{
	strncat(trace, text, sizeof(trace) - 1 - strlen(trace));
}

static bool is_open(void *arg)
{
	unsigned n = (unsigned)(uintptr_t)arg;

	assert_false(irq_enabled());
	assert_true(spin_is_locked(&queue.lock));
	tests_of[n]++;
	return open_for[n];
}

static void waiter(void *arg)
{
	unsigned n = (unsigned)(uintptr_t)arg;
	char text[2] = { (char)('a' + n), 0 };
	int error;

	error = waitq_wait(&queue, is_open, arg, deadline);
	assert_true(irq_enabled());
	assert_true(error == 0 || error == -ETIMEDOUT);
	if (error)
		text[0] = (char)('A' + n);
	note(text);
	task_exit(error);
}

/* Three waiters on hart 1, asleep in the queue in order. */
static void start_waiters(void)
{
	struct task_attr attr = { .hart_mask = BIT(1) };

	for (unsigned i = 0; i < WAITERS; i++) {
		waiters[i] = task_create("waiter", waiter, (void *)(uintptr_t)i, &attr);
		assert_non_null(waiters[i]);
		machine_busy(MACHINE_STEP * 10);
		assert_ptr_equal(waiters[i]->waiting_on, &queue);
		assert_int_equal(tests_of[i], 1);
	}
}

static void open_all(void)
{
	memset(open_for, true, sizeof(open_for));
}

static void join_all(void)
{
	for (unsigned i = 0; i < WAITERS; i++)
		task_join(waiters[i]);
	assert_true(list_empty(&queue.tasks));
}

static int fresh(void **state)
{
	(void)state;
	memset(open_for, false, sizeof(open_for));
	memset(tests_of, 0, sizeof(tests_of));
	deadline = UINT64_MAX;
	trace[0] = 0;
	return 0;
}

static void T4_true_predicate_does_not_sleep(void **state)
{
	uint64_t start = time_now();

	(void)state;
	open_for[0] = true;
	assert_int_equal(waitq_wait(&queue, is_open, NULL, UINT64_MAX), 0);
	assert_int_equal(waitq_wait(&queue, is_open, NULL, 0), 0); /* the deadline comes second */
	assert_int_equal(time_now(), start);
}

static void T4_notify_one_wakes_the_first(void **state)
{
	(void)state;
	start_waiters();
	open_all();
	for (unsigned i = 0; i < WAITERS; i++) {
		assert_int_equal(waitq_notify_one(&queue), 1);
		assert_true(list_empty(&waiters[i]->wq_node)); /* the in-queue mark is cleared */
		machine_busy(MACHINE_STEP * 10);
		assert_int_equal(strlen(trace), i + 1);
	}
	assert_string_equal(trace, "abc");
	assert_int_equal(waitq_notify_one(&queue), 0);
	join_all();
}

static void T4_notify_all_wakes_all(void **state)
{
	(void)state;
	start_waiters();
	open_all();
	assert_int_equal(waitq_notify_all(&queue), WAITERS);
	join_all();
	assert_string_equal(trace, "abc");
	assert_int_equal(waitq_notify_all(&queue), 0);
}

static void T4_notify_task_wakes_that_one(void **state)
{
	struct waitq other = WAITQ_INIT(other);

	(void)state;
	start_waiters();
	open_all();
	assert_false(waitq_notify_task(&other, waiters[1])); /* it waits elsewhere */
	assert_true(waitq_notify_task(&queue, waiters[1]));
	assert_false(waitq_notify_task(&queue, waiters[1]));
	machine_busy(MACHINE_STEP * 10);
	assert_string_equal(trace, "b");
	assert_int_equal(waitq_notify_all(&queue), WAITERS - 1);
	join_all();
	assert_string_equal(trace, "bac");
}

static void T4_false_predicate_sleeps_again(void **state)
{
	(void)state;
	start_waiters();
	open_for[2] = true;
	assert_int_equal(waitq_notify_all(&queue), WAITERS);
	machine_busy(MACHINE_STEP * 10);
	assert_string_equal(trace, "c");
	assert_int_equal(tests_of[0], 2);
	assert_ptr_equal(waiters[0]->waiting_on, &queue);
	open_all();
	waitq_notify_all(&queue);
	join_all();
}

static void T4_wait_ends_at_the_deadline(void **state)
{
	uint64_t start = time_now();

	(void)state;
	assert_int_equal(waitq_wait(&queue, is_open, NULL, start + 12345), -ETIMEDOUT);
	assert_int_equal(time_now(), start + 12345);
	assert_int_equal(waitq_wait(&queue, is_open, NULL, start), -ETIMEDOUT); /* in the past */
	assert_int_equal(time_now(), start + 12345);
	assert_true(list_empty(&queue.tasks));
}

static void T4_timed_out_waiter_uses_up_no_notify(void **state)
{
	(void)state;
	deadline = time_now() + 100 * MACHINE_STEP;
	start_waiters();
	/* All are woken by time-out on hart 1; before they have run, the queue is notified. */
	while (waiters[0]->state == TASK_BLOCKED)
		machine_busy(MACHINE_STEP);
	waitq_notify_one(&queue);
	join_all();
	assert_string_equal(trace, "ABC");
}

static void T4_notified_in_time_is_not_a_timeout(void **state)
{
	uint64_t start = time_now();

	(void)state;
	deadline = start + 1000 * MACHINE_STEP;
	start_waiters();
	open_all();
	waitq_notify_all(&queue);
	join_all();
	assert_string_equal(trace, "abc");
	assert_true(time_now() < deadline);
	/* And the time-out of that wait does not disturb a later one. */
	task_sleep_until(deadline + 10 * MACHINE_STEP);
	assert_int_equal(time_now(), deadline + 10 * MACHINE_STEP);
}

static void T4_other_wake_ups_do_not_end_a_wait(void **state)
{
	(void)state;
	start_waiters();
	assert_true(task_wake(waiters[1]));
	machine_busy(MACHINE_STEP * 10);
	assert_string_equal(trace, "");
	assert_int_equal(tests_of[1], 2);
	open_all();
	assert_int_equal(waitq_notify_all(&queue), WAITERS);
	join_all();
}

static void B9_sleep_is_exact(void **state)
{
	uint64_t ticks = timer_ticks(0);

	(void)state;
	for (uint64_t length = 1; length < 1000000; length *= 7) {
		uint64_t end = time_now() + length;

		task_sleep_until(end);
		assert_int_equal(time_now(), end);
		ticks++;
	}
	assert_int_equal(timer_ticks(0), ticks); /* one interrupt each: there is no periodic tick */
}

/* A producer on one hart and a consumer on the other: nothing is lost, whoever is faster. */
static struct waitq more = WAITQ_INIT(more), fewer = WAITQ_INIT(fewer);
static unsigned stock, consumed;

static bool has_stock(void *arg)
{
	(void)arg;
	return stock > 0;
}

static bool has_room(void *arg)
{
	(void)arg;
	return stock < 4;
}

static void consumer(void *arg)
{
	uint64_t seed = 1;

	(void)arg;
	while (consumed < 1000) {
		assert_int_equal(waitq_wait(&more, has_stock, NULL, UINT64_MAX), 0);
		stock--;
		consumed++;
		waitq_notify_one(&fewer);
		if (mock_random(&seed) % 4 == 0)
			machine_busy(MACHINE_STEP * (mock_random(&seed) % 8));
	}
}

static void T4_producer_and_consumer_lose_nothing(void **state)
{
	struct task *t = task_create("consumer", consumer, NULL, &(struct task_attr){ .hart_mask = BIT(1) });
	uint64_t seed = 2;

	(void)state;
	assert_non_null(t);
	for (unsigned i = 0; i < 1000; i++) {
		assert_int_equal(waitq_wait(&fewer, has_room, NULL, UINT64_MAX), 0);
		stock++;
		waitq_notify_one(&more);
		if (mock_random(&seed) % 4 == 0)
			machine_busy(MACHINE_STEP * (mock_random(&seed) % 8));
	}
	task_join(t);
	assert_int_equal(consumed, 1000);
	assert_int_equal(stock, 0);
}

static int start(void **state)
{
	(void)state;
	machine_start(2);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(T4_true_predicate_does_not_sleep, fresh),
		cmocka_unit_test_setup(T4_notify_one_wakes_the_first, fresh),
		cmocka_unit_test_setup(T4_notify_all_wakes_all, fresh),
		cmocka_unit_test_setup(T4_notify_task_wakes_that_one, fresh),
		cmocka_unit_test_setup(T4_false_predicate_sleeps_again, fresh),
		cmocka_unit_test_setup(T4_wait_ends_at_the_deadline, fresh),
		cmocka_unit_test_setup(T4_timed_out_waiter_uses_up_no_notify, fresh),
		cmocka_unit_test_setup(T4_notified_in_time_is_not_a_timeout, fresh),
		cmocka_unit_test_setup(T4_other_wake_ups_do_not_end_a_wait, fresh),
		cmocka_unit_test_setup(B9_sleep_is_exact, fresh),
		cmocka_unit_test_setup(T4_producer_and_consumer_lose_nothing, fresh),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
