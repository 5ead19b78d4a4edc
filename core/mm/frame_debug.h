/*
 * Private to the frame allocator: what a debug build knows of each frame
 * (CONFIG_DEBUG_FRAMES). Freed frames are filled with a pattern, which must still
 * be there when they are handed out again. Without the switch nothing is done.
 */
#pragma once

#include <caisson/log.h>

#include "buddy.h"

#ifdef CONFIG_DEBUG_FRAMES

/** Of each frame; after a free: of each frame of the block. */
struct frame_note {
	const void *allocated, *freed; /* return addresses: who did it last; NULL: never */
	uint32_t poisoned;             /* words that hold the pattern; 0: not filled */
	bool zeroed;                   /* and the pattern is zero */
};

#define FRAME_NOTE_BYTES sizeof(struct frame_note)

/** Put a new region's notes at `at`. @return where its states go. */
void *frame_debug_place_notes(struct region *r, void *at);
/** A block is handed out to `caller`: check that nobody has written to it. */
void frame_debug_allocated(uint64_t frame, unsigned order, const void *caller);
/** `caller` gives a block back. What is not an allocated block is left alone: the free finds it too. */
void frame_debug_freed(uint64_t frame, unsigned order, const void *caller);
/** A frame of a block of this order comes into stock for `caller`: check it as above. It will be zero until it is handed out. */
void frame_debug_stocked(uint64_t frame, unsigned order, const void *caller);
/** A free block's links into its list, before they are followed. */
void frame_debug_check_links(const struct list *node, const struct list *head);
/** What is known of a frame, for a report. */
void frame_debug_who(uint64_t frame, const void **allocated, const void **freed);

#else

#define FRAME_NOTE_BYTES 0

static inline void *frame_debug_place_notes(struct region *r, void *at)
{
	(void)r;
	return at;
}

static inline void frame_debug_allocated(uint64_t frame, unsigned order, const void *caller)
{
	(void)frame;
	(void)order;
	(void)caller;
}

static inline void frame_debug_freed(uint64_t frame, unsigned order, const void *caller)
{
	(void)frame;
	(void)order;
	(void)caller;
}

static inline void frame_debug_stocked(uint64_t frame, unsigned order, const void *caller)
{
	(void)frame;
	(void)order;
	(void)caller;
}

static inline void frame_debug_check_links(const struct list *node, const struct list *head)
{
	(void)node;
	(void)head;
}

static inline void frame_debug_who(uint64_t frame, const void **allocated, const void **freed)
{
	(void)frame;
	*allocated = *freed = NULL;
}

#endif
