/*
 * A real-time guest: a periodic timer, and how late each of its interrupts comes.
 *
 * Boot arguments: periods=N (1000) of period-us=N (1000) microseconds make a
 * round; after each round there is a report; rounds=N (1), 0: for ever; work-us=N
 * (0): it computes so long after each interrupt, interrupts off. While it
 * measures it calls nobody, neither firmware nor devices, but for the timer where
 * there is no stimecmp. Runs the same in a VM and on bare QEMU.
 */
#include "guest.h"

#include <string.h>

#define BUCKETS 33 /* by the number of bits: 0, 1, 2-3, 4-7, ... ticks; what is longer goes into the last */

static struct {
	uint64_t deadline, period;	/* ticks */
	uint64_t left;			/* periods of this round */
	uint64_t work;			/* ticks to compute in each */
	bool fired;
	uint64_t missed;		/* over before the one before was served */
	uint64_t min, max, sum, n;	/* ticks late */
	uint64_t bucket[BUCKETS];
} round;

static unsigned bucket_of(uint64_t late)
{
	unsigned bits = late ? 64 - (unsigned)__builtin_clzll(late) : 0;

	return bits < BUCKETS ? bits : BUCKETS - 1;
}

static void record(uint64_t late)
{
	round.n++;
	round.sum += late;
	round.bucket[bucket_of(late)]++;
	if (late < round.min)
		round.min = late;
	if (late > round.max)
		round.max = late;
}

/* The next deadline that is to come: whoever was away for several periods has missed some. */
static void next_period(uint64_t now)
{
	round.deadline += round.period;
	while (round.deadline <= now && round.left) {
		round.deadline += round.period;
		round.missed++;
		round.left--;
	}
	timer_set(round.left ? round.deadline : ~0ul);
}

static void timer_interrupt(struct trap *trap)
{
	uint64_t now = time_now();

	if (trap->scause != CAUSE_TIMER) {
		trap_unexpected(trap);
		return;
	}
	record(now - round.deadline);
	round.left--;
	round.fired = true;
	next_period(now);
}

static void begin(uint64_t periods, uint64_t period, uint64_t work)
{
	memset(&round, 0, sizeof(round));
	round.min = ~0ul;
	round.left = periods;
	round.period = period;
	round.work = work;
	round.deadline = time_now() + period;
	timer_set(round.deadline);
}

/* Computing is turns of a loop, so that it takes as long again when another had the hart meanwhile. */
static uint64_t turns_per_tick;

static void turn(uint64_t n)
{
	for (uint64_t i = 0; i < n; i++)
		__asm__ volatile("");
}

/* The fastest of several tries: others may have had the hart in the middle of one. */
static void measure_turns(void)
{
	const uint64_t n = 20000;

	for (unsigned i = 0; i < 50; i++) {
		uint64_t start = time_now(), rate;

		turn(n);
		rate = n / (time_now() - start + 1) + 1;
		if (rate > turns_per_tick)
			turns_per_tick = rate;
	}
}

static void compute(uint64_t ticks)
{
	turn(ticks * turns_per_tick);
}

/* Interrupts are let in only here, so that none comes between the look and the wait. */
static void run(void)
{
	while (round.left) {
		wait_for_interrupt();
		csr_set(sstatus, SSTATUS_SIE);
		csr_clear(sstatus, SSTATUS_SIE);
		if (round.fired && round.work)
			compute(round.work);
		round.fired = false;
	}
}

static void report(void)
{
	print("jitter: periods %lu missed %lu late min %lu avg %lu max %lu ticks of %lu ns\n", round.n + round.missed,
	      round.missed, round.min, (round.sum + round.n / 2) / round.n, round.max,
	      1000000000 / machine.timebase);
	for (unsigned b = 0; b < BUCKETS; b++)
		if (round.bucket[b])
			print("  %10lu to %10lu ticks: %lu\n", b ? 1ul << (b - 1) : 0, (1ul << b) - 1, round.bucket[b]);
}

int main(void)
{
	uint64_t periods = bootarg_number("periods", 1000);
	uint64_t period = bootarg_number("period-us", 1000) * (machine.timebase / 1000) / 1000;
	uint64_t rounds = bootarg_number("rounds", 1);
	uint64_t work = bootarg_number("work-us", 0) * (machine.timebase / 1000) / 1000;

	if (!periods || !period) {
		print("FAIL periods and period-us are at least 1\n");
		return 1;
	}
	measure_turns();
	trap_set_handler(timer_interrupt);
	csr_write(sie, SIE_STIE);
	print("jitter: a timer every %lu ticks\n", period);
	for (uint64_t n = 0; !rounds || n < rounds; n++) {
		begin(periods, period, work);
		run();
		report();
	}
	return 0;
}
