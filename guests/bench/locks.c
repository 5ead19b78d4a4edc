/*
 * How many locks the hypervisor takes for an operation, a row `row NAME LOCKS` each: it counts them in a debug build
 * (SBI_EXT_DEBUG). Interrupts that are the hypervisor's own affair come between now and then; so each operation is done
 * in batches, and the least of them counts.
 */
#include "bench.h"
#include "guest.h"
#include "loops.h"
#include "plic.h"

#define BATCH		10
#define BATCHES		20
#define TIMER_BATCHES	4000		/* until the hart has forgotten who had it before: a slice is 10 ms */
#define BLOCK		0x200000ul	/* RAM is backed in blocks of this size */
#define TOUCH_BASE	0x80800000ul

static uint64_t locks_taken(void)
{
	return (uint64_t)sbi_call(SBI_EXT_DEBUG, 0).value;
}

static void null_call(void)
{
	loop_null_call(BATCH);
}

static void unknown_call(void)
{
	loop_unknown_call(BATCH);
}

static void set_timer(void)
{
	loop_set_timer(BATCH, ~0ul);
}

static void ipi_self(void)
{
	csr_write(sie, SIE_SSIE);
	csr_set(sstatus, SSTATUS_SIE);
	loop_ipi(BATCH, this_hart->id);
	csr_clear(sstatus, SSTATUS_SIE);
}

static void remote_sfence(void)
{
	loop_remote_sfence(BATCH, this_hart->id);
}

static void remote_fence_i(void)
{
	loop_remote_fence_i(BATCH, this_hart->id);
}

static void hart_status(void)
{
	for (unsigned i = 0; i < BATCH; i++)
		(void)sbi_call(SBI_EXT_HSM, HSM_STATUS, this_hart->id);
}

static void counters_number(void)
{
	for (unsigned i = 0; i < BATCH; i++)
		(void)sbi_call(SBI_EXT_PMU, 0);
}

static void cycle_read(void)
{
	loop_cycle(BATCH);
}

/* By call, so that without Sstc the hypervisor's own timer has to fire. */
static void timer(uint64_t (*wait)(void))
{
	for (unsigned i = 0; i < BATCH; i++) {
		csr_write(sie, SIE_STIE);
		(void)arm_sbi(100);
		(void)wait();
	}
	timer_set(~0ul);
}

static void timer_spinning(void)
{
	timer(spin_for_interrupt);
}

static void timer_wfi(void)
{
	timer(wfi_for_interrupt);
}

static void scratch_read(void)
{
	(void)loop_read8(BATCH, UART_BASE + UART_SCR);
}

static void line_status(void)
{
	(void)loop_read8(BATCH, UART_BASE + UART_LSR);
}

static void scratch_write(void)
{
	loop_write8(BATCH, UART_BASE + UART_SCR, 0x55);
}

static void interrupt_id(void)
{
	(void)loop_read8(BATCH, UART_BASE + UART_IIR);
}

static void interrupt_enable(void)
{
	loop_write8(BATCH, UART_BASE + UART_IER, 0);
}

static void plic_priority(void)
{
	loop_read32(BATCH, PLIC_PRIORITY(UART_INTERRUPT));
}

static void plic_pending(void)
{
	loop_read32(BATCH, PLIC_PENDING(0));
}

static void plic_claim_nothing(void)
{
	loop_read32(BATCH, PLIC_CLAIM(plic_context(this_hart->id)));
}

static void device_interrupt(void)
{
	csr_write(sie, SIE_SEIE);
	csr_set(sstatus, SSTATUS_SIE);
	loop_uart_interrupt(BATCH);
	csr_clear(sstatus, SSTATUS_SIE);
}

/* New blocks in each batch, if there are so many. */
static void first_touch(void)
{
	static uint64_t at = TOUCH_BASE;

	for (unsigned i = 0; i < BATCH; i++, at += BLOCK)
		if (at < machine.ram_base + machine.ram_size - 4 * BLOCK)
			*(volatile uint64_t *)at = 0;
}

static void console_write(void)
{
	static const char text[] = "\n";

	loop_dbcn_write(BATCH, text, 1);
}

static const struct operation {
	const char *name;
	void (*run)(void);
	unsigned batches;
} operations[] = {
	{ "null-call", null_call, BATCHES },
	{ "unknown-call", unknown_call, BATCHES },
	{ "set-timer", set_timer, BATCHES },
	{ "timer-spinning", timer_spinning, TIMER_BATCHES },
	{ "timer-wfi", timer_wfi, TIMER_BATCHES },
	{ "ipi-self", ipi_self, BATCHES },
	{ "remote-sfence", remote_sfence, BATCHES },
	{ "remote-fence-i", remote_fence_i, BATCHES },
	{ "hart-status", hart_status, BATCHES },
	{ "counters-number", counters_number, BATCHES },
	{ "cycle-read", cycle_read, BATCHES },
	{ "uart-read", scratch_read, BATCHES },
	{ "uart-lsr-read", line_status, BATCHES },
	{ "uart-write", scratch_write, BATCHES },
	{ "uart-iir-read", interrupt_id, BATCHES },
	{ "uart-ier-write", interrupt_enable, BATCHES },
	{ "plic-read", plic_priority, BATCHES },
	{ "plic-pending-read", plic_pending, BATCHES },
	{ "plic-claim", plic_claim_nothing, BATCHES },
	{ "device-interrupt", device_interrupt, BATCHES },
	{ "first-touch-2m", first_touch, 2 },
	{ "dbcn-write-1", console_write, 2 },
};

/* Of the batches, the one that took the fewest. */
static uint64_t fewest(const struct operation *op)
{
	uint64_t least = ~0ul;

	op->run(); /* what is done only once: memory, the cache of devices */
	for (unsigned i = 0; i < op->batches && least; i++) {
		uint64_t before = locks_taken(), taken;

		op->run();
		taken = locks_taken() - before;
		least = taken < least ? taken : least;
	}
	return least;
}

bool bench_locks(void)
{
	unsigned context = plic_context(this_hart->id);

	if (sbi_call(SBI_EXT_DEBUG, 0).error)
		return false;
	plic_write(PLIC_PRIORITY(UART_INTERRUPT), 1);
	plic_write(PLIC_ENABLE(context), 1 << UART_INTERRUPT);
	plic_write(PLIC_THRESHOLD(context), 0);
	print("bench locks\n");
	for (unsigned i = 0; i < sizeof(operations) / sizeof(operations[0]); i++)
		row(operations[i].name, fewest(&operations[i]), BATCH);
	return true;
}
