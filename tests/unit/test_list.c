/* include/caisson: lists, spinlocks and the small macros. */
// sources:
#include <caisson/list.h>
#include <caisson/log.h>
#include <caisson/spinlock.h>
#include <test.h>

#define LOG_NAME "test"

struct item {
	int n;
	struct list node;
};

static void list_keeps_order(void **state)
{
	struct list head = LIST_INIT(head);
	struct item a = { 1, LIST_INIT(a.node) }, b = { 2, LIST_INIT(b.node) }, c = { 3, LIST_INIT(c.node) };
	int n = 0;

	(void)state;
	list_push_back(&head, &b.node);
	list_push_back(&head, &c.node);
	list_push_front(&head, &a.node);
	list_for_each(i, &head, struct item, node)
		assert_int_equal(i->n, ++n);
	assert_int_equal(n, 3);
	list_for_each_safe(i, tmp, &head, struct item, node)
		list_del(&i->node);
	assert_true(list_empty(&head));
	assert_true(list_empty(&b.node));
}

static void spinlock_restores_interrupts(void **state)
{
	spinlock_t lock = SPINLOCK_INIT;
	irqflags_t outer, inner;

	(void)state;
	assert_true(irq_enabled());
	outer = irq_save();
	inner = spin_lock_irqsave(&lock);
	assert_true(spin_is_locked(&lock));
	spin_unlock_irqrestore(&lock, inner);
	assert_false(irq_enabled());
	irq_restore(outer);
	assert_true(irq_enabled());
	assert_false(spin_is_locked(&lock));
}

static void macros_compute(void **state)
{
	(void)state;
	assert_int_equal(BITS(53, 10), 0x3ffffffffffc00);
	assert_int_equal(BITS(63, 0), UINT64_MAX);
	assert_int_equal(ALIGN_UP(4097, PAGE_SIZE), 8192);
	assert_int_equal(ALIGN_DOWN(4097, PAGE_SIZE), 4096);
	assert_false(IS_ALIGNED(4097, PAGE_SIZE));
}

static void fail_assertion(void *arg)
{
	ASSERT(*(int *)arg == 1);
}

static void assertion_panics(void **state)
{
	int one = 1, two = 2;

	(void)state;
	assert_false(mock_panics(fail_assertion, &one));
	assert_true(mock_panics(fail_assertion, &two));
	log_info("a line");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(list_keeps_order),
		cmocka_unit_test(spinlock_restores_interrupts),
		cmocka_unit_test(macros_compute),
		cmocka_unit_test(assertion_panics),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
