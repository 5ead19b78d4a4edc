/* The guests' runtime in C: set-up before main(), console, timer, end. */
#include "guest.h"

#include <stdarg.h>
#include <stdio.h>

void uart_put(const char *buf, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		while (!(uart_read(UART_LSR) & UART_LSR_TX_EMPTY))
			;
		uart_write(UART_DATA, buf[i]);
	}
}

int uart_get(void)
{
	uint8_t status = uart_read(UART_LSR), byte;

	if (!(status & UART_LSR_READY))
		return UART_NOTHING;
	byte = uart_read(UART_DATA);
	return status & UART_LSR_BREAK ? UART_BREAK : byte;
}

static struct {
	bool on;
	size_t used;
	char text[4096];
} held;

static void put(const char *buf, size_t n)
{
	if (!held.on) {
		uart_put(buf, n);
		return;
	}
	for (size_t i = 0; i < n && held.used < sizeof(held.text); i++)
		held.text[held.used++] = buf[i];
}

void print(const char *format, ...)
{
	char buf[512];
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(buf, sizeof(buf), format, args);
	va_end(args);
	put(buf, n < (int)sizeof(buf) ? n : (int)sizeof(buf) - 1);
}

void print_hold(bool on)
{
	held.on = on;
	if (on)
		return;
	uart_put(held.text, held.used);
	held.used = 0;
}

void timer_set(uint64_t deadline)
{
	if (machine.sstc)
		csr_write(0x14d, deadline);
	else
		sbi_call(SBI_EXT_TIME, 0, deadline);
}

void delay_ms(unsigned ms)
{
	uint64_t end = time_now() + machine.timebase / 1000 * ms;

	while (time_now() < end)
		;
}

void guest_exit(int status)
{
	sbi_call(SBI_EXT_SRST, 0, SRST_SHUTDOWN, status ? SRST_SYSTEM_FAILURE : SRST_NO_REASON);
	for (;;)
		wait_for_interrupt();
}
