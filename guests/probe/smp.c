/* Several harts: start, stop, IPIs, fences, atomic increments. */
#include "probe.h"
#include "regs.h"

#include <string.h>

#define ADDITIONS 100000ul

static volatile uint64_t counter;
static volatile uint64_t arrived;
static volatile uint64_t turn;

static void add(volatile uint64_t *to, uint64_t n)
{
	__asm__ volatile("amoadd.d.aqrl zero, %1, (%0)" : : "r"(to), "r"(n) : "memory");
}

static void meet(void)
{
	add(&arrived, 1);
	while (arrived < machine.harts)
		;
}

static void adder(void *arg)
{
	(void)arg;
	meet();
	for (unsigned i = 0; i < ADDITIONS; i++)
		add(&counter, 1);
}

static void run_on_all(void (*function)(void *arg), const char *name)
{
	bool fine = true;

	arrived = 0;
	for (unsigned i = 1; i < machine.harts; i++)
		fine = fine && hart_start(i, function, (void *)(uintptr_t)i) == 0;
	function(0);
	for (unsigned i = 1; i < machine.harts; i++)
		fine = fine && hart_wait_state(i, HSM_STOPPED);
	expect(fine, "%s: every hart starts and stops", name);
}

static void check_additions(void)
{
	counter = 0;
	run_on_all(adder, "additions");
	expect(counter == machine.harts * ADDITIONS, "%u harts add %lu times", machine.harts, ADDITIONS);
}

static void clear_ipi(void)
{
	csr_clear(sip, SIE_SSIE);
	__asm__ volatile("fence rw, rw" : : : "memory");
}

/* turn counts up; odd turns are the other hart's. Each waits in WFI for the other's IPI. */
static void play(uint64_t parity, uint64_t partner, uint64_t rounds)
{
	csr_write(sie, SIE_SSIE);
	while (turn < rounds) {
		while (turn < rounds && (turn & 1) != parity) {
			wait_for_interrupt();
			clear_ipi();
		}
		if (turn < rounds) {
			add(&turn, 1);
			sbi_call(SBI_EXT_IPI, 0, 1, partner);
		}
	}
	sbi_call(SBI_EXT_IPI, 0, 1, partner);
	csr_write(sie, 0);
	clear_ipi();
}

static void player(void *arg)
{
	play(1, (uint64_t)arg, 1000);
}

static void check_ping_pong(unsigned index)
{
	turn = 0;
	expect(hart_start(index, player, (void *)this_hart->id) == 0, "hart %u plays", index);
	play(0, harts[index].id, 1000);
	expect(hart_wait_state(index, HSM_STOPPED), "hart %u stops", index);
	expect(turn == 1000, "1000 turns of ping-pong");
}

static void waiter(void *arg)
{
	(void)arg;
	add(&arrived, 1);
	csr_write(sie, SIE_SSIE);
	while (!(csr_read(sip) & SIE_SSIE))
		wait_for_interrupt();
	clear_ipi();
	add(&counter, 1);
}

/* One call with a mask of all the others reaches each of them. */
static void check_broadcast(uint64_t mask, uint64_t base)
{
	counter = 0;
	arrived = 0;
	for (unsigned i = 1; i < machine.harts; i++)
		hart_start(i, waiter, NULL);
	while (arrived < machine.harts - 1)
		;
	expect(sbi_call(SBI_EXT_IPI, 0, mask, base).error == 0, "ipi to all others");
	for (unsigned i = 1; i < machine.harts; i++)
		hart_wait_state(i, HSM_STOPPED);
	clear_ipi();
	expect(counter == machine.harts - 1, "every one of them is reached");
}

static void check_states(void)
{
	for (unsigned round = 0; round < 20; round++)
		for (unsigned i = 1; i < machine.harts; i++) {
			arrived = 0;
			if (hart_start(i, waiter, NULL))
				expect(false, "restart of hart %u", i);
			while (!arrived)
				;
			if (hart_start(i, waiter, NULL) != SBI_ALREADY_AVAILABLE)
				expect(false, "second start of hart %u is refused", i);
			sbi_call(SBI_EXT_IPI, 0, 1, harts[i].id);
			if (!hart_wait_state(i, HSM_STOPPED))
				expect(false, "hart %u stops", i);
		}
	expect(true, "harts start and stop 20 times");
}

/* Code that one hart changes is what another runs after a remote fence.i. */
static uint32_t code[2] __attribute__((aligned(64)));
static uint64_t fences;

static void set_code(uint64_t value)
{
	code[0] = 0x00000513 | (uint32_t)value << 20;	/* li a0, value */
	code[1] = 0x00008067;			/* ret */
}

static void runner(void *arg)
{
	(void)arg;
	for (uint64_t i = 0; i < fences; i++) {
		while (turn != 2 * i + 1)
			;
		__asm__ volatile("fence rw, rw" : : : "memory");
		counter += ((uint64_t (*)(void))code)() == i;
		__asm__ volatile("fence rw, rw" : : : "memory");
		turn = 2 * i + 2;
	}
}

static void check_fence_i(unsigned index)
{
	turn = 0;
	counter = 0;
	hart_start(index, runner, NULL);
	for (uint64_t i = 0; i < fences; i++) {
		set_code(i);
		__asm__ volatile("fence rw, rw" : : : "memory");
		sbi_call(SBI_EXT_RFENCE, RFENCE_FENCE_I, 1, harts[index].id);
		turn = 2 * i + 1;
		while (turn != 2 * i + 2)
			;
	}
	expect(hart_wait_state(index, HSM_STOPPED) && counter == fences, "%lu remote fence.i", fences);
}

static void check_remote_sfence(void)
{
	for (unsigned i = 1; i < machine.harts; i++)
		expect(sbi_call(SBI_EXT_RFENCE, RFENCE_SFENCE, 1, harts[i].id, 0, ~0ul).error == 0,
		       "fence of a stopped hart is no error");
	arrived = 0;
	counter = 0;
	for (unsigned i = 1; i < machine.harts; i++)
		hart_start(i, waiter, NULL);
	while (arrived < machine.harts - 1)
		;
	for (unsigned i = 0; i < 200; i++)
		if (sbi_call(SBI_EXT_RFENCE, RFENCE_SFENCE, 0, ~0ul, i << 12, 0x1000).error)
			expect(false, "remote sfence.vma of waiting harts");
	sbi_call(SBI_EXT_IPI, 0, 0, ~0ul);
	for (unsigned i = 1; i < machine.harts; i++)
		hart_wait_state(i, HSM_STOPPED);
	clear_ipi();
	expect(counter == machine.harts - 1, "200 remote sfence.vma of waiting harts");
}

static uint64_t others(void)
{
	uint64_t mask = 0;

	for (unsigned i = 1; i < machine.harts; i++)
		mask |= 1ul << harts[i].id;
	return mask;
}

void test_smp(void)
{
	fences = bootarg_number("fences", 100);
	print("harts %u\n", machine.harts);
	check_additions();
	for (unsigned i = 1; i < machine.harts; i++)
		check_ping_pong(i);
	check_broadcast(others(), 0);
	check_broadcast(0, ~0ul);
	check_states();
	check_remote_sfence();
	for (unsigned i = 1; i < machine.harts; i++)
		check_fence_i(i);
}

/* FP state of one hart must never show up on another, however often they trade places. */
static void keep_fp(void *arg)
{
	uint64_t index = (uint64_t)arg, rounds = bootarg_number("rounds", 300), in[33], out[33];

	csr_set(sstatus, SSTATUS_FS);
	for (unsigned i = 0; i < 32; i++)
		in[i] = (index + 1) << 56 | (uint64_t)i;
	in[32] = index & 0x1f;
	meet();
	for (unsigned round = 0; round < rounds; round++) {
		in[0] += 1ul << 32;
		fp_load(in);
		for (unsigned i = 0; i < 5; i++)
			sbi_call(SBI_EXT_BASE, BASE_SPEC_VERSION);
		if (round % 8 == 0) {
			csr_write(sie, SIE_STIE);
			timer_set(time_now() + machine.timebase / 10000);
			wait_for_interrupt();
			csr_write(sie, 0);
		}
		fp_store(out);
		if (memcmp(in, out, sizeof(in)))
			add(&counter, 1);
	}
}

void test_fp_harts(void)
{
	counter = 0;
	run_on_all(keep_fp, "fp");
	expect(counter == 0, "each hart keeps its own FP registers");
}
