/* Disks, as a guest's driver sees them: all that a request can ask for, those that are wrong, resets. */
#include "disk.h"
#include "probe.h"

#include <string.h>

#define CHUNK 16u /* sectors of a request */
#define AT_ONCE 8u

enum { DISK_ID = 8, DISK_DISCARD = 11, DISK_ZEROES = 13 };
#define FEATURES (1ul << DISK_F_RO | 1ul << DISK_F_FLUSH | 1ul << DISK_F_WCE | 1ul << DISK_F_DISCARD | 1ul << DISK_F_ZEROES)

struct range {
	uint64_t sector;
	uint32_t n, flags;
};

static struct disk disk;
static struct disk_request requests[AT_ONCE];
static uint8_t buffers[AT_ONCE][CHUNK * SECTOR] __attribute__((aligned(4096)));

static uint8_t pattern(uint64_t at)
{
	return (uint8_t)(at / SECTOR * 7 + at * 3 + 1);
}

static bool has(unsigned feature)
{
	return disk.dev.features >> feature & 1;
}

/* A request of any parts. */
static uint8_t ask(uint32_t type, uint64_t sector, const void *out, uint32_t out_len, void *in, uint32_t in_len)
{
	struct disk_request rq = { { type, 0, sector }, DISK_UNDER_WAY };
	struct virtq_part parts[4] = { { &rq.header, sizeof(rq.header) } };
	unsigned n_out = 1, n_in = 0;

	if (out_len)
		parts[n_out++] = (struct virtq_part){ out, out_len };
	if (in_len)
		parts[n_out + n_in++] = (struct virtq_part){ in, in_len };
	parts[n_out + n_in++] = (struct virtq_part){ &rq.status, 1 };
	if (!virtq_add(&disk.vq, parts, n_out, n_in, &rq))
		return DISK_UNDER_WAY;
	disk.under_way++;
	(void)disk_wait_all(&disk);
	return rq.status;
}

/* All of it, several requests at once. */
static bool transfer(uint32_t type, void (*each)(uint8_t *data, uint64_t sector))
{
	bool good = true;

	for (uint64_t sector = 0; sector < disk.n_sectors; sector += AT_ONCE * CHUNK) {
		for (unsigned i = 0; i < AT_ONCE; i++) {
			if (type == DISK_WRITE)
				each(buffers[i], sector + i * CHUNK);
			disk_submit(&disk, &requests[i], type, sector + i * CHUNK, buffers[i], sizeof(buffers[i]));
		}
		good &= disk_wait_all(&disk);
		for (unsigned i = 0; type == DISK_READ && i < AT_ONCE; i++)
			each(buffers[i], sector + i * CHUNK);
	}
	return good;
}

static void fill(uint8_t *data, uint64_t sector)
{
	for (unsigned i = 0; i < CHUNK * SECTOR; i++)
		data[i] = pattern(sector * SECTOR + i);
}

static uint64_t wrong;

static void compare(uint8_t *data, uint64_t sector)
{
	for (unsigned i = 0; i < CHUNK * SECTOR; i++)
		wrong += data[i] != pattern(sector * SECTOR + i);
}

static void show(unsigned nth)
{
	char serial[21] = "";

	expect(ask(DISK_ID, 0, NULL, 0, serial, 20) == DISK_OK, "disk %u: %lu sectors, %s, serial '%s'%s%s", nth, disk.n_sectors,
	       has(DISK_F_RO) ? "ro" : "rw", serial, has(DISK_F_DISCARD) ? ", discards" : "", has(DISK_F_ZEROES) ? ", zeroes" : "");
}

static void check_wrong_ones(void)
{
	static uint8_t data[2 * SECTOR];

	expect(ask(DISK_READ, disk.n_sectors, NULL, 0, data, SECTOR) == DISK_IOERR, "beyond the end: I/O error");
	expect(ask(DISK_READ, disk.n_sectors - 1, NULL, 0, data, 2 * SECTOR) == DISK_IOERR, "across the end: I/O error");
	expect(ask(DISK_READ, -1ul, NULL, 0, data, 2 * SECTOR) == DISK_IOERR, "across the last sector there could be: I/O error");
	expect(ask(DISK_READ, 0, NULL, 0, data, 100) == DISK_IOERR, "part of a sector: I/O error");
	expect(ask(77, 0, NULL, 0, NULL, 0) == DISK_UNSUPP, "unknown request: unsupported");
}

static void check_ranges(void)
{
	struct range range = { 8, 8, 0 };
	static uint8_t data[8 * SECTOR];
	bool zero = true;

	if (has(DISK_F_ZEROES)) {
		expect(ask(DISK_ZEROES, 0, &range, sizeof(range), NULL, 0) == DISK_OK, "zeroes are written");
		expect(ask(DISK_READ, 8, NULL, 0, data, sizeof(data)) == DISK_OK, "they are read");
		for (unsigned i = 0; i < sizeof(data); i++)
			zero &= data[i] == 0;
		expect(zero, "they are zeroes");
	}
	range.sector = 16;
	if (has(DISK_F_DISCARD))
		expect(ask(DISK_DISCARD, 0, &range, sizeof(range), NULL, 0) == DISK_OK, "sectors are discarded");
}

/* Its sectors hold a pattern afterwards, but for 8 to 15, which are zero, and the next 8, which were given up. */
static void check_writing(void)
{
	expect(transfer(DISK_WRITE, fill), "all is written");
	expect(disk_do(&disk, DISK_FLUSH, 0, NULL, 0) == DISK_OK, "flushed");
	wrong = 0;
	expect(transfer(DISK_READ, compare) && wrong == 0, "all is read, %lu bytes differ", wrong);
	check_ranges();
	if (has(DISK_F_WCE))
		disk_set_cache(&disk, false);
	expect(disk_do(&disk, DISK_WRITE, 0, buffers[0], SECTOR) == DISK_OK, "written without a cache");
	fill(buffers[0], 0);
	expect(disk_do(&disk, DISK_WRITE, 0, buffers[0], SECTOR) == DISK_OK, "and once more");
}

static void check_read_only(void)
{
	struct range range = { 0, 1, 0 };

	expect(disk_do(&disk, DISK_WRITE, 0, buffers[0], SECTOR) == DISK_IOERR, "read-only: a write is an I/O error");
	expect(ask(DISK_DISCARD, 0, &range, sizeof(range), NULL, 0) == DISK_UNSUPP, "read-only: nothing is discarded");
	wrong = 0;
	expect(transfer(DISK_READ, compare) && wrong == 0, "all is read, %lu bytes differ", wrong);
}

void test_disk(void)
{
	unsigned n;

	for (n = 0; disk_open(&disk, n, FEATURES); n++) {
		show(n);
		check_wrong_ones();
		if (has(DISK_F_RO))
			check_read_only();
		else
			check_writing();
	}
	expect(n > 0, "%u disks", n);
}

/* Requests that are under way when the device is reset do no harm, nor do they come later. */
void test_disk_reset(void)
{
	bool good = true;

	for (unsigned round = 0; round < 100; round++) {
		good &= disk_open(&disk, 0, FEATURES);
		for (unsigned i = 0; i < AT_ONCE; i++)
			disk_submit(&disk, &requests[i], DISK_READ, i * CHUNK, buffers[i], sizeof(buffers[i]));
		virtq_kick(&disk.vq);
		virtio_write(&disk.dev, VIRTIO_STATUS, 0);
		good &= virtio_read(&disk.dev, VIRTIO_STATUS) == 0;
		memset(buffers, 0x55, sizeof(buffers));
		good &= buffers[0][0] == 0x55 && buffers[AT_ONCE - 1][CHUNK * SECTOR - 1] == 0x55;
	}
	expect(good, "100 resets");
	expect(disk_open(&disk, 0, FEATURES) && ask(DISK_READ, 0, NULL, 0, buffers[0], SECTOR) == DISK_OK, "it works after them");
}

#define NEEDS_RESET 64u

/* Without a header, or room for its status, a request breaks the rules: the device needs a reset, and works after it. */
void test_disk_rules(void)
{
	static const struct { unsigned n_out, n_in; const char *what; } cases[] = {
		{ 1, 0, "no room for a status" }, { 0, 1, "no header" },
	};
	const struct virtq_part part = { buffers[0], SECTOR };

	for (unsigned i = 0; i < 2; i++) {
		expect(disk_open(&disk, 0, FEATURES), "begins");
		(void)virtq_add(&disk.vq, &part, cases[i].n_out, cases[i].n_in, &disk);
		virtq_kick(&disk.vq);
		expect(virtio_read(&disk.dev, VIRTIO_STATUS) & NEEDS_RESET, "%s: it needs a reset", cases[i].what);
	}
	expect(disk_open(&disk, 0, FEATURES) && ask(DISK_READ, 0, NULL, 0, buffers[0], SECTOR) == DISK_OK, "it works after them");
}

/* What fails and what does not, sector by sector: reads, writes, flushes. */
void test_disk_errors(void)
{
	static const struct { uint32_t type; const char *name; } types[] = {
		{ DISK_READ, "reading" }, { DISK_WRITE, "writing" }, { DISK_FLUSH, "flushing" },
	};

	expect(disk_open(&disk, 0, FEATURES), "begins");
	for (unsigned t = 0; t < 3; t++)
		for (unsigned sector = 0; sector < 8; sector++)
			print("%s %u: status %u\n", types[t].name, sector,
			      disk_do(&disk, types[t].type, sector, buffers[0], types[t].type == DISK_FLUSH ? 0 : SECTOR));
}

/* Always some under way, for ever. */
void test_disk_busy(void)
{
	expect(disk_open(&disk, 0, FEATURES), "begins");
	for (uint64_t round = 0;; round++) {
		for (unsigned i = 0; i < AT_ONCE; i++)
			disk_submit(&disk, &requests[i], i & 1 ? DISK_WRITE : DISK_READ, i * CHUNK, buffers[i], sizeof(buffers[i]));
		(void)disk_wait_all(&disk);
		if (round == 0)
			print("busy\n");
	}
}

/* What the first byte is; it is one more afterwards. */
void test_disk_count(void)
{
	expect(disk_open(&disk, 0, FEATURES) && disk_do(&disk, DISK_READ, 0, buffers[0], SECTOR) == DISK_OK, "read");
	print("first byte %u\n", buffers[0][0]++);
	expect(disk_do(&disk, DISK_WRITE, 0, buffers[0], SECTOR) == DISK_OK, "written");
}
