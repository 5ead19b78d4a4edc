/* Futexes: keys, lines, how many wake, what moves (process/futex.c). */
// sources: process/futex.c
#include <errno.h>
#include <test.h>

#include "process/futex.h"
#include "process/thread.h"

#define WAITERS 10

static struct task tasks[WAITERS];
static struct thread threads[WAITERS];
static struct futex_waiter waiters[WAITERS];
static unsigned n_interrupted, order[2 * WAITERS];
static uint32_t word;

void task_interrupt(struct task *t)
{
	order[n_interrupted++] = (unsigned)(t - tasks);
}

static const struct user_mm *mm_a = (void *)0x1000, *mm_b = (void *)0x2000;

static struct futex_key key(const struct user_mm *mm, uint64_t addr)
{
	return (struct futex_key){ mm, addr };
}

static int enter(unsigned i, struct futex_key k, uint32_t bits)
{
	threads[i].task = &tasks[i];
	waiters[i] = (struct futex_waiter){ .bits = bits, .thread = &threads[i] };
	return futex_enter(&waiters[i], &k, &word, word);
}

static int fresh(void **state)
{
	(void)state;
	n_interrupted = 0;
	word = 7;
	return 0;
}

/* Those that still wait leave, and say so. */
static unsigned leave_all(unsigned n)
{
	unsigned waited = 0;

	for (unsigned i = 0; i < n; i++)
		waited += futex_leave(&waiters[i]);
	return waited;
}

static void another_value_and_nobody_waits(void **state)
{
	struct futex_key k = key(mm_a, 0x100);

	(void)state;
	waiters[0] = (struct futex_waiter){ .bits = FUTEX_ANY, .thread = &threads[0] };
	assert_int_equal(futex_enter(&waiters[0], &k, &word, 8), -EAGAIN);
	assert_int_equal(futex_wake(&k, 1, FUTEX_ANY), 0);
}

static void the_first_wake_first_and_no_more_than_asked(void **state)
{
	struct futex_key k = key(mm_a, 0x100);

	(void)state;
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(enter(i, k, FUTEX_ANY), 0);
	assert_int_equal(futex_wake(&k, 2, FUTEX_ANY), 2);
	assert_int_equal(n_interrupted, 2);
	assert_int_equal(order[0], 0);
	assert_int_equal(order[1], 1);
	assert_false(futex_leave(&waiters[0]));
	assert_true(futex_leave(&waiters[3])); /* by a signal, say */
	assert_int_equal(futex_wake(&k, UINT32_MAX, FUTEX_ANY), 2);
	assert_int_equal(order[3], 4);
	assert_int_equal(futex_wake(&k, 1, FUTEX_ANY), 0);
}

static void a_key_is_its_memory_and_its_address(void **state)
{
	struct futex_key keys[] = { key(mm_a, 0x100), key(mm_a, 0x104), key(mm_b, 0x100), key(NULL, 0x100) };

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(enter(i, keys[i], FUTEX_ANY), 0);
	for (unsigned i = 4; i-- > 0;) {
		assert_int_equal(futex_wake(&keys[i], 10, FUTEX_ANY), 1);
		assert_int_equal(order[3 - i], i);
	}
}

static void bits_choose(void **state)
{
	struct futex_key k = key(mm_a, 0x100);

	(void)state;
	assert_int_equal(enter(0, k, 1), 0);
	assert_int_equal(enter(1, k, 6), 0);
	assert_int_equal(enter(2, k, FUTEX_ANY), 0);
	assert_int_equal(futex_wake(&k, 10, 8), 1);
	assert_int_equal(order[0], 2);
	assert_int_equal(futex_wake(&k, 10, 2), 1);
	assert_int_equal(order[1], 1);
	assert_int_equal(futex_wake(&k, 10, FUTEX_ANY), 1);
}

static void who_moves_wakes_by_the_other_key_behind_those_there(void **state)
{
	struct futex_key from = key(mm_a, 0x100), to = key(NULL, 0x5000);

	(void)state;
	assert_int_equal(enter(6, to, FUTEX_ANY), 0);
	for (unsigned i = 0; i < 6; i++)
		assert_int_equal(enter(i, from, FUTEX_ANY), 0);
	assert_int_equal(futex_requeue(&from, &to, 1, 3, &word, 6), -EAGAIN);
	assert_int_equal(n_interrupted, 0);
	assert_int_equal(futex_requeue(&from, &to, 1, 3, &word, 7), 4);
	assert_int_equal(n_interrupted, 1);
	assert_int_equal(order[0], 0);
	assert_int_equal(futex_wake(&from, 10, FUTEX_ANY), 2);
	assert_int_equal(order[2], 5);
	assert_int_equal(futex_wake(&to, 10, FUTEX_ANY), 4);
	assert_int_equal(order[3], 6);
	assert_int_equal(order[4], 1);
	assert_int_equal(order[6], 3);
	assert_int_equal(leave_all(7), 0);
}

static void to_the_same_key_nobody_moves_twice(void **state)
{
	struct futex_key k = key(mm_a, 0x100);

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(enter(i, k, FUTEX_ANY), 0);
	assert_int_equal(futex_requeue(&k, &k, 0, 1000, NULL, 0), 4);
	assert_int_equal(leave_all(4), 4);
	assert_int_equal(futex_wake(&k, 10, FUTEX_ANY), 0);
}

/* A line is shared by keys whose hash is the same: more of them than there are lines. */
static void many_keys_in_few_lines(void **state)
{
	static struct futex_waiter many[1000];

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(many); i++) {
		struct futex_key k = key(i % 2 ? mm_a : mm_b, 0x1000 + 4 * i);

		many[i] = (struct futex_waiter){ .bits = FUTEX_ANY, .thread = &threads[0] };
		assert_int_equal(futex_enter(&many[i], &k, &word, word), 0);
	}
	threads[0].task = &tasks[0];
	for (unsigned i = 0; i < ARRAY_SIZE(many); i++) {
		struct futex_key k = key(i % 2 ? mm_a : mm_b, 0x1000 + 4 * i);

		n_interrupted = 0;
		assert_int_equal(futex_wake(&k, 10, FUTEX_ANY), 1);
		assert_false(futex_leave(&many[i]));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(another_value_and_nobody_waits, fresh),
		cmocka_unit_test_setup(the_first_wake_first_and_no_more_than_asked, fresh),
		cmocka_unit_test_setup(a_key_is_its_memory_and_its_address, fresh),
		cmocka_unit_test_setup(bits_choose, fresh),
		cmocka_unit_test_setup(who_moves_wakes_by_the_other_key_behind_those_there, fresh),
		cmocka_unit_test_setup(to_the_same_key_nobody_moves_twice, fresh),
		cmocka_unit_test_setup(many_keys_in_few_lines, fresh),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
