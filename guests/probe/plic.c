/* The PLIC's registers and the life of an interrupt, with the UART and the clock as sources. */
#include "plic.h"
#include "probe.h"

#define RTC_BASE	0x101000ul
#define RTC_INTERRUPT	11

enum { RTC_TIME_LOW = 0, RTC_TIME_HIGH = 4, RTC_ALARM_LOW = 8, RTC_ALARM_HIGH = 12,
       RTC_IRQ_ENABLED = 16, RTC_CLEAR_INTERRUPT = 28 };

static unsigned context;

static bool external_pending(void)
{
	return csr_read(sip) & SIE_SEIE;
}

static void uart_raise(void)
{
	uart_write(UART_IER, UART_IER_TX);
}

static void uart_lower(void)
{
	uart_write(UART_IER, 0);
	uart_read(UART_IIR);
}

/* An alarm in the past asks for an interrupt at once. */
static void rtc_raise(void)
{
	plic_write(RTC_BASE + RTC_IRQ_ENABLED, 1);
	plic_read(RTC_BASE + RTC_TIME_LOW);
	plic_write(RTC_BASE + RTC_ALARM_HIGH, 0);
	plic_write(RTC_BASE + RTC_ALARM_LOW, 1);
}

static void rtc_lower(void)
{
	plic_write(RTC_BASE + RTC_CLEAR_INTERRUPT, 1);
	plic_write(RTC_BASE + RTC_IRQ_ENABLED, 0);
}

static void set_up(uint32_t uart_priority, uint32_t rtc_priority, uint32_t threshold)
{
	plic_write(PLIC_PRIORITY(UART_INTERRUPT), uart_priority);
	plic_write(PLIC_PRIORITY(RTC_INTERRUPT), rtc_priority);
	plic_write(PLIC_ENABLE(context), 1 << UART_INTERRUPT | 1 << RTC_INTERRUPT);
	plic_write(PLIC_THRESHOLD(context), threshold);
}

static uint32_t claim(void)
{
	return plic_read(PLIC_CLAIM(context));
}

static void complete(uint32_t source)
{
	plic_write(PLIC_CLAIM(context), source);
}

static void show_write(const char *name, uint64_t reg, uint32_t value)
{
	plic_write(reg, value);
	print("%s %x: %x\n", name, value, plic_read(reg));
}

static void check_registers(void)
{
	static const uint32_t values[] = { 1, 7, 0 };

	for (unsigned i = 0; i < 3; i++) {
		show_write("priority of 10", PLIC_PRIORITY(UART_INTERRUPT), values[i]);
		show_write("priority of 1", PLIC_PRIORITY(1), values[i]);
		show_write("priority of 0", PLIC_PRIORITY(0), values[i]);
		show_write("threshold", PLIC_THRESHOLD(context), values[i]);
	}
	show_write("enable word 0", PLIC_ENABLE(context), 0xfffffffe);
	show_write("enable word 0", PLIC_ENABLE(context), 0x55555554);
	show_write("enable word 0", PLIC_ENABLE(context), 0);
	show_write("pending word 0", PLIC_PENDING(0), 0xffffffff);
	print("claim with nothing pending: %u\n", claim());
	complete(UART_INTERRUPT);
	complete(0);
	complete(0xffffffff);
	print("claim after completions of nothing: %u\n", claim());
}

static void check_life(void)
{
	set_up(1, 0, 0);
	expect(!external_pending(), "quiet at first");
	uart_raise();
	expect(external_pending(), "interrupt pending");
	print("pending word 0: %x\n", plic_read(PLIC_PENDING(0)));
	expect(claim() == UART_INTERRUPT, "claim gives the source");
	expect(claim() == 0, "a second claim gives nothing");
	expect(!external_pending(), "quiet while claimed");
	complete(RTC_INTERRUPT);
	expect(claim() == 0, "completion of another source is not for this one");
	uart_lower();
	complete(UART_INTERRUPT);
	expect(!external_pending() && claim() == 0, "quiet after the line went low");
}

static void check_masks(void)
{
	set_up(3, 0, 2);
	uart_raise();
	expect(external_pending(), "priority above the threshold");
	plic_write(PLIC_THRESHOLD(context), 3);
	expect(!external_pending(), "priority at the threshold");
	plic_write(PLIC_THRESHOLD(context), 7);
	expect(!external_pending(), "highest threshold");
	plic_write(PLIC_THRESHOLD(context), 0);
	expect(external_pending(), "threshold lowered");
	plic_write(PLIC_PRIORITY(UART_INTERRUPT), 0);
	expect(!external_pending(), "priority 0 never interrupts");
	plic_write(PLIC_PRIORITY(UART_INTERRUPT), 1);
	plic_write(PLIC_ENABLE(context), 0);
	expect(claim() == 0 && !external_pending(), "disabled");
	plic_write(PLIC_ENABLE(context), 1 << UART_INTERRUPT);
	expect(claim() == UART_INTERRUPT, "enabled again");
	uart_lower();
	complete(UART_INTERRUPT);
	expect(!external_pending(), "quiet at last");
}

static void take_both(uint32_t uart_priority, uint32_t rtc_priority)
{
	uint32_t first, second;

	set_up(uart_priority, rtc_priority, 0);
	uart_raise();
	rtc_raise();
	first = claim();
	second = claim();
	print("priorities %u and %u: claimed %u, then %u, then %u\n",
	      uart_priority, rtc_priority, first, second, claim());
	uart_lower();
	rtc_lower();
	complete(first);
	complete(second);
	expect(!external_pending(), "quiet after both");
}

static void check_trap(void)
{
	catch_traps();
	set_up(1, 0, 0);
	csr_write(sie, SIE_SEIE);
	uart_raise();
	csr_set(sstatus, SSTATUS_SIE);
	while (!caught.any)
		wait_for_interrupt();
	csr_clear(sstatus, SSTATUS_SIE);
	expect(caught.cause == CAUSE_EXTERNAL, "the device interrupts: cause %lx", caught.cause);
	expect(claim() == UART_INTERRUPT, "claimed in the handler");
	uart_lower();
	complete(UART_INTERRUPT);
}

static void check_order(void)
{
	take_both(1, 2);
	take_both(2, 1);
	take_both(3, 3);
}

/* Printing would make the UART's line move in the middle. */
static void held(void (*check)(void))
{
	print_hold(true);
	check();
	print_hold(false);
}

void test_plic(void)
{
	context = plic_context(this_hart->id);
	check_registers();
	held(check_life);
	held(check_masks);
	held(check_order);
	held(check_trap);
}

/* As the specification says, though not QEMU's own PLIC: a level that stays high interrupts again. */
void test_plic_level(void)
{
	context = plic_context(this_hart->id);
	print_hold(true);
	set_up(1, 0, 0);
	uart_raise();
	expect(claim() == UART_INTERRUPT, "claim");
	complete(UART_INTERRUPT);
	expect(external_pending() && claim() == UART_INTERRUPT, "claim again after completion");
	plic_write(PLIC_ENABLE(context), 0);
	complete(UART_INTERRUPT);
	plic_write(PLIC_ENABLE(context), 1 << UART_INTERRUPT);
	expect(claim() == 0, "completion by a context that does not enable the source is ignored");
	complete(UART_INTERRUPT);
	expect(external_pending(), "enabled, it completes");
	plic_write(PLIC_ENABLE(context), 0);
	expect(!external_pending(), "disabled, it is not pending at once");
	print_hold(false);
}

static volatile unsigned ready;
static volatile unsigned answered;

/* Another hart waits for the device interrupt of its own context and answers it. */
static void take_interrupt(void *arg)
{
	unsigned mine = plic_context(this_hart->id);

	(void)arg;
	plic_write(PLIC_ENABLE(mine), 1 << UART_INTERRUPT);
	plic_write(PLIC_THRESHOLD(mine), 0);
	csr_write(sie, SIE_SEIE);
	ready = 1;
	while (!external_pending())
		wait_for_interrupt();
	answered = plic_read(PLIC_CLAIM(mine));
	uart_lower();
	plic_write(PLIC_CLAIM(mine), answered);
	plic_write(PLIC_ENABLE(mine), 0);
}

/* Every hart's context in turn is the only one that takes the interrupt. */
void test_plic_contexts(void)
{
	context = plic_context(this_hart->id);
	plic_write(PLIC_PRIORITY(UART_INTERRUPT), 1);
	for (unsigned i = 1; i < machine.harts; i++) {
		print_hold(true);
		ready = 0;
		answered = 0;
		hart_start(i, take_interrupt, NULL);
		while (!ready)
			;
		uart_raise();
		expect(hart_wait_state(i, HSM_STOPPED), "hart %u stops", i);
		expect(answered == UART_INTERRUPT, "hart %u answers its interrupt", i);
		expect(!external_pending() && claim() == 0, "nobody else sees it");
		print_hold(false);
	}
}
