/*
 * Sectors in RAM, of a disk of which most are absent.
 *
 * Pages of 4 KiB, each with a bit for each of its sectors, in a table of two
 * levels. A sector is absent, or present with its data; a page of which all that
 * is present are zeroes takes no memory. Any context; a request of many sectors
 * takes the lock for each page.
 */
#pragma once

#include <caisson/spinlock.h>

#include "segments.h"

struct sparse {
	spinlock_t lock;   /* guards the rest; inside it: frames */
	uint64_t **leaves; /* each a frame of entries */
	uint64_t n_leaves;
	uint64_t used, limit; /* frames of data and of entries */
};

/** @param limit  bytes. @return 0; -EFBIG; -ENOMEM */
int sparse_init(struct sparse *s, uint64_t n_sectors, uint64_t limit) __must_check;
/** Give everything back. */
void sparse_exit(struct sparse *s);
/**
 * Copy sectors that are present into segments, up to the first that is absent; or count those that are absent, up to
 * the first that is present.
 * @param n  not 0
 * @return how many, at least 1
 */
uint32_t sparse_read(struct sparse *s, uint64_t sector, uint32_t n, struct segs *to, bool *present);
/** @return 0; -ENOMEM or -ENOSPC: any page of them may have been written, each as a whole */
int sparse_write(struct sparse *s, uint64_t sector, uint32_t n, struct segs *from) __must_check;
/** Make sectors present as zeroes, or absent. The memory of pages without data is given back. */
int sparse_zero(struct sparse *s, uint64_t sector, uint32_t n) __must_check;
void sparse_drop(struct sparse *s, uint64_t sector, uint32_t n);
/** Bytes in use. */
uint64_t sparse_memory(const struct sparse *s);
