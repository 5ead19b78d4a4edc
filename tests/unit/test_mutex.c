/* core/task: mutexes, on a simulated machine of two harts. */
// sources: core/task/mutex.c core/task/sched.c core/task/place.c core/task/rr.c core/task/task.c core/task/waitq.c core/task/gc.c core/time/time.c core/time/timer.c core/irq/irq.c core/smp/call.c core/smp/alone.c core/smp/power.c
#include <caisson/mutex.h>
#include <caisson/task.h>
#include <caisson/time.h>
#include <machine.h>
#include <test.h>

#define TASKS 5
#define ROUNDS 40

static struct mutex mutex = MUTEX_INIT(mutex);
static unsigned inside, most_inside, rounds;

static void worker(void *arg)
{
	uint64_t seed = (uintptr_t)arg;

	for (unsigned i = 0; i < ROUNDS; i++) {
		mutex_lock(&mutex);
		inside++;
		most_inside = MAX(most_inside, inside);
		/* Its owner may sleep, and be preempted. */
		if (mock_random(&seed) % 4 == 0)
			task_sleep_until(time_now() + 3 * MACHINE_STEP);
		else
			machine_busy(mock_random(&seed) % (3 * MACHINE_STEP));
		inside--;
		rounds++;
		mutex_unlock(&mutex);
		if (mock_random(&seed) % 2)
			task_yield();
	}
	task_exit(0);
}

static void one_at_a_time_and_everybody_in_the_end(void **state)
{
	struct task *tasks[TASKS];

	(void)state;
	for (unsigned i = 0; i < TASKS; i++)
		assert_non_null(tasks[i] = task_create("worker", worker, (void *)(uintptr_t)i, &(struct task_attr){ 0 }));
	for (unsigned i = 0; i < TASKS; i++)
		assert_int_equal(task_join(tasks[i]), 0);
	assert_int_equal(rounds, TASKS * ROUNDS);
	assert_int_equal(most_inside, 1);
	assert_int_equal(mutex.owner, 0);
}

static void waiter(void *arg)
{
	(void)arg;
	mutex_lock(&mutex);
	mutex_unlock(&mutex);
	task_exit(0);
}

static void who_waits_sleeps(void **state)
{
	struct task *t;

	(void)state;
	mutex_lock(&mutex);
	t = task_create("waiter", waiter, NULL, &(struct task_attr){ .hart_mask = BIT(1) });
	assert_non_null(t);
	machine_busy(10 * MACHINE_STEP);
	assert_int_equal(t->state, TASK_BLOCKED);
	mutex_unlock(&mutex);
	task_join(t);
}

static void lock_twice(void *arg)
{
	mutex_lock(arg);
	mutex_lock(arg);
}

static void unlock(void *arg)
{
	mutex_unlock(arg);
}

static void wrong_use_is_named(void **state)
{
	(void)state;
	assert_true(mock_panics(lock_twice, &mutex));
	assert_non_null(strstr(mock_panic_message(), "main takes a mutex that it has"));
	assert_true(mock_panics(unlock, &mutex));
	assert_non_null(strstr(mock_panic_message(), "main gives back a mutex that it does not have"));
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
		cmocka_unit_test(one_at_a_time_and_everybody_in_the_end),
		cmocka_unit_test(who_waits_sleeps),
		cmocka_unit_test(wrong_use_is_named),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
