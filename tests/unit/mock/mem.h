/*
 * Frames and heap out of the host's malloc, where a test does not link the real
 * ones: the address sanitizer then finds every use after free. Both can be told
 * to fail.
 */
#pragma once

#include <caisson/types.h>

/** Fail the n-th (from 1) frame_alloc or kalloc from now on; 0: none fails. Frames and heap count together. */
extern uint64_t mock_alloc_fail_at;
/** Allocations asked for since the test set this to 0. */
extern uint64_t mock_alloc_calls;
/** Frames not yet given back, in 4 KiB units. */
extern uint64_t mock_frames_used;
/** frame_free_count() is this less mock_frames_used; frame_alloc fails beyond it. */
extern uint64_t mock_frames_total;
/** frame_alloc fails above this order (default FRAME_MAX_ORDER). */
extern unsigned mock_frames_max_order;

/** Called once at the next frame_alloc, before it does anything: the place for "another hart was faster". */
extern void (*mock_frame_hook)(void);

/** Count an allocation. @return true when it has to fail. */
bool mock_alloc_fails(void);

/** How often somebody who used guest memory stopped a fold (tests/unit/mock/fold.c), and what is called then. */
extern unsigned mock_folds_stopped;
extern void (*mock_fold_stop_hook)(void);
