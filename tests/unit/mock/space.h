/*
 * An address space for a test: opened before it, closed after it, with a check that
 * everything came back. Of test_aspace.c and test_aspace_areas.c.
 */
#pragma once

#include <caisson/aspace.h>
#include <caisson/mm.h>

#include <errno.h>

#include <mem.h>
#include <test.h>

#define RWX (PERM_R | PERM_W | PERM_X)
#define RW (PERM_R | PERM_W)
#define RAM UINT64_C(0x80000000)

static struct aspace as;
static uint64_t flushed_start, flushed_size;

static const struct device_ops ops = { .name = "test" };

static inline void note_flush(struct aspace *space, uint64_t start, uint64_t size)
{
	/* The lock is free and the area still there: nobody can take the range before the flush. */
	assert_false(spin_is_locked(&space->lock));
	assert_non_null(aspace_find(space, start));
	flushed_start = start;
	flushed_size = size;
}

static inline int open_space(void **state)
{
	(void)state;
	mock_alloc_fail_at = 0;
	mock_frames_max_order = 9;
	mock_frames_total = BIT(20);
	assert_int_equal(aspace_init(&as, &pt_sv39x4, 0, BIT(41) - 1), 0);
	as.flush = note_flush;
	return 0;
}

/* Whatever a test did: the end gives everything back. */
static inline int close_space(void **state)
{
	(void)state;
	mock_alloc_fail_at = 0;
	aspace_destroy(&as);
	assert_int_equal(mock_frames_used, 0);
	assert_int_equal(heap_in_use(), 0);
	assert_int_equal(as.tables, 0);
	return 0;
}

static inline uint64_t area_frames(void)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < as.n_areas; i++)
		n += as.areas[i].frames;
	return n;
}

/* Tables and frames that the space says it has are those that were allocated. */
static inline void check_counts(void)
{
	assert_int_equal(as.tables + area_frames(), mock_frames_used);
}

static inline void check_mapped(uint64_t addr, unsigned level, unsigned perm)
{
	struct pt_leaf leaf;

	assert_int_equal(pt_walk(as.format, as.root, addr, &leaf), 0);
	assert_int_equal(leaf.level, level);
	assert_int_equal(leaf.perm, perm);
}

static inline bool mapped(uint64_t addr)
{
	struct pt_leaf leaf;

	return pt_walk(as.format, as.root, addr, &leaf) == 0;
}

static inline void check_zero(uint64_t addr, uint64_t size)
{
	for (uint64_t off = 0; off < size; off += PAGE_SIZE) {
		static const char zeros[PAGE_SIZE];
		hpa_t hpa;

		assert_int_equal(aspace_resolve(&as, addr + off, PERM_R, &hpa, NULL), FAULT_RESOLVED);
		assert_memory_equal(hpa_to_kva(hpa), zeros, PAGE_SIZE);
	}
}

#define space_test(t) cmocka_unit_test_setup_teardown(t, open_space, close_space)
