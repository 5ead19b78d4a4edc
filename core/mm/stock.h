/*
 * Private to the frame allocator: frames and blocks of 2 MiB that idle harts have zeroed
 * (CONFIG_FRAME_STOCK; mm.h has what the idle task calls). What is in stock is free: it counts
 * as free, and goes back to the buddy lists when they have run out.
 */
#pragma once

#include <caisson/types.h>

extern uint64_t stock_orders; /* bit n: there are blocks of this order; with buddy_lock held */

/** Is there a zeroed block? No lock needed: as it was a moment ago. */
static inline bool stock_has(unsigned order)
{
	return __atomic_load_n(&stock_orders, __ATOMIC_RELAXED) >> order & 1;
}

/** Take a zeroed block; its state is left to the caller. Interrupts off, no lock held. @return 0 or -ENOMEM. */
int stock_take(unsigned order, uint64_t *frame) __must_check;
/** Put all that is in stock back on the buddy lists. Interrupts off, no lock held. @return whether they have anything now. */
bool stock_give_back(void);
/** Frames in stock. With buddy_lock held. */
uint64_t stock_frames(void);
