/*
 * The demonstration's own guest: a line every two seconds, and a prompt that
 * answers. It sleeps in WFI between ticks; the timer and the UART wake it.
 */
#include "guest.h"
#include "plic.h"

#include <string.h>

#define PERIOD_SECONDS 2

static char line[80];
static size_t used;
static uint64_t deadline;
static uint64_t ticks;

static void answer(void)
{
	if (!strcmp(line, "help"))
		print("help   this text\n"
		      "info   what this machine is\n"
		      "reboot start again\n"
		      "off    shut down\n"
		      "anything else is said again\n");
	else if (!strcmp(line, "info"))
		print("harts: %u  RAM: %lu MiB at %lx  ticks: %lu\n",
		      machine.harts, machine.ram_size >> 20, machine.ram_base, ticks);
	else if (!strcmp(line, "reboot"))
		sbi_call(SBI_EXT_SRST, 0, SRST_COLD_REBOOT, SRST_NO_REASON);
	else if (!strcmp(line, "off"))
		guest_exit(0);
	else if (line[0])
		print("you said: %s\n", line);
}

static void typed(char c)
{
	if (c == '\r' || c == '\n') {
		print("\n");
		line[used] = '\0';
		used = 0;
		answer();
		print("tick> ");
	} else if (c == 0x7f || c == '\b') {
		if (used) {
			used--;
			print("\b \b");
		}
	} else if (c >= ' ' && used < sizeof(line) - 1) {
		line[used++] = c;
		print("%c", c);
	}
}

/* A tick keeps what is being typed: it goes on a line of its own above the prompt. */
static void tick(void)
{
	ticks++;
	line[used] = '\0';
	print("\r%-*s\rtick %lu\ntick> %s", 6 + (int)used, "", ticks, line);
	deadline += PERIOD_SECONDS * machine.timebase;
	timer_set(deadline);
}

static void serve_uart(unsigned context)
{
	uint32_t source = plic_read(PLIC_CLAIM(context));
	int c;

	while ((c = uart_get()) >= 0)
		typed((char)c);
	if (c == UART_BREAK) {
		print("\nasked to stop\n");
		guest_exit(0);
	}
	if (source)
		plic_write(PLIC_CLAIM(context), source);
}

int main(void)
{
	unsigned context = plic_context(this_hart->id);

	print("\nA guest of Caisson's own: a line every %u seconds. Type help.\ntick> ", PERIOD_SECONDS);
	plic_write(PLIC_PRIORITY(UART_INTERRUPT), 1);
	plic_write(PLIC_ENABLE(context), 1 << UART_INTERRUPT);
	plic_write(PLIC_THRESHOLD(context), 0);
	uart_write(UART_IER, UART_IER_RX);
	deadline = time_now() + PERIOD_SECONDS * machine.timebase;
	timer_set(deadline);
	csr_write(sie, SIE_STIE | SIE_SEIE);
	for (;;) {
		wait_for_interrupt();
		serve_uart(context);
		if (time_now() >= deadline)
			tick();
	}
}
