/*
 * A bad neighbour, and the good one that suffers it. The boot arguments say
 * which (`do=NAME`): "work" is a fixed amount of work (`rounds=N`), all others
 * go on until the VM is stopped, or crash it.
 */
#include "guest.h"
#include "plic.h"

#include <string.h>

#define WORK_WORDS 4096
#define WORK_PER_LINE 100

static uint64_t work_area[WORK_WORDS];
static volatile uint64_t interrupts;

/* Interrupts are counted, taken back or asked for again; of faults, bad accesses alone are survived. */
static void on_trap(struct trap *trap)
{
	interrupts++;
	if (trap->scause == CAUSE_SOFTWARE)
		csr_clear(sip, SIE_SSIE);
	else if (trap->scause == CAUSE_TIMER)
		timer_set(0);
	else if (trap->scause == 7)
		trap->sepc += (*(const uint16_t *)trap->sepc & 3) == 3 ? 4 : 2;
	else
		trap_unexpected(trap);
}

/* --- the worker --- */

/* What a round does depends on all before it, so that one wrong bit shows in every line that follows. */
static uint64_t work_round(uint64_t sum)
{
	for (unsigned i = 0; i < WORK_WORDS; i++) {
		sum = sum * 6364136223846793005ul + 1442695040888963407ul;
		work_area[i] += sum >> 7;
		sum ^= work_area[(sum >> 33) % WORK_WORDS];
	}
	return sum;
}

/* Every round also calls the firmware and a device, and takes an interrupt of its own. */
static void do_work(void)
{
	uint64_t rounds = bootarg_number("rounds", 1000), sum = 1;
	struct sbi_result r = { 0, 0 };

	csr_write(sie, SIE_SSIE);
	csr_set(sstatus, SSTATUS_SIE);
	for (uint64_t n = 1; n <= rounds; n++) {
		uint64_t before = interrupts;

		sum = work_round(sum);
		uart_write(UART_SCR, (uint8_t)sum);
		sum += uart_read(UART_SCR);
		r = sbi_call(SBI_EXT_IPI, 0, 1, this_hart->id);
		if (interrupts != before + 1 || r.error)
			print("FAIL round %lu: %lu interrupts, error %ld\n", n, interrupts - before, r.error);
		if (n % WORK_PER_LINE == 0)
			print("round %lu sum %016lx\n", n, sum);
	}
	print("worked %lu rounds\n", rounds);
}

/* --- storms --- */

static void do_console(void)
{
	static const char text[] = "flood flood flood flood flood flood flood flood flood flood flo\n";

	for (;;) {
		sbi_call(SBI_EXT_DBCN, DBCN_WRITE, sizeof(text) - 1, (uint64_t)text);
		uart_put(text, sizeof(text) - 1);
	}
}

static void send_for_ever(void *mask)
{
	trap_set_handler(on_trap);
	csr_write(sie, SIE_SSIE);
	csr_set(sstatus, SSTATUS_SIE);
	for (;;)
		sbi_call(SBI_EXT_IPI, 0, (uint64_t)mask, 0);
}

static void do_ipi_self(void)
{
	send_for_ever((void *)(1ul << this_hart->id));
}

/* All to all; with one CPU it is the same as above. */
static void do_ipi(void)
{
	void *all = (void *)((1ul << machine.harts) - 1);

	for (unsigned i = 1; i < machine.harts; i++)
		hart_start(i, send_for_ever, all);
	send_for_ever(all);
}

/* All CPUs have all CPUs fence. */
static void fence_for_ever(void *mask)
{
	for (;;) {
		sbi_call(SBI_EXT_RFENCE, RFENCE_SFENCE, (uint64_t)mask, 0, 0, ~0ul);
		sbi_call(SBI_EXT_RFENCE, RFENCE_FENCE_I, (uint64_t)mask, 0);
	}
}

static void do_fence(void)
{
	void *all = (void *)((1ul << machine.harts) - 1);

	for (unsigned i = 1; i < machine.harts; i++)
		hart_start(i, fence_for_ever, all);
	fence_for_ever(all);
}

/* The handler asks for the next one at once, so that the interrupt never goes away. */
static void do_timer(void)
{
	csr_write(sie, SIE_STIE);
	timer_set(0);
	csr_set(sstatus, SSTATUS_SIE);
	for (;;)
		;
}

/* A deadline a microsecond away, slept for. */
static void do_timer_wfi(void)
{
	csr_write(sie, SIE_STIE);
	for (;;) {
		sbi_call(SBI_EXT_TIME, 0, time_now() + machine.timebase / 1000000);
		wait_for_interrupt();
	}
}

static void do_exits(void)
{
	for (;;) {
		sbi_call(SBI_EXT_BASE, BASE_SPEC_VERSION);
		uart_read(UART_LSR);
		plic_read(PLIC_PRIORITY(1));
		uart_write(UART_IER, UART_IER_TX);
		uart_write(UART_IER, 0);
	}
}

static void do_wfi(void)
{
	csr_write(sie, SIE_STIE);
	timer_set(0);
	for (;;)
		wait_for_interrupt();
}

/* All of its RAM, then afresh by a reboot: frames are taken and given back for ever. */
static void do_touch(void)
{
	uint64_t end = machine.ram_base + machine.ram_size - (3 << 20);

	for (uint64_t page = (uint64_t)guest_end; page < end; page += 4096)
		*(volatile uint64_t *)page = page;
	sbi_call(SBI_EXT_SRST, 0, SRST_COLD_REBOOT, SRST_NO_REASON);
}

/* Addresses where nothing is: the hypervisor gives the fault back each time. */
static void do_access(void)
{
	for (;;)
		*(volatile uint32_t *)0x40000000ul = 1;
}

static void do_reboot(void)
{
	sbi_call(SBI_EXT_SRST, 0, SRST_COLD_REBOOT, SRST_NO_REASON);
}

static void do_hang(void)
{
	csr_write(sie, 0);
	csr_clear(sstatus, SSTATUS_SIE);
	for (;;)
		;
}

/* --- crashes --- */

static void do_illegal(void)
{
	__asm__ volatile(".word 0");
}

static void do_lost(void)
{
	csr_write(stvec, 0x50000);
	__asm__ volatile(".word 0");
}

static void do_off(void)
{
	delay_ms((unsigned)bootarg_number("ms", 0));
}

static const struct {
	const char *name;
	void (*run)(void);
} things[] = {
	{ "work", do_work }, { "console", do_console }, { "ipi-self", do_ipi_self }, { "ipi", do_ipi },
	{ "fence", do_fence }, { "timer", do_timer }, { "timer-wfi", do_timer_wfi }, { "exits", do_exits },
	{ "wfi", do_wfi }, { "touch", do_touch }, { "access", do_access }, { "reboot", do_reboot },
	{ "hang", do_hang }, { "illegal", do_illegal }, { "lost", do_lost }, { "off", do_off },
};

int main(void)
{
	char name[16] = "";

	bootarg("do", name, sizeof(name));
	trap_set_handler(on_trap);
	for (size_t i = 0; i < sizeof(things) / sizeof(things[0]); i++) {
		if (strcmp(things[i].name, name))
			continue;
		print("%s\n", name);
		things[i].run();
		return 0;
	}
	print("nothing of that name to do: '%s'\n", name);
	return 1;
}
