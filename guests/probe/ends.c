/* Ways for a guest to end, to misbehave, or not to end at all. */
#include "probe.h"

void test_spin(void)
{
	print("spinning\n");
	for (;;)
		;
}

/* It asks for its input, and never looks. */
void test_deaf(void)
{
	uart_write(UART_IER, UART_IER_RX);
	test_spin();
}

void test_wfi(void)
{
	print("waiting\n");
	for (;;)
		wait_for_interrupt();
}

/* Exits of all kinds as fast as they go, for so many milliseconds. */
void test_storm(void)
{
	uint64_t end = time_now() + machine.timebase / 1000 * bootarg_number("ms", 1000);

	while (time_now() < end) {
		sbi_call(SBI_EXT_BASE, 0);
		sbi_call(0x123, 0);
		sbi_call(SBI_EXT_TIME, 0, 0);
		sbi_call(SBI_EXT_IPI, 0, 0, ~0ul);
		sbi_call(SBI_EXT_RFENCE, RFENCE_FENCE_I, 0, ~0ul);
		uart_read(UART_LSR);
		uart_write(UART_IER, UART_IER_TX);
		uart_write(UART_IER, 0);
		sbi_call(SBI_EXT_HSM, HSM_STATUS, this_hart->id);
	}
}

/* Feed the watchdog for so many ms, which is longer than it waits, then no longer. */
void test_watchdog(void)
{
	volatile uint32_t *watchdog = (volatile uint32_t *)0x102000;
	uint64_t end = time_now() + machine.timebase / 1000 * bootarg_number("ms", 5000);

	expect(watchdog[0xfc / 4] == 0x44570120, "there is a watchdog");
	while (time_now() < end) {
		delay_ms(100);
		watchdog[0x0c / 4] = 0x76;
	}
	print("fed no more\n");
	test_spin();
}

void test_failure(void)
{
	print("failing\n");
	sbi_call(SBI_EXT_SRST, 0, SRST_SHUTDOWN, SRST_SYSTEM_FAILURE);
}

/* A trap vector that cannot be fetched: the hart can only fault there for ever. */
void test_double_fault(void)
{
	print("faulting\n");
	csr_write(stvec, 0x50000);
	__asm__ volatile("ebreak");
}

void test_jump(void)
{
	print("jumping\n");
	csr_write(stvec, 0x60000);
	((void (*)(void))0x50000)();
}

/* The console is all that tells one boot from the next; the test counts lines. */
void test_reboot(void)
{
	print("booted\n");
	sbi_call(SBI_EXT_SRST, 0, bootarg_number("warm", 0) ? SRST_WARM_REBOOT : SRST_COLD_REBOOT, 0);
}

/* The test finisher: 0x5555 ends well, 0x7777 reboots, a status and 0x3333 fails. */
void test_finisher(void)
{
	uint32_t value = bootarg_number("value", 0x5555);

	print("finishing with %x\n", value);
	*(volatile uint32_t *)0x100000 = value;
	delay_ms(100);
	print("the finisher ignored it\n");
}

/* The last hart stops itself: nobody is left to end the machine. */
void test_halt(void)
{
	print("halting\n");
	sbi_call(SBI_EXT_HSM, HSM_STOP);
}
