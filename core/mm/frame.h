/* Private to core/mm: what the heap asks the frame allocator. */
#pragma once

#include <caisson/mm.h>

/** Order of the allocated block that starts at this address, or -ENOENT. */
int frame_order(hpa_t frame) __must_check;

/** Say whether an allocated block is a slab of the heap. While it is one, frame_free refuses it. */
void frame_set_slab(hpa_t frame, bool slab);
/** Does a slab start at this address? Any address may be asked about. */
bool frame_is_slab(hpa_t frame);
