/* Frames, heap, page tables and address spaces together, as in the kernel. */
// sources: core/mm/frame.c core/mm/buddy.c core/mm/heap.c core/mm/heap_slab.c core/mm/pt.c core/mm/aspace.c core/mm/aspace_fault.c core/mm/fail.c
#include <caisson/aspace.h>
#include <caisson/mm.h>

#include <errno.h>

#include <ram.h>
#include <test.h>

#define BANK0 UINT64_C(0x80400000)
#define BANK1 UINT64_C(0x200000000)
#define RAM UINT64_C(0x80000000)
#define RWX (PERM_R | PERM_W | PERM_X)

static uint64_t frames_at_start;

static int setup(void **state)
{
	(void)state;
	mock_ram_add(BANK0, 28 * MiB);
	mock_ram_add(BANK1, 48 * MiB);
	frame_add(HPA(BANK0), 28 * MiB);
	frame_add(HPA(BANK1), 48 * MiB);
	frames_at_start = frame_free_count();
	return 0;
}

static void check_nothing_leaked(void)
{
	heap_trim();
	assert_int_equal(heap_in_use(), 0);
	assert_int_equal(frame_free_count(), frames_at_start);
}

static void M3_100_rounds_leave_the_same_free_count(void **state)
{
	static const struct pt_format *const formats[] = { &pt_sv39x4, &pt_sv48x4, &pt_sv57x4 };

	(void)state;
	for (unsigned round = 0; round < 100; round++) {
		struct aspace as;

		assert_int_equal(aspace_init(&as, formats[round % 3], 0, BIT(41) - 1), 0);
		assert_true(IS_ALIGNED(as.root.v, 16 * KiB));
		assert_int_equal(aspace_map_alloc(&as, RAM, GiB, RWX, round % 2 ? ALLOC_LARGE : 0), 0);
		assert_int_equal(aspace_map_alloc(&as, 3 * GiB, 3 * MiB, RWX, ALLOC_EAGER), 0);
		for (uint64_t i = 0; i < 20; i++)
			assert_int_equal(aspace_fault(&as, RAM + i * 0x75000, PERM_W), FAULT_RESOLVED);
		aspace_destroy(&as);
		check_nothing_leaked();
	}
}

/* A guest larger than the machine touches everything it has: it stops there, and all comes back. */
static void M1_lazy_until_memory_is_out(void **state)
{
	uint64_t touched = 0;
	struct aspace as;
	hpa_t f;

	(void)state;
	assert_int_equal(aspace_init(&as, &pt_sv39x4, 0, BIT(41) - 1), 0);
	assert_int_equal(aspace_map_alloc(&as, RAM, GiB, RWX, ALLOC_LARGE), 0);
	while (aspace_fault(&as, RAM + touched, PERM_W) == FAULT_RESOLVED) {
		hpa_t hpa;
		uint64_t *page;

		assert_int_equal(aspace_resolve(&as, RAM + touched, PERM_W, &hpa, NULL), FAULT_RESOLVED);
		page = hpa_to_kva(hpa);
		assert_int_equal(page[0], 0);
		assert_int_equal(page[511], 0);
		page[0] = page[511] = ~touched;
		touched += PAGE_SIZE;
	}
	assert_true(touched > 70 * MiB);
	assert_int_equal(frame_alloc(0, 0, &f), -ENOMEM);
	for (uint64_t off = 0; off < touched; off += PAGE_SIZE) { /* every page kept what was put there */
		hpa_t hpa;

		assert_int_equal(aspace_resolve(&as, RAM + off, PERM_R, &hpa, NULL), FAULT_RESOLVED);
		assert_int_equal(*(uint64_t *)hpa_to_kva(hpa), ~off);
	}
	aspace_destroy(&as);
	check_nothing_leaked();
}

static void M1_eager_beyond_memory_is_undone(void **state)
{
	struct aspace as;

	(void)state;
	assert_int_equal(aspace_init(&as, &pt_sv48x4, 0, BIT(50) - 1), 0);
	assert_int_equal(aspace_map_alloc(&as, RAM, 80 * MiB, RWX, ALLOC_EAGER | ALLOC_LARGE), -ENOMEM);
	assert_int_equal(aspace_map_alloc(&as, RAM, 80 * MiB, RWX, ALLOC_EAGER), -ENOMEM);
	assert_int_equal(as.n_areas, 0);
	assert_int_equal(aspace_map_alloc(&as, RAM, 60 * MiB, RWX, ALLOC_EAGER | ALLOC_LARGE), 0);
	aspace_destroy(&as);
	check_nothing_leaked();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(M3_100_rounds_leave_the_same_free_count),
		cmocka_unit_test(M1_lazy_until_memory_is_out),
		cmocka_unit_test(M1_eager_beyond_memory_is_undone),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
