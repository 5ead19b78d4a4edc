/*
 * Pages that move: each hart looks at its own frames through a window of virtual pages, which lead to other frames
 * again and again. Stale translations show as the contents of another frame, hart or VM: every frame's first word says
 * whose it is (`seed` is the VM's).
 */
#include "probe.h"

#define PAGES		32
#define FRAMES		64
#define WINDOW		0x40000000ul
#define PTE_V		(1ul << 0)
#define PTE_LEAF	(PTE_V | 7ul << 1 | 3ul << 6) /* R, W, X, A, D */
#define PTE_G		(1ul << 5)
#define SATP_SV39	(8ul << 60)
#define SATP_ASID	44
#define FIRST_ASID	1

static uint64_t tables[HARTS_MAX][3][512] __attribute__((aligned(4096)));
static uint64_t seed;
static volatile uint64_t turn, answers, wrong;

static void full_fence(void)
{
	__asm__ volatile("fence rw, rw" : : : "memory");
}

static uint64_t *frame(uint64_t hart, uint64_t n)
{
	return (uint64_t *)(guest_end + ((hart * FRAMES + n) << 12));
}

static uint64_t stamp(uint64_t hart, uint64_t n)
{
	return seed << 32 | hart << 16 | n;
}

/* Where the window's page leads to while the hart's table is in this state. */
static uint64_t place(uint64_t page, uint64_t state)
{
	return (page + state * 7) % FRAMES;
}

static void set_page(uint64_t hart, uint64_t page, uint64_t state)
{
	tables[hart][2][page] = (uint64_t)frame(hart, place(page, state)) >> 12 << 10 | PTE_LEAF;
}

static uint64_t wrong_pages(uint64_t hart, uint64_t from, uint64_t to, uint64_t state)
{
	uint64_t bad = 0;

	for (uint64_t i = from; i < to; i++)
		bad += *(volatile uint64_t *)(WINDOW + (i << 12)) != stamp(hart, place(i, state));
	return bad;
}

static void set_up(uint64_t hart)
{
	uint64_t (*t)[512] = tables[hart];

	for (uint64_t i = 0; i < FRAMES; i++)
		*frame(hart, i) = stamp(hart, i);
	t[0][0] = PTE_LEAF; /* the UART */
	t[0][machine.ram_base >> 30] = machine.ram_base >> 12 << 10 | (PTE_LEAF | PTE_G);
	t[0][WINDOW >> 30] = (uint64_t)t[1] >> 12 << 10 | PTE_V;
	t[1][0] = (uint64_t)t[2] >> 12 << 10 | PTE_V;
	for (uint64_t i = 0; i < PAGES; i++)
		set_page(hart, i, 0);
	full_fence();
}

static void paging(bool on)
{
	uint64_t hart = (uint64_t)(this_hart - harts);

	csr_write(satp, on ? SATP_SV39 | (FIRST_ASID + hart) << SATP_ASID | (uint64_t)tables[hart][0] >> 12 : 0);
	__asm__ volatile("sfence.vma" : : : "memory");
}

/* Others, here or in another VM, may have the hart. */
static void sleep_us(uint64_t us)
{
	csr_write(sie, SIE_STIE);
	timer_set(time_now() + machine.timebase * us / 1000000);
	wait_for_interrupt();
	csr_write(sie, 0);
	timer_set(~0ul);
}

/* --- one's own fences --- */

static void own_pages(void *arg)
{
	uint64_t hart = (uint64_t)arg, rounds = bootarg_number("rounds", 100), bad = 0;

	paging(true);
	for (uint64_t round = 1; round <= rounds; round++) {
		for (uint64_t i = 0; i < PAGES; i++) {
			set_page(hart, i, round);
			__asm__ volatile("sfence.vma %0, zero" : : "r"(WINDOW + (i << 12)) : "memory");
		}
		bad += wrong_pages(hart, 0, PAGES, round);
		if (round % 4 == 0)
			sleep_us(50);
		bad += wrong_pages(hart, 0, PAGES, round);
	}
	paging(false);
	__atomic_add_fetch(&wrong, bad, __ATOMIC_SEQ_CST);
	__atomic_add_fetch(&answers, 1, __ATOMIC_SEQ_CST);
}

static void check_own_pages(void)
{
	answers = 0;
	wrong = 0;
	for (uint64_t i = 1; i < machine.harts; i++)
		if (hart_start((unsigned)i, own_pages, (void *)i))
			expect(false, "start of hart %lu", i);
	own_pages(0);
	while (answers < machine.harts)
		;
	expect(wrong == 0, "every hart's pages lead where its table says (%lu wrong)", wrong);
	for (unsigned i = 1; i < machine.harts; i++)
		expect(hart_wait_state(i, HSM_STOPPED), "hart %u stops", i);
}

/* --- fences by others --- */

/* What the first hart changed in this one's table, and which pages of it may be looked at. */
static struct {
	volatile uint64_t state[PAGES];
	volatile bool stop;
} shared[HARTS_MAX];

static void watch(void *arg)
{
	uint64_t hart = (uint64_t)arg, seen = 0;

	paging(true);
	while (!shared[hart].stop) {
		uint64_t now = turn;

		for (uint64_t i = 0; i < PAGES; i++)
			(void)*(volatile uint64_t *)(WINDOW + (i << 12)); /* so that there is something to drop */
		if (now == seen || now % machine.harts != hart)
			continue;
		full_fence();
		for (uint64_t i = 0; i < PAGES; i++)
			if (wrong_pages(hart, i, i + 1, shared[hart].state[i]))
				__atomic_add_fetch(&wrong, 1, __ATOMIC_SEQ_CST);
		seen = now;
		full_fence();
		answers = now;
	}
	paging(false);
}

/* Some pages of a hart's table change, and it is told which. */
static void change(uint64_t hart, uint64_t from, uint64_t to, uint64_t state, bool with_asid)
{
	uint64_t start = WINDOW + (from << 12), size = (to - from) << 12;

	for (uint64_t i = from; i < to; i++) {
		set_page(hart, i, state);
		shared[hart].state[i] = state;
	}
	full_fence();
	if (to - from > 1) { /* nothing says that ranges begin and end with pages */
		start += 0x123;
		size -= 0x200;
	}
	if (sbi_call(SBI_EXT_RFENCE, with_asid ? RFENCE_SFENCE_ASID : RFENCE_SFENCE, 1, harts[hart].id, start, size,
		     FIRST_ASID + hart).error)
		expect(false, "remote fence of hart %lu", hart);
}

static void check_fences_by_others(void)
{
	uint64_t rounds = bootarg_number("rounds", 100), next = 0;

	wrong = 0;
	for (uint64_t i = 1; i < machine.harts; i++)
		if (hart_start((unsigned)i, watch, (void *)i))
			expect(false, "start of hart %lu", i);
	for (uint64_t round = 1; round <= rounds; round++)
		for (uint64_t hart = 1; hart < machine.harts; hart++) {
			uint64_t from = round * 5 % PAGES, n = 1 + round * hart % PAGES;

			change(hart, from, from + n < PAGES ? from + n : PAGES, round, round & 1);
			change(hart, 0, 1, round, round & 2);
			next = (next / machine.harts + 1) * machine.harts + hart;
			turn = next;
			while (answers != next)
				;
			if (round % 8 == 0)
				sleep_us(50);
		}
	for (unsigned i = 1; i < machine.harts; i++) {
		shared[i].stop = true;
		expect(hart_wait_state(i, HSM_STOPPED), "hart %u stops", i);
	}
	expect(wrong == 0, "fences of others' pages take effect (%lu wrong)", wrong);
}

void test_translate(void)
{
	seed = bootarg_number("seed", 1);
	for (uint64_t i = 0; i < machine.harts; i++)
		set_up(i);
	check_own_pages();
	if (machine.harts > 1) {
		for (uint64_t i = 0; i < machine.harts; i++)
			set_up(i);
		check_fences_by_others();
	}
}
