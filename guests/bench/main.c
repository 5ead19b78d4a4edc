/*
 * The bench guest: instructions per operation, one `row NAME VALUE` line each.
 *
 * It is meant for `-icount shift=0`, where an instruction is a nanosecond of
 * the machine's time and the time counter ticks every hundred of them. What an
 * operation costs is everything executed for it anywhere: here, in the
 * hypervisor and in the firmware, with this guest's loop or handler included.
 */
#include "bench.h"
#include "guest.h"
#include "loops.h"
#include "plic.h"

#include <string.h>

#define ROUNDS		2000
#define TOUCH_BASE	0x80800000ul
#define TOUCH_PAGES	4096
#define STOCK_BASE	(TOUCH_BASE + TOUCH_PAGES * 4096)

static struct bench_state state;
static char text[66];

_Noreturn void bench_unexpected(uint64_t frame, uint64_t cause, uint64_t pc, uint64_t value);

void bench_unexpected(uint64_t frame, uint64_t cause, uint64_t pc, uint64_t value)
{
	(void)frame;
	print("FAIL unexpected trap: cause %lx pc %lx value %lx\n", cause, pc, value);
	guest_exit(1);
}

void row(const char *name, uint64_t instructions, uint64_t n)
{
	uint64_t tenths = (instructions * 10 + n / 2) / n;

	print("row %s %lu.%lu\n", name, tenths / 10, tenths % 10);
}

static void time_row(const char *name, uint64_t ticks, uint64_t n)
{
	row(name, ticks * (1000000000 / machine.timebase), n);
}

#define MEASURE(name, n, call) do { \
	uint64_t start_; \
	align_tick(0); \
	start_ = time_now(); \
	call; \
	time_row(name, time_now() - start_, n); \
} while (0)

static void bench_calls(void)
{
	uint64_t hart = this_hart->id;

	MEASURE("null-call", ROUNDS, loop_null_call(ROUNDS));
	MEASURE("unknown-call", ROUNDS, loop_unknown_call(ROUNDS));
	MEASURE("set-timer", ROUNDS, loop_set_timer(ROUNDS, ~0ul));
	MEASURE("remote-sfence", ROUNDS, loop_remote_sfence(ROUNDS, hart));
	MEASURE("remote-fence-i", ROUNDS, loop_remote_fence_i(ROUNDS, hart));
}

static void bench_counters(void)
{
	if (machine.sstc)
		MEASURE("stimecmp-write", ROUNDS, loop_stimecmp(ROUNDS));
	MEASURE("time-read", ROUNDS, loop_time(ROUNDS));
	MEASURE("cycle-read", ROUNDS, loop_cycle(ROUNDS));
}

/* Interrupts are on only inside the loops that expect them. */
static void bench_interrupts(void)
{
	uint64_t hart = this_hart->id;
	unsigned context = plic_context(hart);

	csr_write(sie, SIE_SSIE);
	csr_set(sstatus, SSTATUS_SIE);
	MEASURE("ipi-self", ROUNDS, loop_ipi(ROUNDS, hart));
	plic_write(PLIC_PRIORITY(UART_INTERRUPT), 1);
	plic_write(PLIC_ENABLE(context), 1 << UART_INTERRUPT);
	plic_write(PLIC_THRESHOLD(context), 0);
	csr_write(sie, SIE_SEIE);
	MEASURE("device-interrupt", ROUNDS, loop_uart_interrupt(ROUNDS));
	csr_clear(sstatus, SSTATUS_SIE);
	csr_write(sie, 0);
	plic_write(PLIC_ENABLE(context), 0);
}

/*
 * The time counter is too coarse for one latency, so its position within a tick
 * is varied over the whole tick: then the mean of the differences is exact.
 */
static void bench_timer(const char *name, uint64_t (*arm)(uint64_t), uint64_t (*wait)(void))
{
	uint64_t total = 0;

	delay_ms(20); /* the last row's output is shown: no timer of the host's for that is between these */
	for (unsigned i = 0; i < ROUNDS; i++) {
		uint64_t deadline;

		csr_write(sie, SIE_STIE);
		align_tick(i % 100);
		deadline = arm(100);
		total += wait() - deadline;
	}
	csr_write(sie, 0);
	time_row(name, total, ROUNDS);
}

/* WFI with the interrupt enabled but not taken: the wait itself. It may end before, as any WFI may. */
static uint64_t wfi_masked(void)
{
	do
		wait_for_interrupt();
	while (!(csr_read(sip) & SIE_STIE));
	return time_now();
}

static void bench_timers(void)
{
	uint64_t (*arm)(uint64_t) = machine.sstc ? arm_stimecmp : arm_sbi;

	bench_timer("timer-spinning", arm, spin_for_interrupt);
	bench_timer("timer-wfi", arm, wfi_for_interrupt);
	bench_timer("wfi-wake", arm, wfi_masked);
	timer_set(~0ul);
}

static void bench_devices(void)
{
	MEASURE("uart-read", ROUNDS, loop_read8(ROUNDS, UART_BASE + UART_SCR));
	MEASURE("uart-read-s1", ROUNDS, loop_read8_s1(ROUNDS, UART_BASE + UART_SCR));
	MEASURE("uart-write", ROUNDS, loop_write8(ROUNDS, UART_BASE + UART_SCR, 0x55));
	MEASURE("uart-write-s1", ROUNDS, loop_write8_s1(ROUNDS, UART_BASE + UART_SCR, 0x55));
	MEASURE("uart-lsr-read", ROUNDS, loop_read8(ROUNDS, UART_BASE + UART_LSR));
	MEASURE("plic-read", ROUNDS, loop_read32(ROUNDS, PLIC_PRIORITY(UART_INTERRUPT)));
}

static void bench_memory(void)
{
	uint64_t ram_end = machine.ram_base + machine.ram_size;

	if (ram_end >= TOUCH_BASE + TOUCH_PAGES * 4096)
		MEASURE("first-touch", TOUCH_PAGES, loop_touch(TOUCH_PAGES, TOUCH_BASE));
}

static void nap(uint64_t ticks)
{
	uint64_t deadline = time_now() + ticks;

	csr_write(sie, SIE_STIE);
	timer_set(deadline);
	while (time_now() < deadline)
		wait_for_interrupt();
	csr_write(sie, 0);
	timer_set(~0ul);
}

/* Once more, after the hart had nothing to do for a while. */
static void bench_memory_after_rest(void)
{
	uint64_t ram_end = machine.ram_base + machine.ram_size;

	if (ram_end < STOCK_BASE + TOUCH_PAGES * 4096)
		return;
	for (unsigned i = 0; i < 4; i++)
		nap(machine.timebase / 20);
	MEASURE("first-touch-stock", TOUCH_PAGES, loop_touch(TOUCH_PAGES, STOCK_BASE));
}

/* What is written ends in a newline, so that the rows stay readable. */
static void bench_console(void)
{
	const unsigned n = 20, line = 60;

	MEASURE("uart-output", line, loop_uart_output(line, '.'));
	print("\n");
	text[0] = '\n';
	MEASURE("dbcn-write-1", n, loop_dbcn_write(n, text, 1));
	memset(text, '.', sizeof(text));
	text[63] = '\n';
	MEASURE("dbcn-write-64", n, loop_dbcn_write(n, text, 64));
	text[63] = '.';
	text[65] = '\n';
	MEASURE("dbcn-write-66", n, loop_dbcn_write(n, text, 66));
}

static void hart_nothing(void *arg)
{
	(void)arg;
}

/* From before the call to the first instruction of the other hart. */
static void bench_hart_start(void)
{
	const unsigned rounds = 20;
	uint64_t total = 0;

	if (machine.harts < 2)
		return;
	for (unsigned i = 0; i < rounds; i++) {
		uint64_t start = time_now();

		if (hart_start(1, hart_nothing, NULL) || !hart_wait_state(1, HSM_STOPPED)) {
			print("FAIL hart start\n");
			return;
		}
		total += harts[1].started - start;
	}
	time_row("hart-start", total, rounds);
}

static void begin(void)
{
	state.claim = PLIC_CLAIM(plic_context(this_hart->id));
	csr_write(sscratch, &state);
	csr_write(stvec, bench_vector);
}

static void bench_machine(void)
{
	print("bench sstc %s harts %u\n", machine.sstc ? "yes" : "no", machine.harts);
	MEASURE("empty-loop", ROUNDS, loop_empty(ROUNDS));
	bench_calls();
	bench_lookup();
	bench_counters();
	bench_interrupts();
	bench_timers();
	bench_devices();
	bench_memory();
	bench_console();
	bench_hart_start();
	if (!bench_two_harts())
		print("FAIL two harts\n");
	bench_memory_after_rest();
}

/* With a boot argument `block`, `locks` or `devices`: see block.c, locks.c and devices.c. */
int main(void)
{
	uint64_t devices = bootarg_number("devices", 0);
	char which[16];

	begin();
	if (bootarg("locks", which, sizeof(which))) {
		if (!bench_locks()) {
			print("FAIL locks are not counted: this is no debug build of Caisson\n");
			return 1;
		}
	} else if (devices) {
		if (!bench_in_turn(devices)) {
			print("FAIL there are not so many devices\n");
			return 1;
		}
	} else if (!bootarg("block", which, sizeof(which))) {
		bench_machine();
	} else if (!bench_block(which)) {
		print("FAIL block %s\n", which);
		return 1;
	}
	print("bench done\n");
	return 0;
}
