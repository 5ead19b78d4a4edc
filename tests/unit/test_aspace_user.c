/* User areas: lazy pages, splitting, permissions, sources, fork with copy on write; against a plain model. */
// sources: core/mm/aspace.c core/mm/aspace_fault.c core/mm/aspace_user.c core/mm/page_source.c core/mm/pt.c
#include <user_spaces.h>

/* --- one thing at a time --- */

static void reading_takes_no_frame(void **state)
{
	uint64_t frames;

	(void)state;
	assert_int_equal(aspace_map_user(A, AT(0), 40 * PAGE_SIZE, RW, 0, NULL, 0), 0);
	assert_int_equal(value_at(A, 0), 0); /* its tables are there now */
	frames = mock_frames_used;
	for (unsigned i = 0; i < 40; i++)
		assert_int_equal(value_at(A, i), 0);
	assert_int_equal(mock_frames_used, frames);
	assert_int_equal(put(A, 3, 5), FAULT_RESOLVED);
	assert_int_equal(mock_frames_used, frames + 1);
	assert_int_equal(value_at(A, 3), 5);
	assert_int_equal(value_at(A, 4), 0);
	assert_int_equal(A->resident, 40);
}

static void neighbours_join_and_are_split(void **state)
{
	(void)state;
	assert_int_equal(aspace_map_user(A, AT(0), 4 * PAGE_SIZE, RW, 0, NULL, 0), 0);
	assert_int_equal(aspace_map_user(A, AT(8), 4 * PAGE_SIZE, RW, 0, NULL, 0), 0);
	assert_int_equal(aspace_map_user(A, AT(4), 4 * PAGE_SIZE, RW, 0, NULL, 0), 0);
	assert_int_equal(A->n_areas, 1);
	assert_int_equal(aspace_protect_user(A, AT(5), PAGE_SIZE, R), 0);
	assert_int_equal(A->n_areas, 3);
	assert_int_equal(put(A, 5, 1), FAULT_PERM);
	assert_int_equal(aspace_protect_user(A, AT(0), 12 * PAGE_SIZE, RW), 0);
	assert_int_equal(A->n_areas, 1);
	assert_int_equal(aspace_unmap_user(A, AT(2), 3 * PAGE_SIZE), 0);
	assert_int_equal(A->n_areas, 2);
	assert_int_equal(put(A, 1, 1), FAULT_RESOLVED);
	assert_int_equal(put(A, 2, 1), FAULT_NO_AREA);
	assert_int_equal(put(A, 4, 1), FAULT_NO_AREA);
	assert_int_equal(put(A, 5, 1), FAULT_RESOLVED);
	assert_int_equal(aspace_protect_user(A, AT(0), 12 * PAGE_SIZE, R), -ENOENT);
	assert_int_equal(aspace_map_user(A, AT(1), 4 * PAGE_SIZE, RW, 0, NULL, 0), -EEXIST);
	assert_int_equal(aspace_unmap_user(A, AT(0), BIT(30)), 0);
	assert_int_equal(A->n_areas, 0);
}

static void other_areas_are_left_alone(void **state)
{
	(void)state;
	assert_int_equal(aspace_map_alloc(A, AT(2), PAGE_SIZE, RW | PERM_U, 0), 0);
	assert_int_equal(aspace_map_user(A, AT(0), 2 * PAGE_SIZE, RW, 0, NULL, 0), 0);
	assert_int_equal(aspace_unmap_user(A, AT(0), 3 * PAGE_SIZE), -EINVAL);
	assert_int_equal(aspace_protect_user(A, AT(0), 3 * PAGE_SIZE, R), -EINVAL);
	assert_int_equal(A->n_areas, 2);
}

static void bad_ranges(void **state)
{
	static const uint64_t bad[][2] = {
		{ 0, PAGE_SIZE }, { BASE + 1, PAGE_SIZE }, { BASE, 5 }, { BASE, 0 }, { BASE, UINT64_MAX - 4095 },
		{ BIT(38), PAGE_SIZE }, { BIT(38) - PAGE_SIZE, 2 * PAGE_SIZE }, { UINT64_MAX - 4095, PAGE_SIZE },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(aspace_map_user(A, bad[i][0], bad[i][1], RW, 0, NULL, 0), -EINVAL);
		assert_int_equal(aspace_unmap_user(A, bad[i][0], bad[i][1]), -EINVAL);
		assert_int_equal(aspace_protect_user(A, bad[i][0], bad[i][1], R), -EINVAL);
	}
	assert_int_equal(aspace_map_user(A, BASE, PAGE_SIZE, RW, USER_SHARED, NULL, 0), -EINVAL);
	assert_int_equal(aspace_map_user(A, BASE, PAGE_SIZE, RW, 0, &file.source, 1), -EINVAL);
}

static void no_access_keeps_what_is_there(void **state)
{
	(void)state;
	assert_int_equal(aspace_map_user(A, AT(0), 2 * PAGE_SIZE, RW, 0, NULL, 0), 0);
	put(A, 0, 9);
	assert_int_equal(aspace_protect_user(A, AT(0), 2 * PAGE_SIZE, 0), 0);
	assert_int_equal(put(A, 0, 1), FAULT_PERM);
	assert_int_equal(get(A, 0, &(unsigned char){ 0 }), FAULT_PERM);
	assert_int_equal(aspace_protect_user(A, AT(0), 2 * PAGE_SIZE, R), 0);
	assert_int_equal(value_at(A, 0), 9);
	assert_int_equal(put(A, 0, 1), FAULT_PERM);
}

static void fork_shares_until_written(void **state)
{
	uint64_t frames;

	(void)state;
	assert_int_equal(aspace_map_user(A, AT(0), 8 * PAGE_SIZE, RW, 0, NULL, 0), 0);
	for (unsigned i = 0; i < 8; i++)
		put(A, i, (unsigned char)(10 + i));
	assert_int_equal(aspace_fork(B, A), 0);
	frames = mock_frames_used;
	for (unsigned i = 0; i < 8; i++) {
		assert_int_equal(value_at(A, i), 10 + i);
		assert_int_equal(value_at(B, i), 10 + i);
	}
	assert_int_equal(mock_frames_used, frames);
	put(B, 0, 77);                                   /* a copy */
	assert_int_equal(mock_frames_used, frames + 1);
	put(A, 0, 66);                                   /* the only owner again: in place */
	assert_int_equal(mock_frames_used, frames + 1);
	assert_int_equal(value_at(A, 0), 66);
	assert_int_equal(value_at(B, 0), 77);
	assert_int_equal(aspace_unmap_user(A, AT(1), PAGE_SIZE), 0);
	put(B, 1, 55);                                   /* likewise */
	assert_int_equal(mock_frames_used, frames + 1);
	assert_int_equal(value_at(B, 1), 55);
}

static void sources(void **state)
{
	(void)state;
	assert_int_equal(aspace_map_user(A, AT(0), 4 * PAGE_SIZE, RW, USER_SHARED, &file.source, 0), 0);
	assert_int_equal(aspace_map_user(A, AT(8), 4 * PAGE_SIZE, RW, 0, &file.source, PAGE_SIZE), 0);
	put(A, 1, 42);
	assert_int_equal(value_at(A, 8), 42);            /* private, not yet written: the file's */
	put(A, 8, 43);
	assert_int_equal(value_at(A, 1), 42);
	assert_int_equal(value_at(A, 8), 43);
	assert_int_equal(aspace_fork(B, A), 0);
	put(B, 1, 44);
	assert_int_equal(value_at(A, 1), 44);            /* shared stays shared */
	assert_int_equal(value_at(B, 8), 43);
	assert_int_equal(aspace_map_user(A, AT(20), 4 * PAGE_SIZE, R, 0, &file.source, (SOURCE_PAGES - 1) * PAGE_SIZE), 0);
	assert_int_equal(value_at(A, 20), 0);
	assert_int_equal(get(A, 21, &(unsigned char){ 0 }), FAULT_NO_PAGE); /* beyond its end */
	file.fails = true;
	assert_int_equal(get(A, 2, &(unsigned char){ 0 }), FAULT_NO_PAGE);
	assert_int_equal(file.releases, 0);
}

static void a_source_hears_of_the_first_write(void **state)
{
	(void)state;
	assert_int_equal(aspace_map_user(A, AT(0), 8 * PAGE_SIZE, RW, USER_SHARED, &file.source, 0), 0);
	assert_int_equal(aspace_map_user(A, AT(8), 8 * PAGE_SIZE, RW, 0, &file.source, 0), 0);
	value_at(A, 1);
	put(A, 8 + 2, 1);                                /* private: the file does not change */
	assert_int_equal(aspace_protect_user(A, AT(0), 8 * PAGE_SIZE, R), 0);
	assert_int_equal(aspace_protect_user(A, AT(0), 8 * PAGE_SIZE, RW), 0);
	assert_int_equal(aspace_fork(B, A), 0);
	value_at(B, 1);
	for (unsigned i = 0; i < SOURCE_PAGES; i++)
		assert_false(file.dirty[i]);
	put(B, 1, 1);
	put(A, 3, 1);
	assert_true(file.dirty[1] && file.dirty[3] && !file.dirty[2]);
	file.fails = true;
	assert_int_equal(put(A, 2, 1), FAULT_NO_PAGE);
	value_at(A, 1);
	assert_int_equal(put(A, 1, 1), FAULT_NO_PAGE);   /* A itself has not written it */
}

static void what_is_mapped_for_reading_stays_so(void **state)
{
	(void)state;
	assert_int_equal(aspace_map_user(A, AT(0), PAGE_SIZE, RW, USER_NO_WRITE, &file.source, 0), -EACCES);
	assert_int_equal(aspace_map_user(A, AT(0), 4 * PAGE_SIZE, R, USER_NO_WRITE | USER_SHARED, &file.source, 0), 0);
	assert_int_equal(aspace_map_user(A, AT(4), 4 * PAGE_SIZE, R, USER_SHARED, &file.source, 4 * PAGE_SIZE), 0);
	assert_int_equal(aspace_protect_user(A, AT(3), 2 * PAGE_SIZE, RW), -EACCES);
	assert_int_equal(A->n_areas, 2);
	assert_int_equal(aspace_protect_user(A, AT(4), PAGE_SIZE, RW), 0);
	assert_int_equal(aspace_protect_user(A, AT(0), 3 * PAGE_SIZE, 0), 0);
}

/* --- where others translate at the same time --- */

/* At the flush everything that was taken out must still be there: the sanitizer finds what is not. */
static struct { hpa_t frames[8]; unsigned n, calls; uint64_t before; } gone;

static void look_at_the_gone(struct aspace *as, uint64_t start, uint64_t size)
{
	struct pt_leaf leaf;

	gone.calls++;
	for (unsigned i = 0; i < gone.n; i++)
		gone.before += *(volatile unsigned char *)hpa_to_kva(gone.frames[i]);
	for (uint64_t at = start; size < GiB && at < start + size; at += PAGE_SIZE) /* none of them is writable any more */
		assert_true(pt_walk(as->format, as->root, at, &leaf) || !(leaf.perm & PERM_W) || !gone.n);
}

/* The frames from the root to a page: tables, and the page. */
static void note_way(struct aspace *as, uint64_t addr)
{
	hpa_t table = as->root;

	gone = (typeof(gone)){ .n = 0 };
	for (unsigned level = 3; level-- > 0;) {
		uint64_t pte = ((uint64_t *)hpa_to_kva(table))[addr >> (12 + 9 * level) & 511];

		table = HPA(pte >> 10 << 12);
		gone.frames[gone.n++] = table;
	}
}

static void frames_and_tables_stay_until_all_have_forgotten_them(void **state)
{
	(void)state;
	A->flush = look_at_the_gone;
	for (unsigned way = 0; way < 3; way++) {
		uint64_t frames = mock_frames_used;

		assert_int_equal(aspace_map_user(A, AT(0), PAGE_SIZE, RW, 0, NULL, 0), 0);
		put(A, 0, 1);
		note_way(A, AT(0));
		if (way == 0)
			assert_int_equal(aspace_unmap_user(A, AT(0), PAGE_SIZE), 0);
		else if (way == 1)
			assert_int_equal(aspace_clear_user(A, AT(0), PAGE_SIZE), 0);
		else
			assert_int_equal(aspace_move_user(A, AT(0), PAGE_SIZE, AT(0) + 4 * GiB), 0);
		assert_int_equal(gone.calls, 1);
		gone.n = 0;
		assert_int_equal(aspace_unmap_user(A, PAGE_SIZE, BIT(38) - PAGE_SIZE), 0);
		assert_int_equal(mock_frames_used, frames);
	}
}

static void less_is_flushed_before_it_counts(void **state)
{
	(void)state;
	A->flush = look_at_the_gone;
	assert_int_equal(aspace_map_user(A, AT(0), 2 * PAGE_SIZE, RW, 0, NULL, 0), 0);
	put(A, 0, 1);
	note_way(A, AT(0));
	assert_int_equal(aspace_protect_user(A, AT(0), 2 * PAGE_SIZE, R), 0);
	assert_int_equal(gone.calls, 1);
	gone.n = 0;
	assert_int_equal(aspace_protect_user(A, AT(0), 2 * PAGE_SIZE, RW), 0);
	put(A, 0, 1);
	gone.calls = 0;
	assert_int_equal(aspace_fork(B, A), 0);          /* A cannot write in place now: no hart may go on */
	assert_int_equal(gone.calls, 1);
	note_way(A, AT(0));
	put(A, 0, 2);                                    /* a copy is shown: nobody writes to it while others read the old one */
	assert_int_equal(gone.calls, 1);
	gone.n = 0;
}

static void there_are_so_many_areas_and_no_more(void **state)
{
	(void)state;
	assert_int_equal(aspace_map_user(A, AT(0), 3 * PAGE_SIZE, R, 0, NULL, 0), 0);
	for (unsigned i = 1; i < USER_AREAS_MAX; i++)
		assert_int_equal(aspace_map_user(A, AT(4 * i), PAGE_SIZE, R, 0, NULL, 0), 0);
	assert_int_equal(aspace_map_user(A, AT(-4), PAGE_SIZE, R, 0, NULL, 0), -ENOMEM);
	assert_int_equal(aspace_unmap_user(A, AT(1), PAGE_SIZE), -ENOMEM);
	assert_int_equal(aspace_protect_user(A, AT(0), PAGE_SIZE, RW), -ENOMEM);
	assert_int_equal(aspace_protect_user(A, AT(0), 3 * PAGE_SIZE, RW), 0);
	assert_int_equal(aspace_unmap_user(A, AT(4), PAGE_SIZE), 0);
	assert_int_equal(aspace_unmap_user(A, AT(2), PAGE_SIZE), 0);
	assert_int_equal(aspace_unmap_user(A, AT(0), 8 * PAGE_SIZE), 0);
}

static void instructions_are_forgotten_where_new_ones_are_shown(void **state)
{
	(void)state;
	A->flush = look_at_the_gone;
	gone = (typeof(gone)){ .n = 0 };
	assert_int_equal(aspace_map_user(A, AT(0), 2 * PAGE_SIZE, R, 0, &file.source, 0), 0);
	assert_int_equal(aspace_map_user(A, AT(2), 2 * PAGE_SIZE, R | PERM_X, 0, &file.source, 0), 0);
	value_at(A, 0);
	assert_int_equal(gone.calls, 0);
	value_at(A, 2);                                  /* by reading, too: the leaf lets instructions be fetched */
	assert_int_equal(gone.calls, 1);
	assert_int_equal(aspace_fault(A, AT(3), PERM_X | PERM_U), FAULT_RESOLVED);
	assert_int_equal(gone.calls, 2);
	assert_int_equal(aspace_fault(A, AT(3), PERM_X | PERM_U), FAULT_RESOLVED);
	assert_int_equal(gone.calls, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(reading_takes_no_frame), T(neighbours_join_and_are_split), T(other_areas_are_left_alone), T(bad_ranges),
		T(no_access_keeps_what_is_there), T(fork_shares_until_written), T(sources),
		T(a_source_hears_of_the_first_write), T(what_is_mapped_for_reading_stays_so),
		T(frames_and_tables_stay_until_all_have_forgotten_them), T(less_is_flushed_before_it_counts),
		T(instructions_are_forgotten_where_new_ones_are_shown), T(there_are_so_many_areas_and_no_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
