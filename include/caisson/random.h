/*
 * Random bytes: a ChaCha20 generator, whose key is replaced with each use, so that what it said earlier cannot be found
 * out from what it is now.
 *
 * It begins with the machine's seed (/chosen rng-seed) and the time; devices that know more are asked at boot and
 * again when their last answer is a minute old. Under --icount, and without such a device, it says the same in each run.
 */
#pragma once

#include <caisson/types.h>

/** Fill n bytes. Never fails, however good they are: see random_is_seeded. Any context. */
void random_bytes(void *buf, size_t n);
/** Did a seed or a device give at least 256 bits? Without, the bytes differ, but can be guessed. Any context. */
bool random_is_seeded(void);

/** Mix n bytes in. bits: how many of theirs nobody else knows. Any context. */
void random_add(const void *data, size_t n, unsigned bits);

/** Who can give more. */
struct random_source {
	/** Have random_add called, soon; not called again for a minute. Any context, no lock held. */
	void (*ask)(struct random_source *source);
	struct random_source *next; /* the generator's */
};

/** Add a source for ever, and ask it. Boot. */
void random_source_register(struct random_source *source);
