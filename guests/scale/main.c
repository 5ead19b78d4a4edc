/*
 * One of many: asleep until all of them are there, then the same thing over and over for 30 ms of the machine's time, which
 * it counts. `do=calls` is a null call of the firmware, `do=sleeps` a WFI that ends two microseconds later.
 */
#include "guest.h"

enum { BEGIN_MS = 200, COUNTED_MS = 30 };

static void call(void)
{
	sbi_call(SBI_EXT_BASE, BASE_SPEC_VERSION, 0, 0);
}

/* Interrupts stay off: a pending one ends WFI all the same. */
static void sleep_a_little(void)
{
	timer_set(time_now() + machine.timebase / 500000);
	wait_for_interrupt();
}

static void sleep_until(uint64_t time)
{
	while (time_now() < time) {
		timer_set(time);
		wait_for_interrupt();
	}
}

static uint64_t rounds_until(uint64_t end, void (*round)(void))
{
	uint64_t n;

	for (n = 0; time_now() < end; n++)
		round();
	return n;
}

int main(void)
{
	char what[16];
	bool sleeps = bootarg("do", what, sizeof(what)) && what[0] == 's';
	uint64_t ms = machine.timebase / 1000, rounds;

	csr_write(sie, SIE_STIE);
	if (time_now() > BEGIN_MS * ms)
		print("FAIL started too late: at %lu us\n", time_now() * 1000 / ms);
	sleep_until(BEGIN_MS * ms);
	rounds = rounds_until((BEGIN_MS + COUNTED_MS) * ms, sleeps ? sleep_a_little : call);
	timer_set(~0ul);
	print("rounds %lu\n", rounds);
	return 0;
}
