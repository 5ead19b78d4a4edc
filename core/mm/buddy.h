/*
 * Private to the frame allocator: the buddy lists (buddy.c) below the interface and
 * the harts' caches (frame.c).
 *
 * Frames are told by their number here: physical address >> PAGE_SHIFT.
 */
#pragma once

#include <caisson/list.h>
#include <caisson/mm.h>
#include <caisson/spinlock.h>

/*
 * State of a frame: inside a block of either kind or with nobody of ours; in a hart's
 * cache; or the first of a block, free or used, with its order. SLAB only with USED.
 */
enum { INSIDE = 0, CACHED = 0x1f, SLAB = 0x20, FREE = 0x40, USED = 0x80, ORDER_MASK = 0x1f };

struct frame_note; /* frame_debug.h */

struct region {
	uint64_t first, end; /* frame numbers of what can be handed out; end is not included */
	uint8_t *state;      /* one byte per frame from first on */
#ifdef CONFIG_FRAME_COUNTS
	uint32_t *owners;    /* of each frame from first on: how many beyond the first one; NULL before frame_counts_start */
#endif
#ifdef CONFIG_DEBUG_FRAMES
	struct frame_note *notes; /* one per frame from first on */
#endif
};

/* Guards the lists and n_free. Innermost lock: nothing else is taken under it. */
extern spinlock_t buddy_lock;

/** Call fn for each region until it returns something else than 0; @return that. */
int regions_each(int (*fn)(struct region *r));

extern struct region *region_hint; /* where one was found last: the next one probably is there, too */
struct region *region_find(uint64_t frame);

/** The region of a frame, or NULL. No lock: regions come at boot only. */
static inline struct region *region_of(uint64_t frame)
{
	struct region *r = __atomic_load_n(&region_hint, __ATOMIC_RELAXED);

	return likely(frame - r->first < r->end - r->first) ? r : region_find(frame);
}

/*
 * A state belongs to whoever holds the frame: the holder of the block, of the cache, or
 * of buddy_lock. Others may look, and then see it as it was a moment ago.
 */
static inline uint8_t state_get(const struct region *r, uint64_t frame)
{
	return __atomic_load_n(&r->state[frame - r->first], __ATOMIC_RELAXED);
}

static inline void state_set(struct region *r, uint64_t frame, uint8_t state)
{
	__atomic_store_n(&r->state[frame - r->first], state, __ATOMIC_RELAXED);
}

/* --- with buddy_lock held --- */

/** Take a block off the lists; its state is left to the caller. @return 0 or -ENOMEM. */
int buddy_take(unsigned order, uint64_t *frame) __must_check;
/** Take the smallest block there is, or 2^max_order frames of it. @return its order or -ENOMEM. */
int buddy_take_up_to(unsigned max_order, uint64_t *frame) __must_check;
/** Put a block of a region on the lists, joined with its free neighbours. */
void buddy_give(struct region *r, uint64_t frame, unsigned order);
/** Frames on the lists. Without the lock: as many as a moment ago. */
uint64_t buddy_free_frames(void);
