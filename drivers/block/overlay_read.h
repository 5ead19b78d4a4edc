/*
 * Reading from a device whose sectors are in two places: what changed, and the base.
 *
 * A request all of whose sectors are in one place goes there as it is. Others are
 * served by one of a few readers, part after part; when all are busy they wait.
 */
#pragma once

#include <caisson/spinlock.h>

#include "child.h"
#include "segments.h"

struct reader;

struct overlay_reads {
	/**
	 * Where are these sectors? Any context.
	 * @param to     where they are wanted; advanced by those that the function copied itself
	 * @param[out] from  device that has them at the same place plus *shift, or NULL: they were copied
	 * @return how many of them, at least 1
	 */
	uint32_t (*source)(struct overlay_reads *reads, uint64_t sector, uint32_t n, struct segs *to,
			   struct block_device **from, uint64_t *shift);
	spinlock_t lock; /* guards the rest; innermost */
	struct reader *free;
	struct list waiting;
	void *memory; /* of the readers */
};

/** `source` is filled in. @param max_segs  of a request. @return 0 or -ENOMEM */
int overlay_reads_init(struct overlay_reads *reads, unsigned max_segs) __must_check;
void overlay_reads_exit(struct overlay_reads *reads);
/** Serve a read. @return as block_ops.submit */
int overlay_read(struct overlay_reads *reads, struct block_request *rq) __must_check;
