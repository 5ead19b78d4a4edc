/*
 * Memory of the guests: each page twice in ours, once as the guest sees it and once, poisoned, for the device.
 * This file is compiled without sanitizers and without counting of branches: it takes most of the time.
 */
#define _GNU_SOURCE /* memfd_create */
#include "fuzz.h"

#include <errno.h>
#include <string.h>
#include <sanitizer/asan_interface.h>
#include <sys/mman.h>
#include <unistd.h>

#include <vmm/memory.h>

#define CALLS_MAX 200000 /* for memory, in one step: interrupts are off for so long */

static struct {
	int fail_after;
	bool failed;
	unsigned calls;
	struct guest *racer;
	unsigned race_after;
	uint64_t race_at;
	uint8_t race_data[8];
	unsigned race_len;
	bool raced, grants;
} mem = { .fail_after = -1 };

static unsigned page_of(uint64_t gpa)
{
	return (unsigned)((gpa - RAM) / PAGE_SIZE % RAM_PAGES);
}

static void *map(void *at, size_t n, int prot, int flags, int fd, size_t off)
{
	void *p = mmap(at, n, prot, flags, fd, (off_t)off);

	if (p == MAP_FAILED)
		fuzz_fail("no memory for guests");
	return p;
}

/* Pairs of pages, in no order, with a page between them at which nothing is. */
static void map_places(struct guest *g, int fd, unsigned place)
{
	uint8_t *area = map(NULL, RAM_REAL * 2, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	for (unsigned i = 0; i < RAM_PAGES; i++) {
		unsigned slot = i / 2 * 13 % (RAM_PAGES / 2) * 3 + i % 2;

		g->places[place][i] = map(area + slot * PAGE_SIZE, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd,
					  i * PAGE_SIZE);
		__asan_poison_memory_region(g->places[place][i], PAGE_SIZE);
	}
}

void ram_move(struct guest *g)
{
	ram_revoke_all(g);
	g->place = !g->place;
	g->pages = g->places[g->place];
}

void ram_make(struct guest *g)
{
	int fd = memfd_create("ram", 0);

	if (ftruncate(fd, RAM_REAL))
		fuzz_fail("no memory for guests");
	g->ram = map(NULL, RAM_REAL, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	g->before = map(NULL, RAM_REAL, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	map_places(g, fd, 0);
	map_places(g, fd, 1);
	g->pages = g->places[0];
	close(fd);
}

void ram_reset(struct guest *g)
{
	for (unsigned i = 0; i < RAM_PAGES; i++) {
		if (!(g->dirty & BIT(i)))
			continue;
		memset(g->ram + i * PAGE_SIZE, 0, PAGE_SIZE);
		memset(g->before + i * PAGE_SIZE, 0, PAGE_SIZE);
	}
	g->dirty = g->touched = 0;
	g->granted = UINT64_MAX;
	ram_revoke_all(g);
	mem.fail_after = -1;
	mem.racer = NULL;
}

bool ram_has(uint64_t gpa, uint64_t n)
{
	return gpa >= RAM && gpa - RAM <= RAM_SIZE && n <= RAM_SIZE - (gpa - RAM);
}

/* What the device may touch. */

static void note_grant(struct guest *g, unsigned page)
{
	g->granted |= BIT(page);
	g->touched |= BIT(page);
}

static void for_pages(struct guest *g, uint64_t gpa, uint64_t n, bool grant)
{
	n = MIN(n, RAM_REAL + PAGE_SIZE);
	while (n) {
		uint64_t off = gpa % PAGE_SIZE, part = MIN(n, PAGE_SIZE - off);
		unsigned page = page_of(gpa);

		if (grant)
			__asan_unpoison_memory_region(g->pages[page] + off, part);
		else
			__asan_poison_memory_region(g->pages[page] + off, part);
		if (grant)
			note_grant(g, page);
		gpa += part;
		n -= part;
	}
}

void ram_grant(struct guest *g, uint64_t gpa, uint64_t n)
{
	for_pages(g, gpa, n, true);
}

void ram_revoke(struct guest *g, uint64_t gpa, uint64_t n)
{
	for_pages(g, gpa, n, false);
}

void ram_revoke_all(struct guest *g)
{
	for (unsigned i = 0; i < RAM_PAGES; i++)
		if (g->granted & BIT(i))
			__asan_poison_memory_region(g->pages[i], PAGE_SIZE);
	g->granted = 0;
}

/* What it has written. */

static bool is_same(const void *a, const void *b)
{
	uint64_t differs = 0;

	for (unsigned i = 0; i < PAGE_SIZE / sizeof(uint64_t); i++)
		differs |= ((const uint64_t *)a)[i] ^ ((const uint64_t *)b)[i];
	return !differs;
}

static void check_page(struct guest *g, unsigned page)
{
	const uint8_t *now = g->ram + page * PAGE_SIZE;
	uint8_t *before = g->before + page * PAGE_SIZE;

	if (is_same(now, before))
		return;
	g->dirty |= BIT(page);
	for (uint64_t i = 0; i < PAGE_SIZE; i++) {
		uint64_t at = RAM + page * PAGE_SIZE + i, until;

		if (now[i] == before[i])
			continue;
		if (!chains_may_write(g, at, &until))
			fuzz_fail("guest %u: the device has written to %#lx, which nobody gave it to write to", g->index, at);
		i = MIN(until - RAM - page * PAGE_SIZE, PAGE_SIZE) - 1;
	}
	memcpy(before, now, PAGE_SIZE);
}

void ram_check(struct guest *g)
{
	for (unsigned i = 0; i < RAM_PAGES; i++)
		if (g->touched & BIT(i))
			check_page(g, i);
	g->touched = g->granted;
}

/* The guest's own accesses. */

void ram_put(struct guest *g, uint64_t gpa, const void *data, size_t n)
{
	if (!ram_has(gpa, n))
		return;
	for (size_t i = 0; i < n; i++) {
		size_t at = (size_t)((gpa + i - RAM) % RAM_REAL);

		g->ram[at] = g->before[at] = ((const uint8_t *)data)[i];
		g->dirty |= BIT(at / PAGE_SIZE);
	}
}

void ram_get(const struct guest *g, uint64_t gpa, void *data, size_t n)
{
	memset(data, 0, n);
	if (!ram_has(gpa, n))
		return;
	for (size_t i = 0; i < n; i++)
		((uint8_t *)data)[i] = g->ram[(gpa + i - RAM) % RAM_REAL];
}

uint16_t ram_get16(const struct guest *g, uint64_t gpa)
{
	uint16_t v;

	ram_get(g, gpa, &v, sizeof(v));
	return v;
}

/* The kernel's functions. */

void ram_fail_after(int n)
{
	mem.fail_after = n;
}

void ram_race(struct guest *g, unsigned n, uint64_t gpa, const void *data, unsigned len)
{
	mem.racer = g;
	mem.race_after = n;
	mem.race_at = gpa;
	mem.race_len = len;
	memcpy(mem.race_data, data, len);
}

bool ram_raced(void)
{
	bool raced = mem.raced;

	mem.raced = false;
	return raced;
}

bool ram_failed(void)
{
	bool failed = mem.failed;

	mem.failed = false;
	return failed;
}

void ram_grant_what_is_asked(bool on)
{
	mem.grants = on;
}

void ram_step(void)
{
	mem.calls = 0;
}

static void work(void)
{
	if (++mem.calls > CALLS_MAX)
		fuzz_fail("a step that does not end");
	if (!mem.racer || mem.race_after-- > 0)
		return;
	fuzz_trace("    another vCPU writes to %#lx\n", mem.race_at);
	ram_put(mem.racer, mem.race_at, mem.race_data, mem.race_len);
	mem.racer = NULL;
	mem.raced = true;
}

bool guest_in_ram(const struct vm *vm, gpa_t start, uint64_t n)
{
	(void)vm;
	work();
	return ram_has(start.v, n);
}

/* Some pairs of pages are in one piece, others are looked up page by page. */
static uint64_t piece_size(unsigned page)
{
	return page / 2 % 2 ? PAGE_SIZE : 2 * PAGE_SIZE;
}

/* @return is memory out? */
static bool fails(void)
{
	if (mem.fail_after == 0) {
		mem.failed = true;
		return true;
	}
	if (mem.fail_after > 0)
		mem.fail_after--;
	return false;
}

int guest_segment(struct vm *vm, gpa_t at, uint64_t n, struct segment *out)
{
	struct guest *g = (struct guest *)vm;
	unsigned page = page_of(at.v);
	uint64_t whole = piece_size(page);

	work();
	if (n == 0 || !ram_has(at.v, n))
		return -EFAULT;
	if (fails())
		return -ENOMEM;
	*out = (struct segment){ g->pages[page] + at.v % PAGE_SIZE, (uint32_t)MIN(n, whole - at.v % whole) };
	if (mem.grants)
		ram_grant(g, at.v, out->len);
	return 0;
}

int guest_extent(struct vm *vm, gpa_t at, struct guest_extent *out)
{
	struct guest *g = (struct guest *)vm;
	uint64_t whole, start;

	work();
	if (!ram_has(at.v, 1))
		fuzz_fail("guest %u: %#lx is asked for, which is not in RAM", g->index, at.v);
	if (fails())
		return -ENOMEM;
	whole = piece_size(page_of(at.v));
	start = ALIGN_DOWN(at.v, whole);
	*out = (struct guest_extent){ start, whole, (char *)g->pages[page_of(start)] };
	return 0;
}
