/* The set of areas: ranges that are taken, free or impossible, order, and what the monitor is told. */
// sources: core/mm/aspace.c core/mm/aspace_fault.c core/mm/pt.c
#include <space.h>

static void M3_taken_range_is_refused(void **state)
{
	(void)state;
	assert_int_equal(aspace_map_device(&as, 0x10000, 0x4000, &ops, NULL), 0);
	for (uint64_t start = 0xd000; start < 0x14000; start += 0x1000) {
		int expected = start == 0xd000 ? 0 : -EEXIST;

		assert_int_equal(aspace_map_device(&as, start, 0x3000, &ops, NULL), expected);
		assert_int_equal(aspace_map_alloc(&as, start, 0x3000, RWX, ALLOC_EAGER), -EEXIST);
		assert_int_equal(aspace_map_linear(&as, start, 0x3000, HPA(0), RWX), -EEXIST);
	}
	assert_int_equal(aspace_map_alloc(&as, 0, GiB, RWX, 0), -EEXIST);
	assert_int_equal(aspace_map_alloc(&as, 0x14000, 0x1000, RWX, 0), 0);
	assert_int_equal(as.n_areas, 3);
	check_counts();
}

static void M3_bad_ranges_are_refused(void **state)
{
	(void)state;
	assert_int_equal(aspace_map_alloc(&as, RAM + 1, MiB, RWX, 0), -EINVAL);
	assert_int_equal(aspace_map_alloc(&as, RAM, MiB + 1, RWX, 0), -EINVAL);
	assert_int_equal(aspace_map_alloc(&as, RAM, 0, RWX, 0), -EINVAL);
	assert_int_equal(aspace_map_alloc(&as, RAM, MiB, 0, 0), -EINVAL);
	assert_int_equal(aspace_map_alloc(&as, BIT(41), MiB, RWX, 0), -EINVAL);
	assert_int_equal(aspace_map_alloc(&as, BIT(41) - PAGE_SIZE, 2 * PAGE_SIZE, RWX, 0), -EINVAL);
	assert_int_equal(aspace_map_alloc(&as, RAM, -PAGE_SIZE, RWX, 0), -EINVAL);
	assert_int_equal(aspace_map_linear(&as, RAM, MiB, HPA(0x10), RWX), -EINVAL);
	assert_int_equal(aspace_map_linear(&as, RAM, 2 * MiB, HPA(BIT(56) - MiB), RWX), -EINVAL);
	assert_int_equal(aspace_unmap(&as, RAM), -ENOENT);
	assert_int_equal(as.n_areas, 0);
	assert_int_equal(mock_frames_used, 4);
	assert_int_equal(aspace_map_alloc(&as, BIT(41) - PAGE_SIZE, PAGE_SIZE, RWX, 0), 0);
	assert_int_equal(aspace_fault(&as, BIT(41) - 1, PERM_R), FAULT_RESOLVED);
}

static void M3_unmap_wants_the_start(void **state)
{
	(void)state;
	assert_int_equal(aspace_map_alloc(&as, RAM, MiB, RWX, 0), 0);
	assert_int_equal(aspace_unmap(&as, RAM + PAGE_SIZE), -ENOENT);
	assert_int_equal(aspace_unmap(&as, RAM - PAGE_SIZE), -ENOENT);
	assert_int_equal(aspace_unmap(&as, RAM), 0);
	assert_null(aspace_find(&as, RAM));
}

static void M3_find_free_finds_the_first_gap(void **state)
{
	uint64_t at;

	(void)state;
	assert_int_equal(aspace_find_free(&as, 0, 0x1000, 1, &at), 0);
	assert_int_equal(at, 0);
	assert_int_equal(aspace_map_device(&as, 0, 0x2000, &ops, NULL), 0);
	assert_int_equal(aspace_map_device(&as, 0x4000, 0x2000, &ops, NULL), 0);
	assert_int_equal(aspace_find_free(&as, 0, 0x2000, PAGE_SIZE, &at), 0);
	assert_int_equal(at, 0x2000);
	assert_int_equal(aspace_find_free(&as, 0, 0x3000, PAGE_SIZE, &at), 0);
	assert_int_equal(at, 0x6000);
	assert_int_equal(aspace_find_free(&as, 0x1000, 0x1000, 0x4000, &at), 0);
	assert_int_equal(at, 0x8000);
	assert_int_equal(aspace_find_free(&as, 0x5000, 0x1000, PAGE_SIZE, &at), 0);
	assert_int_equal(at, 0x6000);
	assert_int_equal(aspace_find_free(&as, 0x3001, 0x1000, PAGE_SIZE, &at), 0);
	assert_int_equal(at, 0x6000);
	assert_int_equal(aspace_find_free(&as, 0, BIT(41), PAGE_SIZE, &at), -ENOSPC);
	assert_int_equal(aspace_find_free(&as, 0, UINT64_MAX, PAGE_SIZE, &at), -ENOSPC);
	assert_int_equal(aspace_find_free(&as, BIT(41) - 0x1000, 0x1000, PAGE_SIZE, &at), 0);
	assert_int_equal(aspace_find_free(&as, BIT(41) - 0x1000, 0x2000, PAGE_SIZE, &at), -ENOSPC);
	assert_int_equal(aspace_find_free(&as, UINT64_MAX, 0x1000, PAGE_SIZE, &at), -ENOSPC);
	assert_int_equal(aspace_find_free(&as, 0, 0, PAGE_SIZE, &at), -ENOSPC);
	assert_int_equal(aspace_find_free(&as, 0, 1, 3, &at), -ENOSPC);
}

/* The kernel's space ends at 2^64. */
static void M3_up_to_the_last_byte(void **state)
{
	struct aspace k;
	uint64_t at;
	hpa_t hpa;

	(void)state;
	assert_int_equal(aspace_init(&k, &pt_sv39, -256 * GiB, UINT64_MAX), 0);
	assert_int_equal(aspace_map_io(&k, -GiB, GiB, HPA(0)), 0);
	assert_int_equal(aspace_map_alloc(&k, -2 * GiB, MiB, RW, ALLOC_EAGER), 0);
	assert_int_equal(aspace_find_free(&k, 0, 0x1000, PAGE_SIZE, &at), 0);
	assert_int_equal(at, -256 * GiB);
	assert_int_equal(aspace_find_free(&k, -2 * GiB, 0x1000, PAGE_SIZE, &at), 0);
	assert_int_equal(at, -2 * GiB + MiB);
	assert_int_equal(aspace_find_free(&k, -2 * GiB, 2 * GiB, PAGE_SIZE, &at), -ENOSPC);
	assert_int_equal(aspace_find_free(&k, -GiB, 0x1000, PAGE_SIZE, &at), -ENOSPC);
	assert_int_equal(aspace_resolve(&k, UINT64_MAX, PERM_W, &hpa, NULL), FAULT_RESOLVED);
	assert_int_equal(hpa.v, GiB - 1);
	assert_int_equal(aspace_fault(&k, UINT64_MAX, PERM_X), FAULT_PERM);
	assert_int_equal(aspace_fault(&k, 0, PERM_R), FAULT_NO_AREA);
	assert_int_equal(aspace_map_alloc(&k, 0, MiB, RW, 0), -EINVAL);
	aspace_destroy(&k);
}

static void M3_many_areas_stay_sorted(void **state)
{
	(void)state;
	for (uint64_t i = 0; i < 100; i++) { /* 37 and 100 share no divisor: every number once */
		uint64_t slot = i * 37 % 100;

		assert_int_equal(aspace_map_device(&as, slot * 0x2000, 0x1000, &ops, (void *)slot), 0);
	}
	for (uint64_t slot = 0; slot < 100; slot++) {
		assert_ptr_equal(aspace_find(&as, slot * 0x2000 + 0xfff)->device_arg, (void *)slot);
		assert_null(aspace_find(&as, slot * 0x2000 + 0x1000));
	}
	for (uint64_t slot = 0; slot < 100; slot += 2)
		assert_int_equal(aspace_unmap(&as, slot * 0x2000), 0);
	assert_int_equal(as.n_areas, 50);
	assert_null(aspace_find(&as, 0));
	assert_ptr_equal(aspace_find(&as, 99 * 0x2000)->device_arg, (void *)99);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		space_test(M3_taken_range_is_refused),
		space_test(M3_bad_ranges_are_refused),
		space_test(M3_unmap_wants_the_start),
		space_test(M3_find_free_finds_the_first_gap),
		space_test(M3_up_to_the_last_byte),
		space_test(M3_many_areas_stay_sorted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
