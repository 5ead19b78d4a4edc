/* core/sync: what a debug build says about locks that are used wrongly. */
// sources:
#define CONFIG_DEBUG_LOCKS 1
#include "core/sync/lockcheck.c"
#include "core/sync/lockgraph.c"

#include <sys/mman.h>

#include <test.h>

/* The kernel's image: a zeroed lock in here is static, any other is in the heap. */
char __image_start[4096] ALIGNED_TO(64);
__asm__(".globl __image_end\n.set __image_end, __image_start + 4096");

enum log_level log_level = LOG_TRACE;
uint64_t timebase_hz = 10000000;
static char *report; /* shared with the child that panics */

void log_set_level(enum log_level level)
{
	(void)level;
}

void log_write(enum log_level level, const char *component, const char *fmt, ...)
{
	size_t n = strlen(report);
	va_list args;

	(void)level;
	(void)component;
	va_start(args, fmt);
	vsnprintf(report + n, 4096 - n, fmt, args);
	va_end(args);
	strcat(report, "\n");
}

void console_panic(void)
{
}

uint64_t time_now(void)
{
	return mock_time;
}

static int fresh(void **state)
{
	(void)state;
	if (!report)
		report = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	memset(report, 0, 8192);
	mock_hart = &mock_harts[0];
	mock_harts[1].index = 1;
	mock_harts[0].irq_depth = 0;
	mock_irq_on = false;
	mock_wait = NULL;
	assert_int_equal(hart_locks[0].n, 0);
	return 0;
}

static bool reported(void (*fn)(void *), void *arg, const char *what)
{
	return mock_panics(fn, arg) && strstr(report, what);
}

struct pair {
	spinlock_t *outer, *inner;
};

static void nest(void *arg)
{
	struct pair *p = arg;

	spin_lock(p->outer);
	spin_lock(p->inner);
	spin_unlock(p->inner);
	spin_unlock(p->outer);
}

static void both_orders_are_reported_with_locks_and_places(void **state)
{
	static spinlock_t a = { .name = "lock a" }, b = { .name = "lock b" };

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		nest(&(struct pair){ &a, &b });
	lockcheck_lock(&b, "place 1");
	lockcheck_unlock(&b, "place 2");
	assert_true(reported(nest, &(struct pair){ &b, &a }, "while A is held"));
	assert_non_null(strstr(report, "lock A: the lock initialised at lock b"));
	assert_non_null(strstr(report, "lock B: the lock initialised at lock a"));
	assert_non_null(strstr(report, "A was taken at tests/unit/test_lockcheck.c:"));
	assert_non_null(strstr(report, "while B was held, taken at tests/unit/test_lockcheck.c:"));
}

static void a_cycle_over_three_is_found_and_told(void **state)
{
	static spinlock_t a = { .name = "one" }, b = { .name = "two" }, c = { .name = "three" }, d = { .name = "four" };

	(void)state;
	nest(&(struct pair){ &a, &b });
	nest(&(struct pair){ &a, &d });
	nest(&(struct pair){ &b, &c });
	nest(&(struct pair){ &d, &c });
	nest(&(struct pair){ &a, &c }); /* in line with all of them */
	assert_false(mock_panics(nest, &(struct pair){ &b, &d }));
	assert_true(reported(nest, &(struct pair){ &c, &a }, "in the other order"));
	nest(&(struct pair){ &a, &d });
}

static void a_way_round_names_what_is_between(void **state)
{
	static spinlock_t a = { .name = "begin" }, b = { .name = "between" }, c = { .name = "end" };

	(void)state;
	nest(&(struct pair){ &a, &b });
	nest(&(struct pair){ &b, &c });
	assert_true(reported(nest, &(struct pair){ &c, &a }, "then: the lock initialised at between"));
}

static void a_lock_of_ones_own_is_not_waited_for(void **state)
{
	static spinlock_t a = SPINLOCK_INIT;

	(void)state;
	assert_true(reported(nest, &(struct pair){ &a, &a }, "it was taken at"));
}

static void two_of_one_class_have_no_order(void **state)
{
	spinlock_t two[2] = { { .name = "same" }, { .name = "same" } };

	(void)state;
	assert_true(reported(nest, &(struct pair){ &two[0], &two[1] }, "another of its class"));
}

static void give_back(void *arg)
{
	spin_unlock((spinlock_t *)arg);
}

static void what_is_not_held_cannot_be_given_back(void **state)
{
	static spinlock_t a = SPINLOCK_INIT;

	(void)state;
	assert_true(reported(give_back, &a, "nobody ever took it"));
	memset(report, 0, 4096);
	spin_lock(&a);
	mock_hart = &mock_harts[1]; /* the other hart has it */
	assert_true(reported(give_back, &a, "taken last at tests/unit"));
	mock_hart = &mock_harts[0];
	spin_unlock(&a);
}

/* Giving back out of order is fine; taking again is judged by what is held now. */
static void out_of_order(void *arg)
{
	struct pair *p = arg;

	spin_lock(p->outer);
	spin_lock(p->inner);
	spin_unlock(p->outer);
	strcat(report, "so far so good\n");
	spin_lock(p->outer);
}

static void the_order_counts_from_what_is_held_now(void **state)
{
	static spinlock_t a = SPINLOCK_INIT;
	static spinlock_t b = SPINLOCK_INIT;

	(void)state;
	assert_true(reported(out_of_order, &(struct pair){ &a, &b }, "in the other order"));
	assert_non_null(strstr(report, "so far so good"));
}

static void take(void *arg)
{
	spinlock_t *l = arg;

	spin_lock(l);
	spin_unlock(l);
}

static void handlers_share_no_lock_with_open_interrupts(void **state)
{
	static spinlock_t a = SPINLOCK_INIT;
	irqflags_t flags;

	(void)state;
	irq_enable();
	flags = spin_lock_irqsave(&a);
	assert_false(irq_enabled());
	spin_unlock_irqrestore(&a, flags);
	assert_true(irq_enabled());
	irq_disable();
	mock_harts[0].irq_depth = 1;
	take(&a);
	mock_harts[0].irq_depth = 0;
	take(&a); /* interrupts are off: fine */
	irq_enable();
	assert_true(reported(take, &a, "in an interrupt handler"));
}

static void the_other_way_round_too(void **state)
{
	static spinlock_t a = SPINLOCK_INIT;

	(void)state;
	irq_enable();
	take(&a);
	irq_disable();
	mock_harts[0].irq_depth = 1;
	assert_true(reported(take, &a, "elsewhere with interrupts on"));
}

static void time_passes(bool wfi)
{
	(void)wfi;
	mock_time += timebase_hz / 1000;
}

static void a_lock_that_does_not_come_is_reported(void **state)
{
	static spinlock_t a = SPINLOCK_INIT;

	(void)state;
	mock_hart = &mock_harts[1];
	spin_lock(&a);
	mock_hart = &mock_harts[0];
	mock_wait = time_passes;
	assert_true(reported(take, &a, "hart 1 has it, taken at tests/unit"));
	mock_hart = &mock_harts[1];
	spin_unlock(&a);
}

static spinlock_t *other;
static unsigned waits;

static void the_other_lets_go(bool wfi)
{
	(void)wfi;
	if (++waits < 5000)
		return;
	mock_hart = &mock_harts[1];
	spin_unlock(other);
	mock_hart = &mock_harts[0];
	mock_wait = NULL;
}

static void a_lock_that_comes_late_is_taken(void **state)
{
	static spinlock_t a = SPINLOCK_INIT;

	(void)state;
	other = &a;
	mock_hart = &mock_harts[1];
	spin_lock(&a);
	mock_hart = &mock_harts[0];
	mock_wait = the_other_lets_go;
	spin_lock(&a);
	assert_int_equal(a.holder, 0);
	assert_true(spin_is_locked(&a));
	spin_unlock(&a);
	assert_false(spin_is_locked(&a));
}

static void zeroed_static_locks_are_a_class_each(void **state)
{
	spinlock_t *locks = (spinlock_t *)(void *)__image_start;

	(void)state;
	nest(&(struct pair){ &locks[0], &locks[1] });
	nest(&(struct pair){ &locks[1], &locks[2] });
	assert_int_not_equal(locks[0].class, locks[1].class);
	assert_true(reported(nest, &(struct pair){ &locks[2], &locks[0] }, "first taken at"));
}

/* Memory that is freed and used again must not bring the order of its earlier life along. */
static void zeroed_locks_in_the_heap_are_classes_by_place(void **state)
{
	spinlock_t *x = calloc(4, sizeof(*x));

	(void)state;
	lockcheck_lock(&x[0], "a.c:1");
	lockcheck_lock(&x[1], "b.c:2");
	lockcheck_unlock(&x[1], "");
	lockcheck_unlock(&x[0], "");
	lockcheck_lock(&x[2], "a.c:1");
	lockcheck_unlock(&x[2], "");
	assert_int_equal(x[2].class, x[0].class);
	memset(x, 0, 2 * sizeof(*x));
	lockcheck_lock(&x[1], "a.c:1");
	lockcheck_lock(&x[0], "b.c:2"); /* the addresses the other way round, the same order of classes */
	lockcheck_unlock(&x[0], "");
	lockcheck_unlock(&x[1], "");
	free(x);
}

static void too_many(void *arg)
{
	static spinlock_t locks[HELD_MAX + 1];
	static char names[HELD_MAX + 1];

	(void)arg;
	for (unsigned i = 0; i <= HELD_MAX; i++) {
		locks[i].name = &names[i];
		lockcheck_lock(&locks[i], "here");
	}
}

static void so_many_locks_at_a_time_are_a_mistake(void **state)
{
	(void)state;
	assert_true(mock_panics(too_many, NULL));
}

#define T(name) cmocka_unit_test_setup(name, fresh)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(both_orders_are_reported_with_locks_and_places),
		T(a_cycle_over_three_is_found_and_told),
		T(a_way_round_names_what_is_between),
		T(a_lock_of_ones_own_is_not_waited_for),
		T(two_of_one_class_have_no_order),
		T(what_is_not_held_cannot_be_given_back),
		T(the_order_counts_from_what_is_held_now),
		T(handlers_share_no_lock_with_open_interrupts),
		T(the_other_way_round_too),
		T(a_lock_that_does_not_come_is_reported),
		T(a_lock_that_comes_late_is_taken),
		T(zeroed_static_locks_are_a_class_each),
		T(zeroed_locks_in_the_heap_are_classes_by_place),
		T(so_many_locks_at_a_time_are_a_mistake),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
