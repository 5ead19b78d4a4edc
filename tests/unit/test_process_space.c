/* Address spaces of processes: what a flat program has, what is undone without memory, copies across the border. */
// sources: process/space.c core/mm/aspace.c core/mm/aspace_fault.c core/mm/pt.c
#include <caisson/mm.h>
#include <caisson/process.h>

#include <arch/pte.h>
#include <arch/user.h>

#include <errno.h>
#include <string.h>

#include <mem.h>
#include <test.h>

#include "process/private.h"

#define UPPER_ENTRY 300

static struct process p;
static char image[5000];
static uint64_t kernel_table[512];

/* The kernel's half: one table, which must neither be freed nor changed with the process. */
void user_root_share_kernel(hpa_t root)
{
	((uint64_t *)hpa_to_kva(root))[UPPER_ENTRY] = PTE_V | (uintptr_t)kernel_table >> PAGE_SHIFT << PTE_PPN_SHIFT;
}

void user_root_unshare_kernel(hpa_t root)
{
	((uint64_t *)hpa_to_kva(root))[UPPER_ENTRY] = 0;
}

static int open(void **state)
{
	(void)state;
	mock_alloc_fail_at = 0;
	mock_frames_total = BIT(20);
	for (unsigned i = 0; i < sizeof(image); i++)
		image[i] = (char)(i * 7 + 1);
	assert_int_equal(user_space_create(&p, image, sizeof(image)), 0);
	return 0;
}

static int close(void **state)
{
	(void)state;
	user_space_destroy(&p);
	assert_int_equal(mock_frames_used, 0);
	assert_int_equal(heap_in_use(), 0);
	return 0;
}

static void P3_a_flat_program_is_mapped_to_run_and_not_to_be_written(void **state)
{
	struct pt_leaf leaf;
	char back[sizeof(image)];

	(void)state;
	assert_int_equal(pt_walk(p.space.format, p.space.root, USER_TEXT, &leaf), 0);
	assert_int_equal(leaf.perm, PERM_R | PERM_X | PERM_U);
	assert_int_equal(copy_from_user(&p, back, USER_TEXT, sizeof(back)), 0);
	assert_memory_equal(back, image, sizeof(back));
	assert_int_equal(copy_to_user(&p, USER_TEXT, image, 1), -EFAULT);
}

static void P4_data_and_stack_are_backed_on_first_touch(void **state)
{
	uint64_t before = mock_frames_used;
	char byte;

	(void)state;
	assert_int_equal(aspace_fault(&p.space, USER_DATA, PERM_W | PERM_U), FAULT_RESOLVED);
	assert_int_equal(aspace_fault(&p.space, USER_TOP - 1, PERM_W | PERM_U), FAULT_RESOLVED);
	assert_true(mock_frames_used > before);
	assert_int_equal(copy_from_user(&p, &byte, USER_DATA + 100, 1), 0);
	assert_int_equal(byte, 0);
	assert_int_equal(aspace_fault(&p.space, USER_TOP - USER_STACK_SIZE - 1, PERM_W | PERM_U), FAULT_NO_AREA);
	assert_int_equal(aspace_fault(&p.space, USER_DATA, PERM_X | PERM_U), FAULT_PERM);
}

static void P2_copies_end_where_the_process_ends(void **state)
{
	static const uint64_t bad[] = { 0, USER_TEXT - 1, USER_TOP, UINT64_C(0xffffffff80000000), UINT64_MAX, BIT(63) };
	char buf[16] = "";

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(copy_from_user(&p, buf, bad[i], 1), -EFAULT);
		assert_int_equal(copy_to_user(&p, bad[i], buf, 1), -EFAULT);
	}
	assert_int_equal(copy_to_user(&p, USER_TOP - 8, buf, 8), 0);
	assert_int_equal(copy_to_user(&p, USER_TOP - 8, buf, 9), -EFAULT);
	assert_int_equal(copy_to_user(&p, USER_DATA + PAGE_SIZE - 4, "acrosses", 8), 0);
	assert_int_equal(copy_from_user(&p, buf, USER_DATA + PAGE_SIZE - 4, 8), 0);
	assert_memory_equal(buf, "acrosses", 8);
}

static void M1_without_memory_nothing_is_left(void **state)
{
	unsigned n = 1;
	int error;

	(void)state;
	do {
		mock_alloc_fail_at = n;
		error = user_space_create(&p, image, sizeof(image));
		mock_alloc_fail_at = 0;
		if (error) {
			assert_int_equal(error, -ENOMEM);
			assert_int_equal(mock_frames_used, 0);
			assert_int_equal(heap_in_use(), 0);
		}
		n++;
	} while (error);
	assert_true(n > 5);
	user_space_destroy(&p);
	assert_int_equal(mock_frames_used, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(P3_a_flat_program_is_mapped_to_run_and_not_to_be_written, open, close),
		cmocka_unit_test_setup_teardown(P4_data_and_stack_are_backed_on_first_touch, open, close),
		cmocka_unit_test_setup_teardown(P2_copies_end_where_the_process_ends, open, close),
		cmocka_unit_test(M1_without_memory_nothing_is_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
