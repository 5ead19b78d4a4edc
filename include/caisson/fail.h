/*
 * Making allocations fail on purpose (CONFIG_DEBUG_FAIL_ALLOC), so that a test
 * can walk through every point where memory may be out.
 *
 * One counter serves frame_alloc and the heap: each call of frame_alloc, kalloc
 * and kzalloc counts as one allocation. A kalloc that needs a frame for itself (a new
 * slab, a large object) counts twice, first as a kalloc and then as a frame_alloc.
 * What the frame allocator does inside (a hart's cache that fills up) does not count.
 * Allocations of all harts are counted together.
 *
 * Without the switch nothing of this is in the image.
 */
#pragma once

#include <caisson/types.h>

#ifdef CONFIG_DEBUG_FAIL_ALLOC

/** Let the n-th allocation from now fail, once: 1 is the next one, 0 none. Any context. */
void alloc_fail_at(uint64_t n);
/** Has the allocation that is to fail not come yet? */
bool alloc_fail_pending(void);
/** Allocations since start, those that failed included. */
uint64_t alloc_count(void);
/** Obey the boot argument failalloc=N: the N-th allocation of this start fails. Boot, before the first one. */
void alloc_fail_boot(void);

/** For the allocators, at the entry of each allocation: is it the one? */
bool alloc_fails(void);

#else

static inline void alloc_fail_boot(void) { }
static inline bool alloc_fails(void) { return false; }

#endif
