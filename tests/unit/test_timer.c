/* core/time: units, the queue of timers, what is programmed into the hardware. */
// sources: core/time/time.c core/time/timer.c
#include <arch/cpu.h>
#include <arch/timer.h>
#include <caisson/hart.h>
#include <caisson/irq.h>
#include <caisson/list.h>
#include <caisson/time.h>
#include <test.h>

bool arch_has_sstc;
static uint64_t programmed;
static unsigned programs, masks;

void arch_timer_program(uint64_t deadline)
{
	assert_false(irq_enabled());
	programmed = deadline;
	programs++;
}

void arch_timer_mask(void)
{
	programmed = UINT64_MAX;
	masks++;
}

static void (*handler)(void);

void irq_register_local(unsigned cause, void (*fn)(void))
{
	if (cause == IRQ_S_TIMER)
		handler = fn;
}

struct event {
	struct timer timer;
	char name;
	uint64_t again;     /* re-arm this much later, from its own function */
	struct timer *kill; /* cancel this one from its function */
};

static char trace[256];

static void fired(struct timer *t)
{
	struct event *e = container_of(t, struct event, timer);

	assert_false(irq_enabled());
	assert_false(t->queued);
	strncat(trace, &e->name, 1);
	if (e->kill)
		timer_cancel_sync(e->kill);
	if (e->again)
		timer_arm(t, t->deadline + e->again);
}

static struct event event(char name)
{
	struct event e = { .name = name };

	timer_init(&e.timer, fired);
	return e;
}

static void interrupt_at(uint64_t now)
{
	irq_disable();
	mock_time = now;
	handler();
	irq_enable();
}

static int fresh(void **state)
{
	(void)state;
	timebase_hz = 10000000;
	mock_irq_on = false;
	for (unsigned h = 0; h < 2; h++) {
		mock_harts[h].index = h;
		mock_hart = &mock_harts[h];
		timer_hart_init();
	}
	mock_hart = &mock_harts[0];
	mock_irq_on = true;
	mock_time = 100;
	programs = masks = 0;
	programmed = UINT64_MAX;
	trace[0] = 0;
	timer_guest_expired = NULL;
	return 0;
}

static void time_units(void **state)
{
	(void)state;
	assert_int_equal(time_from_us(10), 100);
	assert_int_equal(time_to_ns(3), 300);
	assert_true(time_to_ns(UINT64_MAX) == UINT64_MAX);
	timebase_hz = 3000000000u;
	assert_true(time_from_us(UINT64_MAX) == UINT64_MAX);
	assert_true(time_from_us(UINT64_MAX / 3000) >= UINT64_MAX - 3000);
	timebase_hz = 32768;
	assert_int_equal(time_from_us(1000000), 32768);
	assert_int_equal(time_from_us(UINT64_C(31536000000) * 1000000), UINT64_C(31536000000) * 32768); /* 1,000 years */
	assert_int_equal(time_to_ns(32768 * UINT64_C(1000000) + 1), UINT64_C(1000000000000000) + 30517);
}

static void B9_timers_run_in_order_of_deadline(void **state)
{
	struct event a = event('a'), b = event('b'), c = event('c'), d = event('d');

	(void)state;
	timer_arm(&c.timer, 300);
	timer_arm(&a.timer, 150);
	timer_arm(&d.timer, 300); /* equal deadlines: first armed, first run */
	timer_arm(&b.timer, 200);
	assert_int_equal(programmed, 150);
	irq_disable();
	assert_int_equal(timer_next_deadline(), 150);
	irq_enable();
	interrupt_at(199);
	assert_string_equal(trace, "a");
	assert_int_equal(programmed, 200);
	interrupt_at(300);
	assert_string_equal(trace, "abcd");
	assert_int_equal(timer_next_deadline(), UINT64_MAX);
	assert_true(irq_enabled());
}

static void B9_handler_rearms_the_clock_and_counts(void **state)
{
	struct event a = event('a');
	uint64_t before = timer_ticks(0), other = timer_ticks(1);

	(void)state;
	a.again = 50;
	timer_arm(&a.timer, 150);
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(programmed, 150 + 50 * i);
		interrupt_at(programmed);
	}
	assert_string_equal(trace, "aaaa");
	assert_int_equal(timer_ticks(0) - before, 4);
	assert_int_equal(timer_ticks(1), other);
	timer_cancel(&a.timer);
}

static void the_hardware_is_not_programmed_in_vain(void **state)
{
	struct event a = event('a'), b = event('b');

	(void)state;
	timer_arm(&a.timer, 150);
	timer_arm(&b.timer, 200);
	assert_int_equal(programs, 1); /* b is later: a's interrupt sees to it */
	timer_cancel(&a.timer);
	timer_arm(&b.timer, 180);
	assert_int_equal(programs, 1); /* fires too early once: cheaper */
	interrupt_at(150);
	assert_string_equal(trace, "");
	assert_int_equal(programs, 2);
	assert_int_equal(programmed, 180);
	assert_int_equal(masks, 0);
	interrupt_at(180);
	assert_string_equal(trace, "b");
	assert_int_equal(programs, 2);
	assert_int_equal(masks, 1); /* nothing left to come */
}

static void one_program_for_all_that_an_interrupt_rearms(void **state)
{
	struct event a = event('a'), b = event('b');

	(void)state;
	a.again = 100;
	b.again = 50;
	timer_arm(&a.timer, 150);
	timer_arm(&b.timer, 150);
	programs = 0;
	interrupt_at(150);
	assert_string_equal(trace, "ab");
	assert_int_equal(programs, 1);
	assert_int_equal(programmed, 200);
	timer_cancel(&a.timer);
	timer_cancel(&b.timer);
}

static void cancelled_timers_do_not_run(void **state)
{
	struct event a = event('a'), b = event('b'), c = event('c');

	(void)state;
	timer_cancel(&a.timer); /* was never armed */
	timer_arm(&a.timer, 150);
	timer_arm(&b.timer, 150);
	timer_arm(&c.timer, 150);
	a.kill = &b.timer; /* due in the same interrupt */
	interrupt_at(150);
	assert_string_equal(trace, "ac");
	timer_arm(&a.timer, 160);
	mock_hart = &mock_harts[1];
	timer_cancel(&a.timer); /* from another hart */
	mock_hart = &mock_harts[0];
	interrupt_at(200);
	assert_string_equal(trace, "ac");
}

static void rearming_moves_a_timer_between_harts(void **state)
{
	struct event a = event('a');

	(void)state;
	timer_arm(&a.timer, 150);
	mock_hart = &mock_harts[1];
	timer_arm(&a.timer, 170);
	assert_int_equal(a.timer.hart, 1);
	mock_hart = &mock_harts[0];
	interrupt_at(200);
	assert_string_equal(trace, "");
	mock_hart = &mock_harts[1];
	interrupt_at(200);
	assert_string_equal(trace, "a");
}

static void adopted_timers_run_here_and_stay_cancellable(void **state)
{
	struct event a = event('a'), b = event('b'), c = event('c');

	(void)state;
	timer_arm(&c.timer, 170);
	mock_hart = &mock_harts[1];
	timer_arm(&a.timer, 150);
	timer_arm(&b.timer, 160);
	mock_hart = &mock_harts[0];
	timer_adopt(1);
	assert_int_equal(programmed, 150);
	assert_int_equal(a.timer.hart, 0);
	timer_cancel(&b.timer);
	interrupt_at(200);
	assert_string_equal(trace, "ac");
	mock_hart = &mock_harts[1];
	interrupt_at(200);
	assert_string_equal(trace, "ac");
}

static unsigned guest_expiries;

static void guest_expired(void)
{
	guest_expiries++;
}

static void guest_deadline_shares_the_hardware(void **state)
{
	struct event a = event('a');

	(void)state;
	timer_guest_expired = guest_expired;
	guest_expiries = 0;
	timer_arm(&a.timer, 200);
	irq_disable();
	timer_set_guest_deadline(150);
	assert_int_equal(programmed, 150);
	timer_set_guest_deadline(180);
	timer_set_guest_deadline(UINT64_MAX);
	timer_set_guest_deadline(160);
	irq_enable();
	assert_int_equal(programs, 2); /* 150 fires early for 160: no call for that */
	interrupt_at(150);
	assert_int_equal(guest_expiries, 0);
	assert_int_equal(programmed, 160);
	interrupt_at(160);
	assert_int_equal(guest_expiries, 1);
	assert_string_equal(trace, "");
	interrupt_at(200);
	assert_int_equal(guest_expiries, 1); /* one deadline, one expiry */
	assert_string_equal(trace, "a");
}

static void a_timer_in_the_past_does_not_hold_the_hart(void **state)
{
	struct event a = event('a');
	size_t n;

	(void)state;
	a.again = 1;
	timer_arm(&a.timer, 101);
	interrupt_at(1000000);
	n = strlen(trace);
	assert_true(n > 1 && n < 200);
	assert_true(programmed <= 1000000); /* the rest follows at once */
	timer_cancel(&a.timer);
}

/* While a timer's function is under way on hart 0, hart 1 cancels the timer and has to wait for it. */
static unsigned spins;
static struct timer *re_armed; /* by its function, meanwhile */

static void hart_1_spins(bool wfi)
{
	(void)wfi;
	spins++;
	mock_wait = NULL;
	mock_hart = &mock_harts[0];
	if (re_armed)
		timer_arm(re_armed, 500);
	timer_interrupt(); /* hart 0 goes on: its next timer starts, so the function is over */
	mock_hart = &mock_harts[1];
}

static void slow(struct timer *t)
{
	mock_hart = &mock_harts[1];
	mock_wait = hart_1_spins;
	timer_cancel_sync(t);
	mock_hart = &mock_harts[0];
	strcat(trace, "s");
}

static void cancel_sync_waits_for_the_function(void **state)
{
	struct event next = event('n');
	struct timer t;

	(void)state;
	timer_init(&t, slow);
	timer_arm(&t, 150);
	timer_arm(&next.timer, 150);
	spins = 0;
	interrupt_at(150);
	assert_int_equal(spins, 1);
	assert_string_equal(trace, "ns");
}

static void cancel_sync_holds_against_a_function_that_rearms(void **state)
{
	(void)state;
	struct event next = event('n');
	struct timer t;

	timer_init(&t, slow);
	timer_arm(&t, 150);
	timer_arm(&next.timer, 150);
	re_armed = &t;
	interrupt_at(150);
	re_armed = NULL;
	assert_string_equal(trace, "ns");
	assert_false(t.queued);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(time_units, fresh),
		cmocka_unit_test_setup(B9_timers_run_in_order_of_deadline, fresh),
		cmocka_unit_test_setup(B9_handler_rearms_the_clock_and_counts, fresh),
		cmocka_unit_test_setup(the_hardware_is_not_programmed_in_vain, fresh),
		cmocka_unit_test_setup(one_program_for_all_that_an_interrupt_rearms, fresh),
		cmocka_unit_test_setup(cancelled_timers_do_not_run, fresh),
		cmocka_unit_test_setup(rearming_moves_a_timer_between_harts, fresh),
		cmocka_unit_test_setup(adopted_timers_run_here_and_stay_cancellable, fresh),
		cmocka_unit_test_setup(guest_deadline_shares_the_hardware, fresh),
		cmocka_unit_test_setup(a_timer_in_the_past_does_not_hold_the_hart, fresh),
		cmocka_unit_test_setup(cancel_sync_waits_for_the_function, fresh),
		cmocka_unit_test_setup(cancel_sync_holds_against_a_function_that_rearms, fresh),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
