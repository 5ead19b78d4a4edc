/*
 * User areas under test: three address spaces, a file in memory as their page source, and accesses as a user's. Each
 * test ends with every frame given back. Included by the tests of core/mm/aspace_user.c.
 */
#pragma once

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <caisson/aspace.h>
#include <caisson/mm.h>
#include <mem.h>
#include <test.h>

#define PAGES 48
#define SPACES 3
#define BASE UINT64_C(0x10000000)
#define AT(page) (BASE + (uint64_t)(page) * PAGE_SIZE)
#define SOURCE_PAGES 32
#define R PERM_R
#define RW (PERM_R | PERM_W)

/* --- a source whose pages stay --- */

static struct {
	struct page_source source;
	hpa_t frames[SOURCE_PAGES];
	bool there[SOURCE_PAGES], dirty[SOURCE_PAGES];
	bool fails;
	unsigned releases;
} file;

static inline int file_page(struct page_source *s, uint64_t offset, hpa_t *out)
{
	uint64_t i = offset / PAGE_SIZE;

	assert_ptr_equal(s, &file.source);
	if (i >= SOURCE_PAGES)
		return -ENXIO;
	if (file.fails)
		return -EIO;
	if (!file.there[i] && frame_alloc(0, FRAME_ZERO, &file.frames[i]))
		return -ENOMEM;
	file.there[i] = true;
	frame_get(file.frames[i]);
	*out = file.frames[i];
	return 0;
}

static inline int file_dirty(struct page_source *s, uint64_t offset)
{
	(void)s;
	assert_true(file.there[offset / PAGE_SIZE]);
	if (file.fails)
		return -EIO;
	file.dirty[offset / PAGE_SIZE] = true;
	return 0;
}

static inline void file_release(struct page_source *s)
{
	assert_true(page_source_drop(s));
	file.releases++;
}

static const struct page_source_ops file_ops = { .page = file_page, .dirty = file_dirty, .release = file_release };

/* The file becomes shorter. */
static inline void file_cut(unsigned from)
{
	for (unsigned i = from; i < SOURCE_PAGES; i++) {
		if (file.there[i])
			frame_put(file.frames[i]);
		file.there[i] = file.dirty[i] = false;
	}
}

/* --- spaces --- */

static struct aspace spaces[SPACES];
#define A (&spaces[0])
#define B (&spaces[1])
static uint64_t frames_before;

static inline void no_flush_needed(struct aspace *as, uint64_t start, uint64_t size)
{
	(void)start;
	(void)size;
	assert_false(spin_is_locked(&as->lock));
}

/* Every second one is as one that nobody translates through. */
static inline void open_one(struct aspace *as)
{
	assert_int_equal(aspace_init(as, &pt_sv39, PAGE_SIZE, BIT(38) - 1), 0);
	as->flush = (as - spaces) % 2 ? NULL : no_flush_needed;
}

static inline int setup(void **state)
{
	static bool ready;

	(void)state;
	mock_alloc_fail_at = 0;
	if (!ready)
		assert_int_equal(aspace_user_init(), 0);
	ready = true;
	frames_before = mock_frames_used;
	memset(&file, 0, sizeof(file));
	file.source = (struct page_source){ &file_ops, 1 };
	for (unsigned i = 0; i < SPACES; i++)
		open_one(&spaces[i]);
	return 0;
}

static inline int teardown(void **state)
{
	(void)state;
	mock_alloc_fail_at = 0;
	for (unsigned i = 0; i < SPACES; i++) {
		aspace_destroy(&spaces[i]);
		assert_int_equal(spaces[i].resident, 0);
		assert_int_equal(spaces[i].tables, 0);
	}
	assert_int_equal(file.source.refs, 1);
	for (unsigned i = 0; i < SOURCE_PAGES; i++)
		assert_true(!file.there[i] || !frame_is_shared(file.frames[i]));
	file_cut(0);
	assert_int_equal(mock_frames_used, frames_before);
	assert_int_equal(heap_in_use(), 0);
	return 0;
}

/* As a user's access: the fault path, then what the leaf says. */
static inline enum fault_result get(struct aspace *as, unsigned page, unsigned char *value)
{
	enum fault_result result = aspace_fault(as, AT(page) + 7, PERM_R | PERM_U);
	struct pt_leaf leaf;

	if (result != FAULT_RESOLVED)
		return result;
	assert_int_equal(pt_walk(as->format, as->root, AT(page) + 7, &leaf), 0);
	assert_true((leaf.perm & (PERM_R | PERM_U)) == (PERM_R | PERM_U));
	*value = *(unsigned char *)hpa_to_kva(leaf.hpa);
	return result;
}

static inline enum fault_result put(struct aspace *as, unsigned page, unsigned char value)
{
	enum fault_result result = aspace_fault(as, AT(page) + 7, PERM_W | PERM_U);
	struct pt_leaf leaf;

	if (result != FAULT_RESOLVED)
		return result;
	assert_int_equal(pt_walk(as->format, as->root, AT(page) + 7, &leaf), 0);
	assert_true((leaf.perm & (PERM_W | PERM_U)) == (PERM_W | PERM_U));
	*(unsigned char *)hpa_to_kva(leaf.hpa) = value;
	return result;
}

static inline unsigned char value_at(struct aspace *as, unsigned page)
{
	unsigned char value = 0xee;

	assert_int_equal(get(as, page, &value), FAULT_RESOLVED);
	return value;
}
