/* Frames with several owners. What is counted is the owners beyond the first, so that a frame with one needs nothing. */
#include <caisson/log.h>
#include <caisson/mm.h>

#include <errno.h>

#include "buddy.h"

static int start(struct region *r)
{
	if (r->owners)
		return 0;
	r->owners = kzalloc((r->end - r->first) * sizeof(r->owners[0]));
	return r->owners ? 0 : -ENOMEM;
}

int frame_counts_start(void)
{
	return regions_each(start);
}

static uint32_t *owners_of(hpa_t frame)
{
	struct region *r = region_of(frame.v >> PAGE_SHIFT);

	ASSERT(r && r->owners);
	return &r->owners[(frame.v >> PAGE_SHIFT) - r->first];
}

void frame_get(hpa_t frame)
{
	__atomic_fetch_add(owners_of(frame), 1, __ATOMIC_RELAXED);
}

void frame_put(hpa_t frame)
{
	uint32_t *owners = owners_of(frame);

	if (__atomic_fetch_sub(owners, 1, __ATOMIC_ACQ_REL) != 0)
		return;
	__atomic_store_n(owners, 0, __ATOMIC_RELAXED);
	frame_free(frame, 0);
}

bool frame_is_shared(hpa_t frame)
{
	return __atomic_load_n(owners_of(frame), __ATOMIC_ACQUIRE) != 0;
}
