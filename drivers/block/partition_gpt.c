/* The GUID partition table (UEFI 2.10, section 5.3): at the disk's start, with a copy at its end. */
#include "partition.h"

#include <errno.h>
#include <string.h>

#include <caisson/log.h>
#include <caisson/mm.h>

#include "crc32.h"

#define LOG_NAME "block"

#define HEADER_MIN 92u
#define ENTRY_MIN 128u
#define ENTRY_MAX 4096u

/* Offsets in the header. */
enum {
	HEADER_SIZE = 12,
	HEADER_CRC = 16,
	HEADER_HERE = 24,
	HEADER_USABLE = 40, /* first, then last: blocks */
	HEADER_ENTRIES = 72,
	HEADER_N = 80,
	HEADER_ENTRY_SIZE = 84,
	HEADER_ENTRIES_CRC = 88,
};

/* Offsets in an entry. */
enum { ENTRY_TYPE = 0, ENTRY_TYPE_SIZE = 16, ENTRY_FIRST = 32, ENTRY_LAST = 40 };

/* What a header says, checked; in blocks. */
struct gpt {
	uint64_t usable_first, usable_last, entries;
	uint32_t n, entry_size, entries_crc;
};

static uint64_t n_blocks(const struct partitions *t)
{
	return t->dev->n_sectors / t->dev->unit;
}

/* @return NULL, or what is wrong. The sum is over the header with zeroes where it stands. */
static const char *check_sum(uint8_t *header)
{
	uint32_t size = partitions_u32(header + HEADER_SIZE), sum = partitions_u32(header + HEADER_CRC);

	if (memcmp(header, "EFI PART", 8))
		return "there is no header of a GPT";
	if (size < HEADER_MIN || size > BLOCK_SECTOR)
		return "the size of the GPT's header";
	memset(header + HEADER_CRC, 0, sizeof(sum));
	return crc32_add(0, header, size) == sum ? NULL : "the checksum of the GPT's header";
}

static uint32_t entries_sectors(const struct gpt *g)
{
	return (uint32_t)(ALIGN_UP((uint64_t)g->n * g->entry_size, BLOCK_SECTOR) / BLOCK_SECTOR);
}

/* Are the entries where no part can be? */
static bool is_before_or_behind(const struct partitions *t, const struct gpt *g)
{
	uint64_t end = g->entries * t->dev->unit + entries_sectors(g);

	return g->entries > g->usable_last || end <= g->usable_first * t->dev->unit;
}

static const char *check_header(const struct partitions *t, uint8_t *header, uint64_t here, struct gpt *g)
{
	const char *wrong = check_sum(header);

	if (wrong)
		return wrong;
	*g = (struct gpt){
		.usable_first = partitions_u64(header + HEADER_USABLE),
		.usable_last = partitions_u64(header + HEADER_USABLE + 8),
		.entries = partitions_u64(header + HEADER_ENTRIES),
		.n = partitions_u32(header + HEADER_N),
		.entry_size = partitions_u32(header + HEADER_ENTRY_SIZE),
		.entries_crc = partitions_u32(header + HEADER_ENTRIES_CRC),
	};
	if (partitions_u64(header + HEADER_HERE) != here)
		return "the GPT's header is not where it says";
	if (g->usable_first < 2 || g->usable_first > g->usable_last || g->usable_last >= n_blocks(t))
		return "the GPT reaches beyond the disk's end";
	if (g->n > PARTITIONS_MAX || g->entry_size < ENTRY_MIN || g->entry_size % 8 || g->entry_size > ENTRY_MAX)
		return "the number or size of the GPT's entries";
	if (g->entries == 0 || g->entries >= n_blocks(t) || !is_before_or_behind(t, g))
		return "where the GPT's entries are";
	return NULL;
}

/* @return 0; -EINVAL with t->wrong. The last block is in the part. */
static int add_entry(struct partitions *t, const struct gpt *g, const uint8_t *entry)
{
	static const uint8_t none[ENTRY_TYPE_SIZE];
	uint64_t first = partitions_u64(entry + ENTRY_FIRST), last = partitions_u64(entry + ENTRY_LAST);
	struct extent *part = &t->parts[t->n++];

	*part = (struct extent){ 0 };
	if (memcmp(entry + ENTRY_TYPE, none, sizeof(none)) == 0)
		return 0;
	if (first < g->usable_first || last > g->usable_last || first > last) {
		t->wrong = "a part lies outside the blocks that parts may have";
		return -EINVAL;
	}
	*part = (struct extent){ first * t->dev->unit, (last - first + 1) * t->dev->unit };
	return 0;
}

static int take_entries(struct partitions *t, const struct gpt *g, const uint8_t *entries)
{
	int error = 0;

	if (crc32_add(0, entries, (size_t)g->n * g->entry_size) != g->entries_crc) {
		t->wrong = "the checksum of the GPT's entries";
		return -EINVAL;
	}
	t->n = 0;
	for (uint32_t i = 0; i < g->n && !error; i++)
		error = add_entry(t, g, entries + (size_t)i * g->entry_size);
	return error;
}

static int read_entries(struct partitions *t, const struct gpt *g)
{
	uint32_t n = entries_sectors(g);
	uint8_t *entries = kalloc((size_t)n * BLOCK_SECTOR + 1); /* there may be none */
	int error;

	if (!entries)
		return -ENOMEM;
	t->wrong = "the GPT's entries reach beyond the disk's end"; /* -EINVAL */
	error = block_read(t->dev, g->entries * t->dev->unit, entries, n);
	if (!error)
		error = take_entries(t, g, entries);
	kfree(entries);
	return error;
}

/* The table whose header is in this block. */
static int read_table(struct partitions *t, uint64_t block, uint8_t *header)
{
	struct gpt g;
	int error = block_read(t->dev, block * t->dev->unit, header, 1);

	t->wrong = "the disk is too small for a GPT"; /* -EINVAL */
	if (error)
		return error;
	t->wrong = check_header(t, header, block, &g);
	return t->wrong ? -EINVAL : read_entries(t, &g);
}

/* The copy is for a disk on which the first one was spoilt, not for one that does not answer. */
int partitions_read_gpt(struct partitions *t)
{
	uint8_t *header = kalloc(BLOCK_SECTOR);
	const char *wrong;
	int error = header ? read_table(t, 1, header) : -ENOMEM;

	wrong = t->wrong;
	if (error == -EINVAL && n_blocks(t) > 2) {
		error = read_table(t, n_blocks(t) - 1, header);
		if (!error)
			log_warn("%s: %s is wrong: its copy at the disk's end is used", t->dev->name, wrong);
		t->wrong = wrong;
	}
	kfree(header);
	return error;
}
