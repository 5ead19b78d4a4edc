/* core/irq: hart-local causes and the sources of a controller. */
// sources: core/irq/irq.c
#include <errno.h>

#include <arch/csr.h>
#include <caisson/hart.h>
#include <caisson/irq.h>
#include <test.h>

static bool pending[8], enabled[8];
static bool stuck, cannot_enable;
static char trace[512];
static unsigned depth;

static void tick(void)
{
	strcat(trace, "T");
}

static int chip_enable(void *dev, unsigned source)
{
	assert_ptr_equal(dev, pending);
	if (cannot_enable)
		return -EIO;
	enabled[source] = true;
	return 0;
}

static void chip_disable(void *dev, unsigned source)
{
	(void)dev;
	enabled[source] = false;
	strcat(trace, "-");
}

static unsigned chip_claim(void *dev)
{
	(void)dev;
	for (unsigned s = 1; s < 8; s++)
		if (pending[s] && enabled[s]) {
			pending[s] = stuck;
			return s;
		}
	return 0;
}

static void chip_complete(void *dev, unsigned source)
{
	char text[4];

	(void)dev;
	snprintf(text, sizeof(text), "c%u", source % 10);
	if (strlen(trace) < 400)
		strcat(trace, text);
}

static void chip_hart_init(void *dev)
{
	(void)dev;
	strcat(trace, "H");
}

static const struct irqchip chip = {
	.name = "mock", .n_sources = 8, .enable = chip_enable, .disable = chip_disable,
	.claim = chip_claim, .complete = chip_complete, .hart_init = chip_hart_init,
};

static void handler(void *arg)
{
	depth = this_hart()->irq_depth;
	if (strlen(trace) < 400)
		strcat(trace, arg);
}

static int start(void **state)
{
	(void)state;
	assert_int_equal(irq_register(1, "who", handler, "x"), -EINVAL); /* no controller yet */
	irqchip_register(&chip, pending);
	irq_hart_init();
	assert_string_equal(trace, "H");
	return 0;
}

static int fresh(void **state)
{
	(void)state;
	memset(pending, 0, sizeof(pending));
	trace[0] = 0;
	depth = 0;
	stuck = cannot_enable = false;
	return 0;
}

static void B9_timer_cause_reaches_its_handler(void **state)
{
	(void)state;
	irq_register_local(IRQ_S_TIMER, tick);
	irq_dispatch(IRQ_S_TIMER);
	assert_string_equal(trace, "T");
	assert_int_equal(this_hart()->irq_depth, 0);
}

static void soft(void)
{
	depth = this_hart()->irq_depth;
	strcat(trace, "S");
}

static void local_cause_is_registered(void **state)
{
	(void)state;
	irq_register_local(IRQ_S_SOFT, soft);
	irq_dispatch(IRQ_S_SOFT);
	assert_string_equal(trace, "S");
	assert_int_equal(depth, 1);
	assert_int_equal(this_hart()->irq_depth, 0);
}

static void sources_are_checked(void **state)
{
	(void)state;
	assert_int_equal(irq_register(0, "who", handler, "x"), -EINVAL);
	assert_int_equal(irq_register(8, "who", handler, "x"), -EINVAL);
	assert_int_equal(irq_register(4000, "who", handler, "x"), -EINVAL);
	assert_int_equal(irq_register(2, "who", handler, "two "), 0);
	assert_int_equal(irq_register(2, "who", handler, "x"), -EBUSY);
	cannot_enable = true;
	assert_int_equal(irq_register(4, "who", handler, "x"), -EIO);
	cannot_enable = false;
	assert_int_equal(irq_register(4, "who", handler, "four "), 0); /* the failure left it free */
	assert_int_equal(irq_count(4000, 0), 0);
	assert_int_equal(irq_next(0), 2);
	assert_int_equal(irq_next(2), 4);
	assert_int_equal(irq_next(4), 0);
	assert_string_equal(irq_name(2), "who");
	assert_null(irq_name(3));
	assert_string_equal(irq_chip_name(), "mock");
}

static void sources_are_claimed_handled_completed(void **state)
{
	uint64_t before = irq_count(2, 0);

	(void)state;
	pending[4] = pending[2] = true;
	irq_dispatch(IRQ_S_EXT);
	assert_string_equal(trace, "two c2four c4");
	assert_int_equal(depth, 1);
	assert_int_equal(irq_count(2, 0) - before, 1);
}

static void unknown_source_is_disabled(void **state)
{
	(void)state;
	pending[5] = enabled[5] = true;
	irq_dispatch(IRQ_S_EXT);
	assert_string_equal(trace, "-c5");
	assert_false(enabled[5]);
	assert_int_equal(irq_count(5, 0), 1);
}

static void source_that_never_falls_silent_does_not_hold_the_hart(void **state)
{
	uint64_t before = irq_count(2, 0);

	(void)state;
	pending[2] = stuck = true;
	irq_dispatch(IRQ_S_EXT);
	assert_in_range(irq_count(2, 0) - before, 2, 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(B9_timer_cause_reaches_its_handler, fresh),
		cmocka_unit_test_setup(local_cause_is_registered, fresh),
		cmocka_unit_test_setup(sources_are_checked, fresh),
		cmocka_unit_test_setup(sources_are_claimed_handled_completed, fresh),
		cmocka_unit_test_setup(unknown_source_is_disabled, fresh),
		cmocka_unit_test_setup(source_that_never_falls_silent_does_not_hold_the_hart, fresh),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
