/*
 * What a virtio disk costs, a row for each operation: `read-8` is a read of 4 KiB of which eight are under way.
 * Boot arguments:
 *
 *   block=all      every operation; block=NAME: this one only (its VM's exits are then its own); block=none: none
 *   rounds=N       of each (default 2000)
 *   stream=N       instead: read and write N MiB from the start on, 1 MiB each, and say how long that took
 */
#include "bench.h"
#include "disk.h"
#include "guest.h"

#include <string.h>

#define BLOCK		4096u
#define BLOCKS		256u		/* of the disk that are used */
#define DEPTH_MAX	8u
#define MIB		(1u << 20)
#define STREAMS		2u		/* requests of a stream under way, behind the program in memory */

static struct disk disk;
static struct disk_request requests[DEPTH_MAX];
static uint8_t (*const buffers)[MIB] = (void *)guest_end;

static const struct operation {
	const char *name;
	uint32_t type;
	unsigned depth;
} operations[] = {
	{ "read-1", DISK_READ, 1 }, { "read-8", DISK_READ, 8 }, { "write-1", DISK_WRITE, 1 }, { "write-8", DISK_WRITE, 8 },
	{ "flush-1", DISK_FLUSH, 1 },
};

/* Instructions executed anywhere on this hart. Unlike the time counter it stands still while a disk of the host is waited for. */
static uint64_t instructions(void)
{
	return csr_read(instret);
}

/* @return whether all went well */
static bool run(const struct operation *op, uint64_t n)
{
	uint32_t len = op->type == DISK_FLUSH ? 0 : BLOCK;

	for (uint64_t done = 0; done < n; done += op->depth) {
		for (unsigned i = 0; i < op->depth; i++) {
			uint64_t sector = len ? (done + i) % BLOCKS * (BLOCK / SECTOR) : 0;

			disk_submit(&disk, &requests[i], op->type, sector, buffers[0] + i * BLOCK, len);
		}
		if (!disk_wait_all(&disk))
			return false;
	}
	return true;
}

/* Once around the disk first: its memory is touched, and the buffers. */
static bool measure(const struct operation *op, uint64_t n)
{
	uint64_t start;

	if (!run(op, BLOCKS))
		return false;
	start = instructions();
	if (!run(op, n))
		return false;
	row(op->name, instructions() - start, n);
	return true;
}

static bool stream(uint32_t type, uint64_t mib)
{
	uint64_t start = time_now();

	for (uint64_t done = 0; done < mib; done += STREAMS) {
		for (unsigned i = 0; i < STREAMS; i++)
			disk_submit(&disk, &requests[i], type, (done + i) * (MIB / SECTOR), buffers[i], MIB);
		if (!disk_wait_all(&disk))
			return false;
	}
	if (type == DISK_WRITE && disk_do(&disk, DISK_FLUSH, 0, NULL, 0) != DISK_OK)
		return false;
	print("stream %s %lu\n", type == DISK_READ ? "read" : "write", (time_now() - start) / (machine.timebase / 1000000));
	return true;
}

bool bench_block(const char *which)
{
	uint64_t mib = bootarg_number("stream", 0), n = bootarg_number("rounds", 2000);
	bool good = disk_open(&disk, 0, 1u << DISK_F_FLUSH);

	if (!good || mib > 0)
		return good && stream(DISK_WRITE, mib) && stream(DISK_READ, mib);
	for (size_t i = 0; good && i < sizeof(operations) / sizeof(operations[0]); i++)
		if (!strcmp(which, "all") || !strcmp(which, operations[i].name))
			good = measure(&operations[i], n);
	return good;
}
