/* Address spaces: areas, backends, the fault path, and every allocation failing once. */
// sources: core/mm/aspace.c core/mm/aspace_fault.c core/mm/pt.c
#include <space.h>

static void M1_linear_maps_at_once(void **state)
{
	hpa_t hpa;
	uint64_t len;

	(void)state;
	assert_int_equal(aspace_map_linear(&as, GiB, GiB + 4 * MiB + 0x3000, HPA(4 * GiB), PERM_R | PERM_X), 0);
	check_mapped(GiB, 2, PERM_R | PERM_X);
	check_mapped(2 * GiB, 1, PERM_R | PERM_X);
	check_mapped(2 * GiB + 4 * MiB, 0, PERM_R | PERM_X);
	assert_false(mapped(2 * GiB + 4 * MiB + 0x3000));
	assert_int_equal(aspace_find(&as, GiB)->frames, 0);
	assert_int_equal(aspace_resolve(&as, GiB + 5, PERM_X, &hpa, &len), FAULT_RESOLVED);
	assert_int_equal(hpa.v, 4 * GiB + 5);
	assert_int_equal(len, GiB + 4 * MiB + 0x3000 - 5);
	assert_int_equal(aspace_fault(&as, GiB, PERM_R), FAULT_RESOLVED);
	check_counts();
	assert_int_equal(aspace_unmap(&as, GiB), 0);
	assert_int_equal(flushed_start, GiB);
	assert_int_equal(flushed_size, GiB + 4 * MiB + 0x3000);
	assert_int_equal(as.flushes, 1);
	assert_false(mapped(GiB));
	assert_int_equal(as.tables, 4);
}

static void M1_linear_misaligned_takes_small_leaves(void **state)
{
	hpa_t hpa;

	(void)state;
	assert_int_equal(aspace_map_linear(&as, RAM - 0x1000, 5 * MiB, HPA(RAM), RWX), 0);
	for (uint64_t off = 0; off < 5 * MiB; off += PAGE_SIZE) {
		check_mapped(RAM - 0x1000 + off, 0, RWX);
		assert_int_equal(aspace_resolve(&as, RAM - 0x1000 + off, PERM_W, &hpa, NULL), FAULT_RESOLVED);
		assert_int_equal(hpa.v, RAM + off);
	}
}

static void M1_alloc_zeroed_on_touch(void **state)
{
	const struct area *a;

	(void)state;
	assert_int_equal(aspace_map_alloc(&as, RAM, 64 * MiB, RWX, 0), 0);
	a = aspace_find(&as, RAM);
	assert_int_equal(a->frames, 0);
	assert_false(mapped(RAM));
	assert_int_equal(aspace_fault(&as, RAM + 0x5678, PERM_W), FAULT_RESOLVED);
	assert_int_equal(a->frames, 1);
	check_mapped(RAM + 0x5000, 0, RWX);
	assert_false(mapped(RAM + 0x4000));
	assert_false(mapped(RAM + 0x6000));
	check_zero(RAM + 0x5000, PAGE_SIZE);
	assert_int_equal(aspace_fault(&as, RAM + 0x5000, PERM_R), FAULT_RESOLVED); /* there already */
	assert_int_equal(a->frames, 1);
	check_counts();
	assert_int_equal(as.flushes, 0);
	assert_int_equal(aspace_unmap(&as, RAM), 0);
	assert_int_equal(as.flushes, 1);
	assert_int_equal(mock_frames_used, 4);
}

static void M1_untouched_area_needs_no_flush(void **state)
{
	(void)state;
	assert_int_equal(aspace_map_alloc(&as, RAM, 64 * GiB, RWX, ALLOC_LARGE), 0);
	assert_int_equal(aspace_unmap(&as, RAM), 0);
	assert_int_equal(as.flushes, 0);
}

static void M1_large_block_on_touch(void **state)
{
	const struct area *a;

	(void)state;
	/* 2 MiB blocks within; a page more at either end */
	assert_int_equal(aspace_map_alloc(&as, RAM - 0x1000, 4 * MiB + 0x2000, RWX, ALLOC_LARGE), 0);
	a = aspace_find(&as, RAM);
	assert_int_equal(aspace_fault(&as, RAM + 0x123456, PERM_R), FAULT_RESOLVED);
	check_mapped(RAM, 1, RWX);
	assert_int_equal(a->frames, 512);
	check_zero(RAM, 2 * MiB);
	assert_int_equal(aspace_fault(&as, RAM - 1, PERM_R), FAULT_RESOLVED);
	check_mapped(RAM - 0x1000, 0, RWX);
	assert_int_equal(aspace_fault(&as, RAM + 4 * MiB, PERM_R), FAULT_RESOLVED);
	check_mapped(RAM + 4 * MiB, 0, RWX);
	assert_int_equal(a->frames, 514);
	assert_false(mapped(RAM + 2 * MiB));
	check_counts();
}

static void M1_large_falls_back_to_small(void **state)
{
	const struct area *a;

	(void)state;
	assert_int_equal(aspace_map_alloc(&as, RAM, 4 * MiB, RWX, ALLOC_LARGE), 0);
	a = aspace_find(&as, RAM);
	mock_frames_max_order = 8; /* no 2 MiB block in one piece */
	assert_int_equal(aspace_fault(&as, RAM + 0x2000, PERM_R), FAULT_RESOLVED);
	check_mapped(RAM + 0x2000, 0, RWX);
	assert_int_equal(a->frames, 1);
	mock_frames_max_order = 9; /* now there is, but part of the range has a page */
	mock_alloc_calls = 0;
	assert_int_equal(aspace_fault(&as, RAM + 0x3000, PERM_R), FAULT_RESOLVED);
	check_mapped(RAM + 0x3000, 0, RWX);
	assert_int_equal(mock_alloc_calls, 1); /* no large block was cleared in vain */
	assert_int_equal(aspace_fault(&as, RAM + 2 * MiB, PERM_R), FAULT_RESOLVED);
	check_mapped(RAM + 2 * MiB, 1, RWX);
	check_counts();
}

static void M1_eager_all_at_once(void **state)
{
	(void)state;
	assert_int_equal(aspace_map_alloc(&as, RAM + 0x1000, 3 * MiB, RW, ALLOC_EAGER), 0);
	for (uint64_t off = 0; off < 3 * MiB; off += PAGE_SIZE)
		check_mapped(RAM + 0x1000 + off, 0, RW);
	assert_int_equal(aspace_find(&as, RAM + 0x1000)->frames, 768);
	check_counts();
	check_zero(RAM + 0x1000, 3 * MiB);
}

static void M1_eager_large_where_it_fits(void **state)
{
	(void)state;
	assert_int_equal(aspace_map_alloc(&as, RAM + 0x1000, 6 * MiB, RW, ALLOC_EAGER | ALLOC_LARGE), 0);
	check_mapped(RAM + 0x1000, 0, RW);
	check_mapped(RAM + 2 * MiB, 1, RW);
	check_mapped(RAM + 4 * MiB, 1, RW);
	check_mapped(RAM + 6 * MiB, 0, RW);
	assert_int_equal(aspace_find(&as, RAM + 0x1000)->frames, 1536);
	check_counts();
	check_zero(RAM + 0x1000, 6 * MiB);
}

static void M1_eager_falls_back_to_small(void **state)
{
	(void)state;
	mock_frames_max_order = 8;
	assert_int_equal(aspace_map_alloc(&as, RAM, 4 * MiB, RW, ALLOC_EAGER | ALLOC_LARGE), 0);
	check_mapped(RAM, 0, RW);
	check_mapped(RAM + 4 * MiB - 1, 0, RW);
	assert_int_equal(area_frames(), 1024);
}

static void M1_eager_takes_1_GiB_leaves(void **state)
{
	(void)state;
	mock_frames_max_order = 18;
	assert_int_equal(aspace_map_alloc(&as, GiB, GiB + 2 * MiB, RW, ALLOC_EAGER | ALLOC_LARGE), 0);
	check_mapped(GiB, 2, RW);
	check_mapped(2 * GiB, 1, RW);
	assert_int_equal(aspace_find(&as, GiB)->frames, BIT(18) + 512);
	assert_int_equal(aspace_unmap(&as, GiB), 0);
	assert_int_equal(mock_frames_used, 4);
}

static void M1_eager_out_of_memory_leaks_nothing(void **state)
{
	(void)state;
	mock_frames_total = 1000; /* frames for not quite 4 MiB */
	assert_int_equal(aspace_map_alloc(&as, RAM, 4 * MiB, RW, ALLOC_EAGER), -ENOMEM);
	assert_int_equal(aspace_map_alloc(&as, RAM, 4 * MiB, RW, ALLOC_EAGER | ALLOC_LARGE), -ENOMEM);
	assert_int_equal(mock_frames_used, 4);
	assert_int_equal(as.n_areas, 0);
	assert_int_equal(aspace_map_alloc(&as, RAM, 2 * MiB, RW, ALLOC_EAGER), 0);
}

static void M1_touch_out_of_memory(void **state)
{
	(void)state;
	assert_int_equal(aspace_map_alloc(&as, RAM, 4 * MiB, RW, ALLOC_LARGE), 0);
	for (uint64_t room = 0; room < 3; room++) { /* the page and two tables */
		mock_frames_total = 4 + room;
		assert_int_equal(aspace_fault(&as, RAM, PERM_R), FAULT_NOMEM);
		assert_int_equal(mock_frames_used, 4);
		check_counts();
	}
	mock_frames_total = 4 + 3;
	assert_int_equal(aspace_fault(&as, RAM, PERM_R), FAULT_RESOLVED);
	check_mapped(RAM, 0, RW);
}

/* --- another hart touches the same block while we get a frame for it --- */

static void touch_first_page(void)
{
	assert_int_equal(aspace_fault(&as, RAM, PERM_W), FAULT_RESOLVED);
}

static void touch_small(void)
{
	mock_frames_max_order = 0;
	assert_int_equal(aspace_fault(&as, RAM + 0x7000, PERM_W), FAULT_RESOLVED);
	mock_frames_max_order = 9;
}

static void M2_second_toucher_finds_it_mapped(void **state)
{
	for (unsigned flags = 0; flags <= ALLOC_LARGE; flags += ALLOC_LARGE) {
		uint64_t frames = flags ? 512 : 1;

		assert_int_equal(aspace_map_alloc(&as, RAM, 4 * MiB, RWX, flags), 0);
		mock_frame_hook = touch_first_page;
		assert_int_equal(aspace_fault(&as, RAM + 0x10, PERM_W), FAULT_RESOLVED);
		assert_int_equal(area_frames(), frames);
		check_counts();
		assert_int_equal(aspace_unmap(&as, RAM), 0);
	}
	(void)state;
}

static void M2_small_page_beats_large_block(void **state)
{
	(void)state;
	assert_int_equal(aspace_map_alloc(&as, RAM, 4 * MiB, RWX, ALLOC_LARGE), 0);
	mock_frame_hook = touch_small;
	assert_int_equal(aspace_fault(&as, RAM, PERM_W), FAULT_RESOLVED);
	check_mapped(RAM, 0, RWX);
	check_mapped(RAM + 0x7000, 0, RWX);
	assert_int_equal(area_frames(), 2);
	check_counts();
}

/* The other hart has got the last frames, for this very page. */
static void M2_second_toucher_needs_no_memory(void **state)
{
	hpa_t hpa;

	for (unsigned flags = 0; flags <= ALLOC_LARGE; flags += ALLOC_LARGE) {
		assert_int_equal(aspace_map_alloc(&as, RAM, 4 * MiB, RWX, flags), 0);
		mock_frames_total = mock_frames_used + 3; /* the page and two tables */
		mock_frame_hook = touch_first_page;
		assert_int_equal(aspace_fault(&as, RAM + 0x10, PERM_W), FAULT_RESOLVED);
		assert_int_equal(frame_free_count(), 0);
		assert_int_equal(area_frames(), 1);
		assert_int_equal(aspace_fault(&as, RAM + PAGE_SIZE, PERM_W), FAULT_NOMEM);
		assert_int_equal(aspace_resolve(&as, RAM + PAGE_SIZE, PERM_W, &hpa, NULL), FAULT_NOMEM);
		check_counts();
		assert_int_equal(aspace_unmap(&as, RAM), 0);
		assert_int_equal(aspace_map_alloc(&as, RAM, 4 * MiB, RWX, flags), 0);
		mock_frame_hook = touch_first_page;
		assert_int_equal(aspace_resolve(&as, RAM + 0x10, PERM_W, &hpa, NULL), FAULT_RESOLVED);
		check_counts();
		assert_int_equal(aspace_unmap(&as, RAM), 0);
	}
	(void)state;
}

/* --- M2: the outcomes of the fault path --- */

static void M2_outcomes_differ(void **state)
{
	hpa_t hpa = HPA(77);
	uint64_t len = 88;

	(void)state;
	assert_int_equal(aspace_map_alloc(&as, RAM, 4 * MiB, PERM_R, 0), 0);
	assert_int_equal(aspace_map_linear(&as, GiB, MiB, HPA(GiB), PERM_X), 0);
	assert_int_equal(aspace_map_device(&as, 0x10000000, 0x1000, &ops, &as), 0);
	assert_int_equal(aspace_fault(&as, RAM - 1, PERM_R), FAULT_NO_AREA);
	assert_int_equal(aspace_fault(&as, RAM + 4 * MiB, PERM_R), FAULT_NO_AREA);
	assert_int_equal(aspace_fault(&as, UINT64_MAX, PERM_R), FAULT_NO_AREA);
	assert_int_equal(aspace_fault(&as, RAM, PERM_W), FAULT_PERM);
	assert_int_equal(aspace_fault(&as, RAM, PERM_X), FAULT_PERM);
	assert_int_equal(aspace_fault(&as, GiB, PERM_R), FAULT_PERM);
	assert_int_equal(aspace_fault(&as, GiB, PERM_X), FAULT_RESOLVED);
	assert_int_equal(aspace_fault(&as, RAM, PERM_R), FAULT_RESOLVED);
	assert_int_equal(aspace_fault(&as, 0x10000fff, PERM_R), FAULT_DEVICE);
	assert_int_equal(aspace_fault(&as, 0x10000000, PERM_W), FAULT_DEVICE);
	assert_int_equal(aspace_fault(&as, 0x10000000, PERM_X), FAULT_PERM);
	assert_int_equal(aspace_resolve(&as, RAM - 1, PERM_R, &hpa, &len), FAULT_NO_AREA);
	assert_int_equal(aspace_resolve(&as, RAM, PERM_W, &hpa, &len), FAULT_PERM);
	assert_int_equal(aspace_resolve(&as, 0x10000000, PERM_R, &hpa, &len), FAULT_DEVICE);
	assert_int_equal(hpa.v, 77);
	assert_int_equal(len, 88);
	assert_false(mapped(0x10000000));
	assert_ptr_equal(aspace_find(&as, 0x10000800)->device_arg, &as);
	check_counts();
}

static void M2_denied_access_takes_no_frame(void **state)
{
	(void)state;
	assert_int_equal(aspace_map_alloc(&as, RAM, 4 * MiB, PERM_R, 0), 0);
	assert_int_equal(aspace_fault(&as, RAM, PERM_W), FAULT_PERM);
	assert_int_equal(area_frames(), 0);
}

static void M2_write_permission_brings_read(void **state)
{
	(void)state;
	assert_int_equal(aspace_map_alloc(&as, RAM, 4 * MiB, PERM_W, 0), 0);
	assert_int_equal(aspace_fault(&as, RAM, PERM_R), FAULT_RESOLVED);
}

static void resolve_gives_contiguous_length(void **state)
{
	hpa_t first, second;
	uint64_t len;

	(void)state;
	assert_int_equal(aspace_map_alloc(&as, RAM, 2 * MiB + 0x1000, RW, ALLOC_LARGE), 0);
	assert_int_equal(aspace_resolve(&as, RAM + 0x1234, PERM_W, &first, &len), FAULT_RESOLVED);
	assert_int_equal(len, 2 * MiB - 0x1234);
	memset(hpa_to_kva(first), 0x5a, len);
	assert_int_equal(aspace_resolve(&as, RAM, PERM_R, &second, &len), FAULT_RESOLVED);
	assert_int_equal(second.v, first.v - 0x1234);
	assert_int_equal(aspace_resolve(&as, RAM + 2 * MiB + 8, PERM_R, &second, &len), FAULT_RESOLVED);
	assert_int_equal(len, 0x1000 - 8);
}

/* --- every allocation fails once --- */

static int build_everything(struct aspace *space)
{
	int err = aspace_map_linear(space, GiB - PAGE_SIZE, 4 * MiB, HPA(GiB), RWX);

	if (!err)
		err = aspace_map_alloc(space, RAM, MiB, RW, ALLOC_EAGER);
	if (!err)
		err = aspace_map_alloc(space, 2 * RAM - PAGE_SIZE, 4 * MiB, RW, ALLOC_EAGER | ALLOC_LARGE);
	for (uint64_t i = 0; !err && i < 10; i++) /* the set of areas grows */
		err = aspace_map_device(space, i * 0x1000, 0x1000, &ops, NULL);
	return err;
}

static void M1_each_failing_allocation_is_undone(void **state)
{
	uint64_t used = mock_frames_used;
	size_t heap = heap_in_use();
	unsigned failed = 0;

	(void)state;
	for (uint64_t n = 1;; n++) {
		struct aspace space;
		int err;

		mock_alloc_fail_at = n;
		err = aspace_init(&space, &pt_sv48x4, 0, BIT(50) - 1);
		if (err) {
			assert_int_equal(err, -ENOMEM);
			assert_int_equal(mock_frames_used, used);
			failed++;
			continue;
		}
		err = build_everything(&space);
		/* Large blocks fall back to small ones: then the failure stays without effect. */
		assert_true(err == 0 || err == -ENOMEM);
		failed += err != 0;
		aspace_destroy(&space);
		assert_int_equal(mock_frames_used, used);
		assert_int_equal(heap_in_use(), heap);
		if (mock_alloc_fail_at != 0)
			break; /* n is more than there are */
	}
	mock_alloc_fail_at = 0;
	assert_true(failed > 256);
}

/* A single call that fails changes nothing, without destroying the space. */
static void M1_failed_call_changes_nothing(void **state)
{
	uint64_t n = 1;
	int err;

	(void)state;
	assert_int_equal(aspace_map_device(&as, 0, 0x1000, &ops, NULL), 0);
	do {
		mock_alloc_fail_at = n++;
		err = aspace_map_linear(&as, GiB - PAGE_SIZE, 2 * MiB, HPA(0x5000), RWX);
		mock_alloc_fail_at = 0;
		assert_true(err == 0 || err == -ENOMEM);
		if (err)
			assert_int_equal(mock_frames_used, 4);
		assert_int_equal(as.n_areas, err ? 1 : 2);
		check_counts();
	} while (err);
	assert_true(n > 4);
}

static void M3_100_rounds_leave_the_same_free_count(void **state)
{
	uint64_t before = frame_free_count();
	size_t heap = heap_in_use();

	(void)state;
	for (unsigned round = 0; round < 100; round++) {
		struct aspace space;

		assert_int_equal(aspace_init(&space, &pt_sv39x4, 0, BIT(41) - 1), 0);
		assert_int_equal(aspace_map_alloc(&space, RAM, 64 * MiB, RWX, round % 2 ? ALLOC_LARGE : 0), 0);
		assert_int_equal(aspace_map_linear(&space, GiB, 3 * MiB, HPA(0x1000), RWX), 0);
		for (uint64_t i = 0; i < 10; i++)
			assert_int_equal(aspace_fault(&space, RAM + i * 0x75000, PERM_W), FAULT_RESOLVED);
		if (round % 3)
			assert_int_equal(aspace_unmap(&space, RAM), 0);
		aspace_destroy(&space);
		assert_int_equal(frame_free_count(), before);
		assert_int_equal(heap_in_use(), heap);
	}
}


int main(void)
{
	const struct CMUnitTest tests[] = {
		space_test(M1_linear_maps_at_once),
		space_test(M1_linear_misaligned_takes_small_leaves),
		space_test(M1_alloc_zeroed_on_touch),
		space_test(M1_untouched_area_needs_no_flush),
		space_test(M1_large_block_on_touch),
		space_test(M1_large_falls_back_to_small),
		space_test(M1_eager_all_at_once),
		space_test(M1_eager_large_where_it_fits),
		space_test(M1_eager_falls_back_to_small),
		space_test(M1_eager_takes_1_GiB_leaves),
		space_test(M1_eager_out_of_memory_leaks_nothing),
		space_test(M1_touch_out_of_memory),
		space_test(M2_second_toucher_finds_it_mapped),
		space_test(M2_second_toucher_needs_no_memory),
		space_test(M2_small_page_beats_large_block),
		space_test(M2_outcomes_differ),
		space_test(M2_denied_access_takes_no_frame),
		space_test(M2_write_permission_brings_read),
		space_test(resolve_gives_contiguous_length),
		space_test(M1_each_failing_allocation_is_undone),
		space_test(M1_failed_call_changes_nothing),
		space_test(M3_100_rounds_leave_the_same_free_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
