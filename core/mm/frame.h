/* Private to core/mm: what the heap asks the frame allocator. */
#pragma once

#include <caisson/mm.h>

/** Order of the allocated block that starts at this frame. @return order, or -ENOENT if none starts there. */
int frame_order(hpa_t frame) __must_check;
