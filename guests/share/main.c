/*
 * What its harts get done: each counts for itself from one time of the machine
 * to another (`from=MS until=MS`), so that VMs side by side can be compared. The
 * boot arguments say what is counted (`do=NAME`): "count" turns of a loop alone,
 * "lock" turns with a lock that all its harts hand to each other in order, waited
 * for in a loop with `pause` in it, "plain" the same without, "ipi" answers of
 * other harts to interrupts, also waited for in a loop.
 */
#include "guest.h"

#include <string.h>

#define TURNS 100 /* between looks at the clock */

static struct {
	volatile uint64_t work;
	volatile bool done;
	volatile uint64_t asked, answered;
} __attribute__((aligned(64))) each[HARTS_MAX];

static uint64_t from, until;
static void (*turn)(unsigned i);

static void count(unsigned i)
{
	for (unsigned n = 0; n < TURNS; n++)
		__asm__ volatile("" : : "r"(i + n));
}

/* --- a lock whose waiters have an order: one that does not run keeps all behind it waiting --- */

static unsigned next_ticket, now_serving;

static unsigned take_ticket(void)
{
	return __atomic_fetch_add(&next_ticket, 1, __ATOMIC_RELAXED);
}

static void count_and_pass_on(unsigned i, unsigned mine)
{
	count(i);
	__atomic_store_n(&now_serving, mine + 1, __ATOMIC_RELEASE);
}

static void lock(unsigned i)
{
	unsigned mine = take_ticket();

	while (__atomic_load_n(&now_serving, __ATOMIC_ACQUIRE) != mine)
		__asm__ volatile(".insn 0x0100000f" : : : "memory"); /* pause */
	count_and_pass_on(i, mine);
}

/* Nothing close to this loop tells that it is one that waits. */
static void lock_plain(unsigned i)
{
	unsigned mine = take_ticket();

	while (__atomic_load_n(&now_serving, __ATOMIC_ACQUIRE) != mine)
		;
	count_and_pass_on(i, mine);
}

/* --- calls --- */

static void answer(struct trap *trap)
{
	unsigned i = (unsigned)(this_hart - harts);

	if (trap->scause != (1ul << 63 | 1))
		trap_unexpected(trap);
	csr_clear(sip, SIE_SSIE);
	each[i].answered = each[i].asked;
}

static void ipi(unsigned i)
{
	unsigned other = (i + 1) % machine.harts;
	uint64_t wanted = each[other].asked + 1;

	/* Of each hart one other asks. */
	each[other].asked = wanted;
	__asm__ volatile("fence rw, rw" : : : "memory");
	sbi_call(SBI_EXT_IPI, 0, 1ul << harts[other].id, 0);
	while (each[other].answered != wanted && time_now() < until)
		;
}

/* --- all --- */

static void work(void *arg)
{
	unsigned i = (unsigned)(uintptr_t)arg;

	trap_set_handler(answer);
	csr_write(sie, SIE_SSIE);
	csr_set(sstatus, SSTATUS_SIE);
	while (time_now() < from)
		;
	while (time_now() < until) {
		turn(i);
		each[i].work++;
	}
	each[i].done = true;
	for (;;)
		wait_for_interrupt();
}

static void finish(void)
{
	for (unsigned i = 1; i < machine.harts; i++)
		while (!each[i].done)
			;
	for (unsigned i = 0; i < machine.harts; i++)
		print("hart %u work %lu\n", i, each[i].work);
	guest_exit(0);
}

static const struct {
	const char *name;
	void (*turn)(unsigned i);
} kinds[] = { { "count", count }, { "lock", lock }, { "plain", lock_plain }, { "ipi", ipi } };

int main(void)
{
	uint64_t ms = machine.timebase / 1000;
	char name[8] = "";

	from = bootarg_number("from", 0) * ms;
	until = bootarg_number("until", 1000) * ms;
	turn = count;
	bootarg("do", name, sizeof(name));
	for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (!strcmp(name, kinds[i].name))
			turn = kinds[i].turn;
	for (unsigned i = 1; i < machine.harts; i++)
		if (hart_start(i, work, (void *)(uintptr_t)i))
			return 1;
	trap_set_handler(answer);
	csr_write(sie, SIE_SSIE);
	csr_set(sstatus, SSTATUS_SIE);
	while (time_now() < from)
		;
	while (time_now() < until) {
		turn(0);
		each[0].work++;
	}
	each[0].done = true;
	finish();
	return 0;
}
