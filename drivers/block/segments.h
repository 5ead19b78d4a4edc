/* Walking through a request's segments. */
#pragma once

#include <caisson/block.h>

/** A place in a list of segments. */
struct segs {
	const struct segment *seg;
	uint32_t offset; /* in it, less than its length, or the walk is at its end */
};

static inline struct segs segs_of(const struct block_request *rq)
{
	return (struct segs){ rq->segs, 0 };
}

/** Copy the next n bytes out of the segments, or into them, or zero them. So many must be left. */
void segs_get(struct segs *at, void *to, uint64_t n);
void segs_put(struct segs *at, const void *from, uint64_t n);
void segs_zero(struct segs *at, uint64_t n);
/** Describe the next n bytes by segments of their own. @return how many: never more than there are. */
unsigned segs_cut(struct segs *at, uint64_t n, struct segment *out);
