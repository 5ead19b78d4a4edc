/*
 * A guest that keeps a journal on a disk, for tests that end its machine at any moment.
 *
 * It looks for what is there, says `found N.`, and goes on: one to four records at a time, their sectors in requests
 * that are under way together, then a flush, then `ack N.`, whose end tells it from a line that was cut off. What it
 * has acknowledged must be there when it looks again.
 *
 *     do=write     until it is ended, or limit=N records are there
 *     do=check     only look
 *     do=try       sectors=N times write, flush and read: the status of each request
 *     disk=N       which (0)
 *     flush=yes    after every batch; none: the device's cache is switched off; unknown: the feature is not taken;
 *                  never: it is left on, and nothing flushed (a test of the tests)
 *     slots=N      of the journal (64)
 */
#include "disk.h"
#include "guest.h"
#include "record.h"

#include <string.h>

#define SLOTS_MAX 256u
#define BATCH_MAX 4u
#define SLOT_BYTES (RECORD_SECTORS * SECTOR)

static struct disk disk;
static struct record_sector slots[SLOTS_MAX][RECORD_SECTORS];
static struct disk_request requests[SLOTS_MAX];
static unsigned n_slots;
static bool flushes;

static _Noreturn void fail(const char *what)
{
	print("FAIL %s\n", what);
	guest_exit(1);
}

static uint64_t sector_of(uint64_t number)
{
	return number % n_slots * RECORD_SECTORS;
}

static void flush(void)
{
	if (flushes && disk_do(&disk, DISK_FLUSH, 0, NULL, 0) != DISK_OK)
		fail("a flush ended with an error");
}

/* --- looking --- */

static void read_slots(void)
{
	for (unsigned i = 0; i < n_slots; i++)
		disk_submit(&disk, &requests[i], DISK_READ, i * RECORD_SECTORS, slots[i], SLOT_BYTES);
	if (!disk_wait_all(&disk))
		fail("a read ended with an error");
}

static bool is_whole(uint64_t number)
{
	return record_whole(slots[number % n_slots]) == number;
}

static uint64_t find_highest(void)
{
	uint64_t highest = 0;

	for (unsigned i = 0; i < n_slots; i++) {
		uint64_t number = record_whole(slots[i]);

		if (number > highest && number % n_slots == i)
			highest = number;
	}
	return highest;
}

/* A batch may have come to the disk in any part and order; what was before it is all there. */
static uint64_t look(uint32_t *boot)
{
	uint64_t highest, found, oldest;

	read_slots();
	highest = find_highest();
	found = highest > BATCH_MAX ? highest - BATCH_MAX : 0;
	while (found < highest && is_whole(found + 1))
		found++;
	oldest = found > n_slots - BATCH_MAX ? found - (n_slots - BATCH_MAX) + 1 : 1;
	for (uint64_t number = oldest; number <= found; number++) {
		if (!is_whole(number)) {
			print("FAIL found %lu, but record %lu is not whole\n", highest, number);
			guest_exit(1);
		}
	}
	*boot = found ? slots[found % n_slots][0].boot : 0;
	print("found %lu.\n", found);
	return found;
}

/* --- writing --- */

/* A record in a few requests. @return the next free one */
static struct disk_request *write_record(uint64_t number, struct disk_request *rq)
{
	unsigned count = record_count(number), n;

	for (unsigned i = 0; i < count; i += n) {
		n = 1 + mix(number << 8 | i) % (count - i);
		disk_submit(&disk, rq++, DISK_WRITE, sector_of(number) + i, &slots[number % n_slots][i], n * SECTOR);
	}
	return rq;
}

static uint64_t write_batch(uint64_t number, uint32_t boot)
{
	unsigned n = 1 + mix(number + boot) % BATCH_MAX;
	struct disk_request *rq = requests;

	for (unsigned i = 0; i < n; i++) {
		record_make(slots[(number + i) % n_slots], number + i, boot);
		rq = write_record(number + i, rq);
	}
	if (!disk_wait_all(&disk))
		fail("a write ended with an error");
	flush();
	return number + n;
}

/* What an earlier life wrote of a batch without its end must not be taken for ours later. */
static void clear_behind(uint64_t found)
{
	for (uint64_t number = found + 1; number <= found + BATCH_MAX; number++) {
		memset(slots[number % n_slots], 0, SLOT_BYTES);
		disk_submit(&disk, &requests[number % n_slots], DISK_WRITE, sector_of(number), slots[number % n_slots], SLOT_BYTES);
	}
	if (!disk_wait_all(&disk))
		fail("a write ended with an error");
	flush();
}

static void keep_writing(void)
{
	uint64_t limit = bootarg_number("limit", ~0ul);
	uint32_t boot;
	uint64_t number = look(&boot) + 1;

	clear_behind(number - 1);
	while (number <= limit) {
		number = write_batch(number, boot + 1);
		print("ack %lu.\n", number - 1);
	}
}

/* --- trying --- */

static void try_all(void)
{
	uint64_t n = bootarg_number("sectors", 1);

	for (uint64_t i = 0; i < n; i++) {
		struct record_sector *there = slots[1];
		unsigned wrote, flushed, read;

		memset(slots[0], (int)i + 1, SECTOR);
		memset(there, 0, SECTOR);
		wrote = disk_do(&disk, DISK_WRITE, i, slots[0], SECTOR);
		flushed = disk_do(&disk, DISK_FLUSH, 0, NULL, 0);
		read = disk_do(&disk, DISK_READ, i, there, SECTOR);
		print("sector %lu write %u flush %u read %u %s\n", i, wrote, flushed, read,
		      memcmp(slots[0], there, SECTOR) ? "differs" : "same");
	}
}

/* --- beginning --- */

static void open_disk(void)
{
	char how[16] = "yes";
	uint64_t features = 1ul << DISK_F_FLUSH | 1ul << DISK_F_WCE;

	bootarg("flush", how, sizeof(how));
	flushes = !strcmp(how, "yes");
	if (!strcmp(how, "unknown"))
		features = 0;
	if (!disk_open(&disk, bootarg_number("disk", 0), features))
		fail("there is no such disk");
	if (!strcmp(how, "none")) {
		if (!(disk.dev.features & 1ul << DISK_F_WCE))
			fail("the disk's cache cannot be switched off");
		disk_set_cache(&disk, false);
	}
	n_slots = bootarg_number("slots", 64);
	if (n_slots < 2 * BATCH_MAX || n_slots > SLOTS_MAX || disk.n_sectors < n_slots * RECORD_SECTORS)
		fail("the disk is too small");
}

int main(void)
{
	char what[16] = "write";
	uint32_t boot;

	open_disk();
	bootarg("do", what, sizeof(what));
	if (!strcmp(what, "write"))
		keep_writing();
	else if (!strcmp(what, "check"))
		look(&boot);
	else if (!strcmp(what, "try"))
		try_all();
	else
		fail("do= is none of write, check, try");
	return 0;
}
