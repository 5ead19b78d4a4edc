/* Timer deadlines: pending, order, cancellation, wake-up from WFI, accuracy. */
#include "probe.h"

static bool pending(void)
{
	return csr_read(sip) & SIE_STIE;
}

static void call_timer(uint64_t deadline)
{
	sbi_call(SBI_EXT_TIME, 0, deadline);
}

/* A deadline that came is never early, and it is not endlessly late. */
static void check_sleep(void (*set)(uint64_t), uint64_t ticks, bool wfi)
{
	uint64_t deadline = time_now() + ticks, woken;

	csr_write(sie, SIE_STIE);
	set(deadline);
	while (!pending())
		if (wfi)
			wait_for_interrupt();
	woken = time_now();
	expect(woken >= deadline && woken - deadline < 2 * machine.timebase,
	       "sleep of %lu ticks %s", ticks, wfi ? "in wfi" : "spinning");
	set(~0ul);
	expect(!pending(), "not pending after a deadline that never comes");
}

static void check_cancel(void (*set)(uint64_t))
{
	set(time_now() + machine.timebase / 200);
	set(~0ul);
	delay_ms(10);
	expect(!pending(), "a deadline that was taken back does not come");
	set(time_now() + machine.timebase);
	set(time_now() + machine.timebase / 200);
	delay_ms(10);
	expect(pending(), "an earlier deadline takes the place of a later one");
	set(time_now() + machine.timebase * 100);
	expect(!pending(), "a later deadline takes the place of one that has come");
	set(0);
	expect(pending(), "a deadline in the past comes at once");
	set(~0ul);
	expect(!pending(), "never is never");
}

static void check_trap(void (*set)(uint64_t))
{
	catch_traps();
	csr_write(sie, SIE_STIE);
	set(time_now() + machine.timebase / 1000);
	csr_set(sstatus, SSTATUS_SIE);
	while (!caught.any)
		wait_for_interrupt();
	csr_clear(sstatus, SSTATUS_SIE);
	expect(caught.cause == CAUSE_TIMER, "the timer interrupts: cause %lx", caught.cause);
	set(~0ul);
}

/* WFI with a pending enabled interrupt does not wait, though interrupts are off. */
static void check_wfi_pending(void)
{
	csr_write(sie, SIE_STIE);
	call_timer(0);
	for (int i = 0; i < 1000; i++)
		wait_for_interrupt();
	expect(pending(), "wfi goes on while an interrupt is pending");
	call_timer(~0ul);
	csr_write(sie, 0);
}

static void check_clock(void)
{
	uint64_t last = time_now();
	bool forward = true;

	for (int i = 0; i < 10000; i++) {
		uint64_t now = time_now();

		forward = forward && now >= last;
		last = now;
	}
	expect(forward, "time never goes back");
}

static void check_all(void (*set)(uint64_t))
{
	static const uint64_t ticks[] = { 1, 100, 10000, 200000 };

	for (unsigned i = 0; i < sizeof(ticks) / sizeof(ticks[0]); i++) {
		check_sleep(set, ticks[i], false);
		check_sleep(set, ticks[i], true);
	}
	check_cancel(set);
	check_trap(set);
}

void test_timer(void)
{
	check_clock();
	check_all(call_timer);
	check_wfi_pending();
	check_all(timer_set);
}
