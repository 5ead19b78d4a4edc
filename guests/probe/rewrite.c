/* RAM that is written all the time, by every hart and by a disk, and read again: whatever becomes of it meanwhile, it stays what it is. */
#include "disk.h"
#include "probe.h"

#include <string.h>

#define PAGE 4096ul
#define BLOCK 0x200000ul
#define WORDS 8u          /* of a page, at different places in each */
#define DISK_PAGES 64u    /* that go to the disk and back in a round */

static struct {
	uint64_t first, pages;
	volatile uint64_t arrived, wrong;
	volatile bool over;
	bool with_disk;
} work;
static struct disk *disk; /* in the RAM that is written: its rings move, too */

static uint64_t *word_of(uint64_t page, unsigned n)
{
	return (uint64_t *)(work.first + page * PAGE + (page * 40 + n * 512) % PAGE);
}

static uint64_t value_of(uint64_t page, unsigned n, uint64_t round)
{
	return round ? (page << 32 | round << 8 | n) * 0x9e3779b97f4a7c15 : 0;
}

static uint64_t check_page(uint64_t page, uint64_t round)
{
	uint64_t wrong = 0;

	for (unsigned n = 0; n < WORDS; n++)
		wrong += *word_of(page, n) != value_of(page, n, round);
	return wrong;
}

static void write_page(uint64_t page, uint64_t round)
{
	for (unsigned n = 0; n < WORDS; n++)
		*word_of(page, n) = value_of(page, n, round);
}

/* To the disk and back into the same page. */
static uint64_t take_round_the_disk(uint64_t page, uint64_t round)
{
	void *data = (void *)(work.first + page * PAGE);
	uint64_t sector = page * (PAGE / SECTOR) % (disk->n_sectors - PAGE / SECTOR);

	if (disk_do(disk, DISK_WRITE, sector, data, PAGE) != DISK_OK)
		return 1;
	memset(data, 0xee, PAGE);
	if (disk_do(disk, DISK_READ, sector, data, PAGE) != DISK_OK)
		return 1;
	return check_page(page, round);
}

/* Each hart has pages of every block. */
static uint64_t one_round(uint64_t hart, uint64_t round)
{
	uint64_t wrong = 0, step = 1;

	for (uint64_t page = hart; page < work.pages; page += machine.harts) {
		wrong += check_page(page, round);
		write_page(page, round + 1);
	}
	if (work.with_disk && hart == 0)
		step = work.pages / DISK_PAGES * machine.harts;
	for (uint64_t page = hart; step > 1 && page < work.pages; page += step)
		wrong += take_round_the_disk(page, round + 1);
	return wrong;
}

static void rewrite(void *arg)
{
	uint64_t hart = (uint64_t)arg, wrong = 0;

	for (uint64_t round = 0; !work.over; round++) {
		wrong += one_round(hart, round);
		if (hart == 0 && uart_get() >= 0)
			work.over = true;
		if (hart == 0 && round == 2)
			print("third round\n");
	}
	__asm__ volatile("amoadd.d.aqrl zero, %1, (%0)" : : "r"(&work.wrong), "r"(wrong) : "memory");
	__asm__ volatile("amoadd.d.aqrl zero, %1, (%0)" : : "r"(&work.arrived), "r"(1ul) : "memory");
}

/* First a page of each block; then all of them, again and again, until a key is pressed. disk=1: also by way of a disk. */
void test_rewrite(void)
{
	work.first = machine.ram_base + 2 * BLOCK;
	work.pages = (machine.ram_size - 4 * BLOCK) / PAGE;
	work.with_disk = bootarg_number("disk", 0);
	if (work.with_disk) {
		work.pages -= (sizeof(*disk) + PAGE - 1) / PAGE;
		disk = (struct disk *)(work.first + work.pages * PAGE);
		expect(disk_open(disk, 0, 0), "there is a disk");
	}
	for (uint64_t page = 0; page < work.pages; page += BLOCK / PAGE)
		*(volatile uint64_t *)(work.first + page * PAGE + 8) = 0;
	print("touched\n");
	for (unsigned i = 1; i < machine.harts; i++)
		expect(hart_start(i, rewrite, (void *)(uintptr_t)i) == 0, "hart %u begins", i);
	rewrite(NULL);
	while (work.arrived < machine.harts)
		;
	expect(work.wrong == 0, "every word is what was written: %lu wrong", work.wrong);
}
