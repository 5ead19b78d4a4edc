/* Page tables that share leaves, as processes do after fork. */
// sources: core/mm/pt.c
#include <caisson/mm.h>
#include <caisson/pt.h>

#include <errno.h>

#include <mem.h>
#include <test.h>

#define RW_USER (PERM_R | PERM_W | PERM_U)

static hpa_t root, to; /* Sv39 */
static uint64_t tables, others;

static int setup(void **state)
{
	(void)state;
	mock_alloc_fail_at = 0;
	tables = others = 1;
	assert_int_equal(frame_alloc(0, FRAME_ZERO, &root), 0);
	assert_int_equal(frame_alloc(0, FRAME_ZERO, &to), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	pt_free_tables(&pt_sv39, root, &tables);
	pt_free_tables(&pt_sv39, to, &others);
	assert_int_equal(tables + others, 0);
	assert_int_equal(mock_frames_used, 0);
	return 0;
}

static void map(uint64_t addr, uint64_t size, uint64_t hpa, unsigned level)
{
	assert_int_equal(pt_map(&pt_sv39, root, addr, size, HPA(hpa), RW_USER, level, &tables), 0);
}

static unsigned n_shared;

static void count_shared(hpa_t frame)
{
	assert_true(frame.v >= 0x80000000 && frame.v < 0x80000000 + 4 * MiB);
	n_shared++;
}

/* Everything of a range; @return the error that ended it. */
static int share_all(uint64_t addr, uint64_t size, bool read_only, unsigned *shared)
{
	uint64_t at = addr;
	unsigned n;
	int err = 0;

	n_shared = *shared = 0;
	while (at < addr + size && !err) {
		err = pt_share(&pt_sv39, root, to, &at, addr + size, read_only, count_shared, &n, &others);
		*shared += n;
	}
	assert_int_equal(*shared, n_shared);
	return err;
}

static void assert_leaf(hpa_t in, uint64_t addr, uint64_t hpa, unsigned perm)
{
	struct pt_leaf leaf;

	assert_int_equal(pt_walk(&pt_sv39, in, addr, &leaf), 0);
	assert_int_equal(leaf.hpa.v, hpa);
	assert_int_equal(leaf.perm, perm);
}

static void assert_nothing_at(uint64_t addr)
{
	struct pt_leaf leaf;

	assert_int_equal(pt_walk(&pt_sv39, to, addr, &leaf), -ENOENT);
}

static void leaves_of_the_range_are_shared(void **state)
{
	const uint64_t base = 2 * MiB - 3 * PAGE_SIZE, hpa = 0x80000000;
	unsigned shared;

	(void)state;
	map(base, 8 * PAGE_SIZE, hpa, 0); /* of which the first and the last page are left out */
	assert_int_equal(share_all(base + PAGE_SIZE, 6 * PAGE_SIZE, true, &shared), 0);
	assert_int_equal(shared, 6);
	assert_int_equal(others, 4);
	for (unsigned i = 1; i <= 6; i++) {
		assert_leaf(to, base + i * PAGE_SIZE, hpa + i * PAGE_SIZE, PERM_R | PERM_U);
		assert_leaf(root, base + i * PAGE_SIZE, hpa + i * PAGE_SIZE, PERM_R | PERM_U);
	}
	assert_nothing_at(base);
	assert_nothing_at(base + 7 * PAGE_SIZE);
	assert_leaf(root, base, hpa, RW_USER);
	assert_leaf(root, base + 7 * PAGE_SIZE, hpa + 7 * PAGE_SIZE, RW_USER);
}

static void holes_are_passed_over(void **state)
{
	unsigned shared;

	(void)state;
	map(GiB, PAGE_SIZE, 0x80000000, 0);
	map(GiB + 5 * PAGE_SIZE, PAGE_SIZE, 0x80001000, 0);
	map(3 * GiB, PAGE_SIZE, 0x80002000, 0);
	assert_int_equal(share_all(0, BIT(38), false, &shared), 0);
	assert_int_equal(shared, 3);
	assert_leaf(to, GiB, 0x80000000, RW_USER);
	assert_leaf(to, GiB + 5 * PAGE_SIZE, 0x80001000, RW_USER);
	assert_leaf(to, 3 * GiB, 0x80002000, RW_USER);
	assert_nothing_at(GiB + PAGE_SIZE);
}

static void large_leaves_are_refused(void **state)
{
	unsigned shared;

	(void)state;
	map(0, PAGE_SIZE, 0x80000000, 0);
	map(2 * MiB, 2 * MiB, 0x80200000, 1);
	assert_int_equal(share_all(0, 4 * MiB, true, &shared), -EINVAL);
	assert_int_equal(shared, 1);
}

/* There are two tables to make: first the second one fails, then the only one that is missing. */
static void without_memory_nothing_is_shared(void **state)
{
	unsigned shared;

	(void)state;
	map(0, PAGE_SIZE, 0x80000000, 0);
	for (unsigned allocation = 2; allocation > 0; allocation--) {
		mock_alloc_fail_at = allocation;
		assert_int_equal(share_all(0, MiB, true, &shared), -ENOMEM);
		assert_int_equal(shared, 0);
		assert_leaf(root, 0, 0x80000000, RW_USER);
	}
	assert_int_equal(share_all(0, MiB, true, &shared), 0);
	assert_leaf(to, 0, 0x80000000, PERM_R | PERM_U);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(leaves_of_the_range_are_shared, setup, teardown),
		cmocka_unit_test_setup_teardown(holes_are_passed_over, setup, teardown),
		cmocka_unit_test_setup_teardown(large_leaves_are_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(without_memory_nothing_is_shared, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
