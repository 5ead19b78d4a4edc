/*
 * Device accesses by instructions at awkward places: under page tables of every depth, on two pages, on pages that may
 * only be executed, on pages that are taken away meanwhile. Whoever emulates the device may have to read the
 * instruction himself.
 */
#include "plic.h"
#include "probe.h"

#include <string.h>

#define PTE_V		1ul
#define PTE_R		2ul
#define PTE_W		4ul
#define PTE_X		8ul
#define PTE_AD		(3ul << 6)
#define PTE_ALL		(PTE_V | PTE_R | PTE_W | PTE_X | PTE_AD)
#define PTE_CODE	(PTE_V | PTE_R | PTE_X | PTE_AD)
#define PTE_EXECUTE	(PTE_V | PTE_X | PTE_AD)
#define GIGAPAGE	30
#define PAGE		4096u
#define PAGES		4u
#define CAUSE_FETCH_PAGE 12

#define ALIAS		(4ul << GIGAPAGE)	/* where the instructions are executed */

/* lbu a0, (a0); sb a1, (a0); ret; and what is compressed: c.lw a0, (a0); c.sw a1, (a0). */
#define LBU		0x00054503u
#define SB		0x00b50023u
#define C_LW		0x4108u
#define C_SW		0xc10cu
#define RET		0x8082u

static uint64_t roots[3][512] __attribute__((aligned(PAGE)));	/* of Sv57, of Sv48, of Sv39: each has the next */
static uint64_t middle[512] __attribute__((aligned(PAGE)));
static uint64_t leaves[512] __attribute__((aligned(PAGE)));
static uint8_t code[PAGES][PAGE] __attribute__((aligned(PAGE)));

static uint64_t table(const void *to)
{
	return (uint64_t)to >> 12 << 10 | PTE_V;
}

/* Page n of the alias is frame `frame` of code[]; 0: there is none. */
static void map(unsigned n, unsigned frame, uint64_t flags)
{
	*(volatile uint64_t *)&leaves[n] = flags ? (uint64_t)code[frame] >> 12 << 10 | flags : 0;
}

static void fence(void)
{
	__asm__ volatile("sfence.vma; fence.i" : : : "memory");
}

static void build_tables(void)
{
	roots[0][0] = table(roots[1]);
	roots[1][0] = table(roots[2]);
	roots[2][0] = PTE_ALL;
	for (uint64_t gib = machine.ram_base >> GIGAPAGE; gib < 4; gib++)
		roots[2][gib] = gib << (GIGAPAGE - 2) | PTE_ALL;
	roots[2][ALIAS >> GIGAPAGE] = table(middle);
	middle[0] = table(leaves);
}

/* @return whether the machine has it. */
static bool translate(unsigned mode)
{
	uint64_t value = (uint64_t)mode << 60 | (uint64_t)roots[10 - mode] >> 12;

	csr_write(satp, value);
	fence();
	return csr_read(satp) == value;
}

static void bare_again(void)
{
	csr_write(satp, 0);
	fence();
}

/* An instruction of 2 or 4 bytes at this place of the alias, and a return behind it. Frames stand in order of pages, or swapped. */
static void put(uint64_t at, uint32_t insn)
{
	unsigned len = (insn & 3) == 3 ? 4 : 2;
	uint32_t words[2] = { insn, RET };
	uint8_t bytes[6];

	memcpy(bytes, &words[0], len);
	memcpy(bytes + len, &words[1], 2);
	for (unsigned i = 0; i < len + 2; i++)
		code[PAGES - 1 - (at + i) / PAGE][(at + i) % PAGE] = bytes[i];
}

static void map_all(uint64_t flags)
{
	for (unsigned n = 0; n < PAGES; n++)
		map(n, PAGES - 1 - n, flags);
}

/* Any trap: back to the caller. */
static void note(struct trap *trap)
{
	caught = (struct caught){ true, trap->scause, trap->stval, trap->sepc };
	trap->sepc = trap->x[1];
}

static uint64_t execute(uint64_t at, uint64_t address, uint64_t value)
{
	catch_clear();
	return ((uint64_t (*)(uint64_t, uint64_t))(ALIAS + at))(address, value);
}

/* A store and a load at this place, of a byte or of a compressed word. */
static bool reaches_devices(uint64_t at, bool compressed, uint64_t value)
{
	uint64_t device = compressed ? PLIC_PRIORITY(1) : UART_BASE + UART_SCR, got;
	bool stored;

	put(at, compressed ? C_SW : SB);
	fence();
	execute(at, device, value);
	stored = !caught.any;
	put(at, compressed ? C_LW : LBU);
	fence();
	got = execute(at, device, 0);
	return stored && !caught.any && got == value;
}

static void check_places(unsigned mode, const char *pages, uint64_t flags)
{
	map_all(flags);
	expect(reaches_devices(0x100, false, 0x5a), "mode %u, %s: 4 bytes", mode, pages);
	expect(reaches_devices(0x102, false, 0xa5), "mode %u, %s: 4 bytes, not aligned", mode, pages);
	expect(reaches_devices(PAGE - 2, false, 0x77), "mode %u, %s: on two pages", mode, pages);
	expect(reaches_devices(PAGE - 4, false, 0x12), "mode %u, %s: last of a page", mode, pages);
	expect(reaches_devices(0x200, true, 5), "mode %u, %s: compressed", mode, pages);
	expect(reaches_devices(2 * PAGE - 2, true, 3), "mode %u, %s: compressed, last of a page", mode, pages);
}

/*
 * The entry is gone, but nobody has said so to the hart (no fence): it may execute what it remembers, or find that there
 * is nothing. Any other fault would be wrong.
 */
static void check_taken_away(unsigned mode, uint64_t at, unsigned page, const char *what)
{
	uint64_t got;
	bool before;

	map_all(PTE_CODE);
	before = reaches_devices(at, false, 0x33);
	map(page, 0, 0); /* at once: anything else, even a print, may make the hart forget */
	got = execute(at, UART_BASE + UART_SCR, 0);
	expect(caught.any ? caught.cause == CAUSE_FETCH_PAGE && (caught.value & ~(PAGE - 1ul)) == ALIAS + page * PAGE : got == 0x33,
	       "mode %u, %s: the page is taken away", mode, what);
	expect(before, "mode %u, %s: it was there before", mode, what);
	fence();
	execute(at, UART_BASE + UART_SCR, 0);
	expect(caught.any && caught.cause == CAUSE_FETCH_PAGE, "mode %u, %s: and it is gone", mode, what);
}

/* What is no load or store of integers faults at a device, and nothing else happens. */
static void check_others(unsigned mode)
{
	static const struct {
		const char *name;
		uint32_t insn;
		uint64_t cause;
	} others[] = {
		{ "lr.w", 0x1005252f, 5 }, { "amoadd.w", 0x00b5252f, 7 },
	};

	map_all(PTE_CODE);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		put(0x300, others[i].insn);
		fence();
		execute(0x300, PLIC_PRIORITY(1), 0);
		expect(caught.any && caught.cause == others[i].cause && caught.value == PLIC_PRIORITY(1), "mode %u: %s faults, cause %lx",
		       mode, others[i].name, caught.cause);
	}
}

static volatile bool others_done;

/* The second hart takes the page away and gives it back, each time telling the first. */
static void take_and_give(void *arg)
{
	(void)arg;
	for (unsigned i = 0; i < 300; i++) {
		map(0, PAGES - 1, i % 2 ? PTE_CODE : 0);
		__asm__ volatile("fence rw, rw" : : : "memory");
		sbi_call(SBI_EXT_RFENCE, RFENCE_SFENCE, 1, harts[0].id, ALIAS, PAGE);
	}
	others_done = true;
}

static void check_other_hart(unsigned mode)
{
	uint64_t ran = 0, faulted = 0, bad = 0;

	map_all(PTE_CODE);
	expect(reaches_devices(0x100, false, 0x44), "mode %u, another hart: before", mode);
	others_done = false;
	expect(hart_start(1, take_and_give, NULL) == 0, "mode %u, another hart: started", mode);
	while (!others_done) {
		uint64_t got = execute(0x100, UART_BASE + UART_SCR, 0);

		if (!caught.any)
			ran++, bad += got != 0x44;
		else if (caught.cause == CAUSE_FETCH_PAGE)
			faulted++;
		else
			bad++;
	}
	expect(!bad && ran + faulted, "mode %u: another hart takes the page away and gives it back", mode);
	expect(hart_wait_state(1, HSM_STOPPED), "mode %u, another hart: stopped", mode);
}

void test_fetched(void)
{
	trap_set_handler(note);
	build_tables();
	for (unsigned mode = 8; mode <= 10; mode++) {
		if (!translate(mode))
			continue;
		check_places(mode, "readable", PTE_CODE);
		check_places(mode, "execute only", PTE_EXECUTE);
		check_taken_away(mode, 0x100, 0, "one page");
		check_taken_away(mode, PAGE - 2, 1, "two pages");
		check_others(mode);
		if (machine.harts > 1)
			check_other_hart(mode);
		bare_again();
	}
}
