/* The partition table in a disk's first sector, and the chain of tables in an extended partition. */
#include "partition.h"

#include <errno.h>

#include <caisson/mm.h>

#define ENTRIES 446u
#define ENTRY_SIZE 16u
#define N_ENTRIES 4u
#define SIGNATURE 510u
#define LOGICAL_MAX 128u /* a longer chain goes round in circles */

enum { TYPE_NONE = 0, TYPE_PROTECTIVE = 0xee };

struct entry {
	uint8_t status, type;
	struct extent at;      /* as the table says it, in sectors of ours */
};

static struct entry entry_of(const struct partitions *t, const uint8_t *sector, unsigned i)
{
	const uint8_t *p = sector + ENTRIES + i * ENTRY_SIZE;
	uint32_t unit = t->dev->unit;

	return (struct entry){ p[0], p[4], { (uint64_t)partitions_u32(p + 8) * unit, (uint64_t)partitions_u32(p + 12) * unit } };
}

static bool is_extended(uint8_t type)
{
	return type == 0x05 || type == 0x0f || type == 0x85;
}

/* A boot sector of a file system has the signature too, but code and text where the entries would be. */
static bool is_table(const struct partitions *t, const uint8_t *sector)
{
	bool any = false;

	if (sector[SIGNATURE] != 0x55 || sector[SIGNATURE + 1] != 0xaa)
		return false;
	for (unsigned i = 0; i < N_ENTRIES; i++) {
		struct entry e = entry_of(t, sector, i);

		if (e.status & 0x7f)
			return false;
		any = any || e.type != TYPE_NONE;
	}
	return any;
}

/* A table in the chain: the next part, and how far from the start of the extended one the next table is. */
static int read_link(struct partitions *t, const uint8_t *sector, uint64_t here, uint64_t *next)
{
	struct entry part = entry_of(t, sector, 0), link = entry_of(t, sector, 1);

	if (!is_table(t, sector) && (part.type != TYPE_NONE || link.type != TYPE_NONE)) {
		t->wrong = "a table in the extended part is none";
		return -EINVAL;
	}
	if (part.type != TYPE_NONE)
		t->parts[t->n] = (struct extent){ here + part.at.first, part.at.n };
	t->n++;
	*next = is_extended(link.type) ? link.at.first : 0;
	return 0;
}

/* What is wrong with the place of a table in the chain, or NULL. */
static const char *check_place(const struct partitions *t, uint64_t here)
{
	if (here >= t->dev->n_sectors)
		return "the extended part begins beyond the disk's end";
	if (here - t->container.first >= t->container.n)
		return "a table of the extended part is outside it";
	if (t->n - t->inner == LOGICAL_MAX)
		return "the chain of the extended part's tables does not end";
	return NULL;
}

static int read_chain(struct partitions *t, uint8_t *sector)
{
	uint64_t next = 0;
	int error = 0;

	t->inner = t->n;
	do {
		uint64_t here = t->container.first + next;

		t->wrong = check_place(t, here);
		if (t->wrong)
			return -EINVAL;
		error = block_read(t->dev, here, sector, 1);
		if (!error)
			error = read_link(t, sector, here, &next);
	} while (!error && next);
	return error;
}

static int read_entries(struct partitions *t, uint8_t *sector)
{
	bool protective = false;

	for (unsigned i = 0; i < N_ENTRIES; i++) {
		struct entry e = entry_of(t, sector, i);

		protective = protective || e.type == TYPE_PROTECTIVE;
		if (is_extended(e.type))
			t->container = e.at;
		else if (e.type != TYPE_NONE)
			t->parts[i] = e.at;
	}
	if (protective)
		return partitions_read_gpt(t);
	t->n = N_ENTRIES;
	return t->container.n ? read_chain(t, sector) : 0;
}

int partitions_read_mbr(struct partitions *t)
{
	uint8_t *sector = kalloc(BLOCK_SECTOR);
	int error = sector ? block_read(t->dev, 0, sector, 1) : -ENOMEM;

	if (!error)
		error = is_table(t, sector) ? read_entries(t, sector) : -ENOENT;
	kfree(sector);
	return error;
}
