/* What a partition table says, as those who read one give it to those who check it. */
#pragma once

#include <caisson/block.h>

#define PARTITIONS_MAX 1024u

/** Sectors of the device. n = 0: there is no part of that number. */
struct extent {
	uint64_t first, n;
};

struct partitions {
	struct block_device *dev;
	const char *wrong;       /* what is wrong with the table, when it is refused */
	unsigned n;              /* numbers 1 to n */
	struct extent container; /* of those from `inner` on: an extended partition */
	unsigned inner;
	struct extent parts[PARTITIONS_MAX]; /* part 1 is the first */
};

/**
 * Read a table. Task context, or boot. @return 0; -ENOENT there is none; -EINVAL with t->wrong; what block_read returns,
 * -ENOMEM among it
 */
int partitions_read_mbr(struct partitions *t) __must_check;
int partitions_read_gpt(struct partitions *t) __must_check;

static inline uint32_t partitions_u32(const void *at)
{
	uint32_t value;

	__builtin_memcpy(&value, at, sizeof(value));
	return value;
}

static inline uint64_t partitions_u64(const void *at)
{
	uint64_t value;

	__builtin_memcpy(&value, at, sizeof(value));
	return value;
}
