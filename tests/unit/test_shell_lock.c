/* The shell's lock: one holder at a time, and a waiter learns of its turn. */
// sources: shell/lock.c
#include <caisson/task.h>
#include <errno.h>
#include <shell/shell.h>
#include <test.h>

static unsigned notified;
static uint64_t last_deadline;

/* Nobody else runs here: what is not to be had now never is. */
int waitq_wait(struct waitq *wq, bool (*pred)(void *), void *arg, uint64_t deadline)
{
	(void)wq;
	last_deadline = deadline;
	return pred(arg) ? 0 : -ETIMEDOUT;
}

unsigned waitq_notify_one(struct waitq *wq)
{
	(void)wq;
	return ++notified;
}

static void one_at_a_time(void **state)
{
	(void)state;
	shell_lock();
	assert_int_equal(last_deadline, UINT64_MAX);
	assert_int_equal(shell_lock_until(5), -ETIMEDOUT);
	assert_int_equal(last_deadline, 5);
	assert_int_equal(shell_lock_until(6), -ETIMEDOUT);
}

static void the_next_one_is_told(void **state)
{
	(void)state;
	shell_unlock();
	assert_int_equal(notified, 1);
	assert_int_equal(shell_lock_until(7), 0);
	assert_int_equal(shell_lock_until(8), -ETIMEDOUT);
	shell_unlock();
	assert_int_equal(notified, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_at_a_time),
		cmocka_unit_test(the_next_one_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
