/* What it costs to find out who answers an SBI call: the same for each extension, and for ids that nobody has. */
#include "bench.h"
#include "guest.h"
#include "loops.h"

#define ROUNDS		100
#define UNKNOWN_BASE	0x09000000ul	/* vendors' ids */
#define UNKNOWN		64

static const uint64_t known[] = {
	SBI_EXT_BASE, SBI_EXT_TIME, SBI_EXT_IPI, SBI_EXT_RFENCE, SBI_EXT_HSM, SBI_EXT_SRST,
	SBI_EXT_PMU, SBI_EXT_DBCN, SBI_EXT_SUSP, SBI_EXT_FWFT, SBI_EXT_STA,
};

struct range {
	uint64_t least, most;	/* ticks of ROUNDS calls */
};

static void measure(struct range *range, uint64_t extension)
{
	uint64_t start, ticks;

	align_tick(0);
	start = time_now();
	loop_call(ROUNDS, extension);
	ticks = time_now() - start;
	range->least = ticks < range->least ? ticks : range->least;
	range->most = ticks > range->most ? ticks : range->most;
}

static void range_rows(const char *least, const char *most, const struct range *range)
{
	uint64_t instructions = 1000000000 / machine.timebase;

	row(least, range->least * instructions, ROUNDS);
	row(most, range->most * instructions, ROUNDS);
}

void bench_lookup(void)
{
	struct range of_known = { .least = ~0ul }, of_unknown = { .least = ~0ul };

	for (unsigned i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		measure(&of_known, known[i]);
	for (unsigned i = 0; i < UNKNOWN; i++)
		measure(&of_unknown, UNKNOWN_BASE + i);
	range_rows("known-least", "known-most", &of_known);
	range_rows("unknown-least", "unknown-most", &of_unknown);
}
