/*
 * What it costs that two harts of a VM share one of the machine's. With one hart there is nothing to measure.
 *
 * Who takes turns counts in instret, which is exact: under -icount it goes on by every instruction of the machine's hart.
 */
#include "bench.h"
#include "guest.h"
#include "loops.h"

#define WAKE_UPS	200	/* two for each place within a tick of the time counter */
#define SLICES		20
#define YIELDS		1000
#define FENCES		1000
#define IPIS		1000
/* Instructions that pass only if the other hart has had a slice. */
#define SLICE_AT_LEAST	1000000

static volatile bool keep_going;
static volatile uint64_t turns, turns_cost;
/** By hart: when it was seen to run last, in instructions. */
static volatile uint64_t seen[2];

static uint64_t instructions(void)
{
	return csr_read(instret);
}

static bool with_other(void (*other)(void *), void (*bench)(void))
{
	keep_going = true;
	if (hart_start(1, other, NULL))
		return false;
	bench();
	keep_going = false;
	return hart_wait_state(1, HSM_STOPPED);
}

static void spin(void *arg)
{
	(void)arg;
	while (keep_going)
		;
}

/*
 * As timer-wfi, but the other hart runs meanwhile. The sleep is long enough for any scheduler to find that it is this
 * one's turn when it ends.
 */
static void bench_given_away(void)
{
	uint64_t ticks = machine.timebase / 1600, total = 0;

	for (unsigned i = 0; i < WAKE_UPS; i++) {
		uint64_t deadline;

		csr_write(sie, SIE_STIE);
		align_tick(i % 100);
		deadline = machine.sstc ? arm_stimecmp(ticks) : arm_sbi(ticks);
		total += wfi_for_interrupt() - deadline;
	}
	csr_write(sie, 0);
	timer_set(~0ul);
	row("wfi-given-away", total * (1000000000 / machine.timebase), WAKE_UPS);
}

/* Run until there were so many turns, and count from the last instruction of the one to the first of the other. */
static void take_turns(unsigned me)
{
	uint64_t last = instructions();

	while (turns < SLICES && keep_going) {
		uint64_t now = instructions();

		if (now - last > SLICE_AT_LEAST) {
			turns_cost += now - seen[!me];
			turns++;
		}
		last = seen[me] = now;
	}
}

static void take_turns_too(void *arg)
{
	(void)arg;
	take_turns(1);
}

static void bench_slices(void)
{
	take_turns(0);
	row("switch-slice", turns_cost, turns);
}

static void wait_a_little(void)
{
	uint32_t reserved;

	/* wrs.nto */
	__asm__ volatile("lr.w %0, (%1)\n.insn i 0x73, 0, x0, x0, 0xd" : "=r"(reserved) : "r"(&seen[0]) : "memory");
}

static void wait_always(void *arg)
{
	(void)arg;
	while (keep_going)
		wait_a_little();
}

static void bench_yields(void)
{
	uint64_t start;

	wait_a_little();
	start = instructions();
	for (unsigned i = 0; i < YIELDS; i++)
		wait_a_little();
	row("switch-yield", instructions() - start, 2 * YIELDS);
}

/* Sleeps but for IPIs, of which each is an order to send one back. */
static void answer_ipis(void *arg)
{
	(void)arg;
	csr_write(sie, SIE_SSIE);
	while (keep_going) {
		wait_for_interrupt();
		csr_clear(sip, SIE_SSIE);
		sbi_call(SBI_EXT_IPI, 0, 1, harts[0].id);
	}
	csr_write(sie, 0);
}

static void play(unsigned rounds)
{
	csr_write(sie, SIE_SSIE);
	for (unsigned i = 0; i < rounds; i++) {
		sbi_call(SBI_EXT_IPI, 0, 1, harts[1].id);
		wait_for_interrupt();
		csr_clear(sip, SIE_SSIE);
	}
	csr_write(sie, 0);
}

/* The other hart sleeps: fences do not wake it, IPIs do. */
static void bench_other_asleep(void)
{
	uint64_t start;

	play(10);
	start = instructions();
	loop_remote_sfence(FENCES, harts[1].id);
	row("remote-sfence-asleep", instructions() - start, FENCES);
	start = instructions();
	play(IPIS);
	row("ipi-asleep", instructions() - start, 2 * IPIS);
	keep_going = false;
	play(1);
}

bool bench_two_harts(void)
{
	return machine.harts < 2 || (with_other(spin, bench_given_away) && with_other(take_turns_too, bench_slices) &&
				     with_other(wait_always, bench_yields) &&
				     with_other(answer_ipis, bench_other_asleep));
}
