/* A process's memory: where things go, the heap, ranges that cannot be, copies across the border, harts that have to forget. */
// sources: process/mm.c process/mm_range.c process/copy.c process/shared.c core/mm/aspace.c core/mm/aspace_fault.c core/mm/aspace_user.c core/mm/page_source.c core/mm/page_set.c core/lib/rbtree.c core/mm/pt.c
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <arch/user.h>
#include <caisson/hart.h>
#include <caisson/mm.h>
#include <caisson/smp.h>
#include <mem.h>
#include <process/mm.h>
#include <test.h>

#define RW (PERM_R | PERM_W)
#define AT UINT64_C(0x2000000000)

static struct user_mm *mm;
static uint64_t frames_before;
static unsigned shared_roots, fences, fences_of_all, killed;
static uint64_t called; /* harts, by the last smp_call_mask */

void user_root_share_kernel(hpa_t root) { (void)root; shared_roots++; }
void user_root_unshare_kernel(hpa_t root) { (void)root; shared_roots--; }
void user_space_load(hpa_t root) { assert_int_equal(root.v, mm->space.root.v); }
void user_space_unload(void) { }
void user_space_fence(uint64_t addr) { (void)addr; fences++; }
void user_space_fence_all(void) { fences_of_all++; }

void smp_call_mask(uint64_t mask, void (*fn)(void *), void *arg)
{
	called = mask;
	fn(arg);
}

void thread_out_of_memory(const struct user_mm *whose)
{
	assert_ptr_equal(whose, mm);
	killed++;
}

static int setup(void **state)
{
	static bool ready;

	(void)state;
	mock_alloc_fail_at = 0;
	if (!ready) {
		assert_int_equal(aspace_user_init(), 0);
		mm_init();
	}
	ready = true;
	frames_before = mock_frames_used;
	mm = mm_new();
	assert_non_null(mm);
	fences_of_all = killed = 0;
	called = 0;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	mock_alloc_fail_at = 0;
	mm_put(mm);
	assert_int_equal(shared_roots, 0);
	assert_int_equal(mock_frames_used, frames_before);
	assert_int_equal(heap_in_use(), 0);
	return 0;
}

/* @return the address, or a negative errno */
static int64_t map(uint64_t at, uint64_t size, unsigned flags)
{
	int error = mm_map(mm, &at, size, RW, flags, NULL, 0);

	return error ? error : (int64_t)at;
}

static char byte_at(uint64_t at)
{
	char c = '?';

	return copy_from_user(mm, &c, at, 1) ? '!' : c;
}

static void put(uint64_t at, char c)
{
	assert_int_equal(copy_to_user(mm, at, &c, 1), 0);
}

/* --- places --- */

static void places(void **state)
{
	(void)state;
	assert_int_equal(map(0, 1, 0), USER_MAPS);
	assert_int_equal(map(0, PAGE_SIZE + 1, 0), USER_MAPS + PAGE_SIZE);
	assert_int_equal(map(0, 1, 0), USER_MAPS + 3 * PAGE_SIZE);
	assert_int_equal(map(0x5000123, 1, 0), 0x5000000);            /* a wish, rounded */
	assert_int_equal(map(0x5000000, 1, 0), USER_MAPS + 4 * PAGE_SIZE); /* taken */
	assert_int_equal(map(0x1000, 1, 0), USER_MAPS + 5 * PAGE_SIZE);    /* nobody is given what is so low */
	assert_int_equal(map(UINT64_MAX - 5, 1, 0), USER_MAPS + 6 * PAGE_SIZE);
	assert_int_equal(map(USER_TOP - USER_STACK_SIZE - PAGE_SIZE, 1, 0), USER_MAPS + 7 * PAGE_SIZE); /* the stack's guard */
	assert_int_equal(map(0, USER_TOP - USER_MAPS - USER_STACK_SIZE, 0), -ENOMEM);
	assert_int_equal(map(USER_TOP - PAGE_SIZE, PAGE_SIZE, MM_FIXED), USER_TOP - PAGE_SIZE);
	assert_int_equal(map(USER_LOWEST, PAGE_SIZE, MM_FIXED | MM_NO_REPLACE), USER_LOWEST);
	assert_int_equal(map(USER_LOWEST, PAGE_SIZE, MM_FIXED | MM_NO_REPLACE), -EEXIST);
	put(USER_LOWEST, 'x');
	assert_int_equal(map(USER_LOWEST, PAGE_SIZE, MM_FIXED), USER_LOWEST);
	assert_int_equal(byte_at(USER_LOWEST), 0);
}

static const struct { uint64_t at, size; int map, unmap, protect, check, clear, sync; } bad_ranges[] = {
	{ AT, 0, -EINVAL, -EINVAL, 0, 0, 0, 0 },
	{ AT + 1, PAGE_SIZE, -EINVAL, -EINVAL, -EINVAL, -EINVAL, -EINVAL, -EINVAL },
	{ AT, UINT64_MAX, -ENOMEM, -EINVAL, -ENOMEM, -ENOMEM, -EINVAL, -ENOMEM },
	{ AT, UINT64_MAX - PAGE_SIZE + 1, -ENOMEM, -EINVAL, -ENOMEM, -ENOMEM, -EINVAL, -ENOMEM },
	{ AT, USER_TOP, -ENOMEM, -EINVAL, -ENOMEM, -ENOMEM, -ENOMEM, -ENOMEM },
	{ AT, USER_TOP - AT + 1, -ENOMEM, -EINVAL, -ENOMEM, -ENOMEM, -ENOMEM, -ENOMEM },
	{ USER_TOP - PAGE_SIZE, 2 * PAGE_SIZE, -ENOMEM, -EINVAL, -ENOMEM, -ENOMEM, -ENOMEM, -ENOMEM },
	{ USER_TOP, PAGE_SIZE, -ENOMEM, -EINVAL, -ENOMEM, -ENOMEM, -ENOMEM, -ENOMEM },
	{ BIT(63), PAGE_SIZE, -ENOMEM, -EINVAL, -ENOMEM, -ENOMEM, -ENOMEM, -ENOMEM },
	{ UINT64_MAX - PAGE_SIZE + 1, PAGE_SIZE, -ENOMEM, -EINVAL, -ENOMEM, -ENOMEM, -ENOMEM, -ENOMEM },
	{ UINT64_MAX - PAGE_SIZE + 1, 2 * PAGE_SIZE, -ENOMEM, -EINVAL, -ENOMEM, -ENOMEM, -ENOMEM, -ENOMEM },
	{ 0, PAGE_SIZE, -EPERM, 0, -ENOMEM, -ENOMEM, -EINVAL, -ENOMEM },
};

static void ranges_that_cannot_be(void **state)
{
	(void)state;
	assert_int_equal(map(AT, 4 * PAGE_SIZE, MM_FIXED), AT);
	put(AT, 'x');
	for (unsigned i = 0; i < ARRAY_SIZE(bad_ranges); i++) {
		uint64_t at = bad_ranges[i].at, size = bad_ranges[i].size;

		assert_int_equal(map(at, size, MM_FIXED), bad_ranges[i].map);
		assert_int_equal(map(at, size, MM_FIXED | MM_NO_REPLACE), bad_ranges[i].map);
		assert_int_equal(mm_unmap(mm, at, size), bad_ranges[i].unmap);
		assert_int_equal(mm_protect(mm, at, size, PERM_R), bad_ranges[i].protect);
		assert_int_equal(mm_check(mm, at, size), bad_ranges[i].check);
		assert_int_equal(mm_clear(mm, at, size), bad_ranges[i].clear);
		assert_int_equal(mm_sync(mm, at, size), bad_ranges[i].sync);
		assert_int_equal(mm_populate(mm, at, size, 0), bad_ranges[i].check);
	}
	assert_int_equal(mm->space.n_areas, 1);
	assert_int_equal(byte_at(AT), 'x');
}

static void heap(void **state)
{
	uint64_t start = 0x1000000123;

	(void)state;
	mm->brk_start = mm->brk = start;
	assert_int_equal(mm_brk(mm, 0), start);
	assert_int_equal(mm_brk(mm, start - 1), start);
	assert_int_equal(mm_brk(mm, UINT64_MAX), start);
	assert_int_equal(mm_brk(mm, start + GiB + 1), start);
	assert_int_equal(mm_brk(mm, start + 1), start + 1);  /* in the page that the executable ends in */
	assert_int_equal(mm->space.n_areas, 0);
	assert_int_equal(mm_brk(mm, start + PAGE_SIZE), start + PAGE_SIZE);
	put(start + PAGE_SIZE - 1, 'h');
	assert_int_equal(mm_brk(mm, start + 10 * PAGE_SIZE), start + 10 * PAGE_SIZE);
	assert_int_equal(mm->space.n_areas, 1);
	assert_int_equal(map(ALIGN_UP(start + 20 * PAGE_SIZE, PAGE_SIZE), PAGE_SIZE, MM_FIXED), ALIGN_UP(start + 20 * PAGE_SIZE, PAGE_SIZE));
	assert_int_equal(mm_brk(mm, start + 30 * PAGE_SIZE), start + 10 * PAGE_SIZE); /* something is in the way */
	assert_int_equal(byte_at(start + PAGE_SIZE - 1), 'h');
	assert_int_equal(mm_brk(mm, start), start);
	assert_int_equal(byte_at(start + PAGE_SIZE - 1), '!');
	assert_int_equal(mm_brk(mm, start + PAGE_SIZE), start + PAGE_SIZE);
	assert_int_equal(byte_at(start + PAGE_SIZE - 1), 0);
}

/* --- copies --- */

static void copies(void **state)
{
	static char data[3 * PAGE_SIZE], back[3 * PAGE_SIZE];
	char text[16];

	(void)state;
	for (unsigned i = 0; i < sizeof(data); i++)
		data[i] = (char)rand();
	assert_int_equal(map(AT, 3 * PAGE_SIZE, MM_FIXED), AT);
	assert_int_equal(copy_to_user(mm, AT + 5, data, sizeof(data) - 5), 0);
	assert_int_equal(copy_from_user(mm, back, AT + 5, sizeof(data) - 5), 0);
	assert_memory_equal(data, back, sizeof(data) - 5);
	assert_int_equal(copy_to_user(mm, AT + 6, data, sizeof(data) - 5), -EFAULT);
	assert_int_equal(copy_from_user(mm, back, AT - 1, 2), -EFAULT);
	assert_int_equal(copy_from_user(mm, back, AT - 1, 0), 0);
	assert_int_equal(copy_from_user(mm, back, UINT64_MAX, 2), -EFAULT);
	assert_int_equal(copy_from_user(mm, back, UINT64_MAX - PAGE_SIZE + 1, 2 * PAGE_SIZE), -EFAULT);
	assert_int_equal(copy_to_user(mm, 0, back, 1), -EFAULT);
	assert_int_equal(copy_to_user(mm, BIT(63) + AT, back, 1), -EFAULT);
	assert_int_equal(mm_protect(mm, AT, PAGE_SIZE, PERM_R), 0);
	assert_int_equal(copy_to_user(mm, AT, data, 1), -EFAULT);
	assert_int_equal(copy_from_user(mm, back, AT, 1), 0);
	assert_int_equal(mm_protect(mm, AT, PAGE_SIZE, 0), 0);
	assert_int_equal(copy_from_user(mm, back, AT, 1), -EFAULT);
	memset(data, 'x', sizeof(data));
	assert_int_equal(copy_to_user(mm, AT + PAGE_SIZE, data, 2 * PAGE_SIZE), 0);
	assert_int_equal(copy_string_from_user(mm, text, AT + PAGE_SIZE, sizeof(text)), -ENAMETOOLONG);
	assert_int_equal(copy_string_from_user(mm, text, AT + 3 * PAGE_SIZE - 5, sizeof(text)), -EFAULT);
	put(AT + 2 * PAGE_SIZE + 3, 0);
	assert_int_equal(copy_string_from_user(mm, text, AT + 2 * PAGE_SIZE - 4, sizeof(text)), 7);
	assert_string_equal(text, "xxxxxxx");
	assert_int_equal(copy_string_from_user(mm, text, AT + 2 * PAGE_SIZE + 3, sizeof(text)), 0);
	assert_int_equal(copy_string_from_user(mm, text, AT + 2 * PAGE_SIZE - 4, 7), -ENAMETOOLONG);
	assert_int_equal(killed, 0);
}

static void a_copy_without_memory_kills_the_one_that_asked(void **state)
{
	(void)state;
	assert_int_equal(map(AT, PAGE_SIZE, MM_FIXED), AT);
	mock_alloc_fail_at = 1;
	assert_int_equal(copy_to_user(mm, AT, "x", 1), -EFAULT);
	assert_int_equal(killed, 1);
	assert_int_equal(copy_to_user(mm, AT + PAGE_SIZE, "x", 1), -EFAULT);
	assert_int_equal(killed, 1);
}

/* --- out of memory --- */

/* Everything at once; each allocation fails once. What could not be done has left nothing. */
static int work(struct user_mm **child)
{
	struct page_source *s = shared_memory_new(4 * PAGE_SIZE);
	uint64_t at = AT;
	int error = s ? mm_map(mm, &at, 8 * PAGE_SIZE, RW, 0, NULL, 0) : -ENOMEM;

	at += 64 * MiB;
	if (!error)
		error = mm_map(mm, &at, 4 * PAGE_SIZE, RW, MM_SHARED, s, 0);
	page_source_put(s);
	if (!error)
		error = mm_populate(mm, at, 4 * PAGE_SIZE, PERM_W);
	if (!error)
		error = mm_populate(mm, AT, 8 * PAGE_SIZE, PERM_W);
	if (!error)
		error = mm_protect(mm, AT + PAGE_SIZE, PAGE_SIZE, PERM_R);
	at = AT;
	if (!error)
		error = mm_remap(mm, &at, PAGE_SIZE, 40 * PAGE_SIZE, MM_MAY_MOVE, 0);
	if (!error)
		error = mm_unmap(mm, AT + 4 * PAGE_SIZE, PAGE_SIZE);
	*child = error ? NULL : mm_fork(mm);
	if (!error && !*child)
		error = -ENOMEM;
	return error;
}

static void out_of_memory_at_any_point(void **state)
{
	struct user_mm *child = NULL;
	int error = -ENOMEM;

	for (unsigned n = 1; error; n++) {
		assert_in_range(n, 1, 100);
		mock_alloc_fail_at = n;
		error = work(&child);
		assert_true(error == 0 || error == -ENOMEM);
		mock_alloc_fail_at = 0;
		if (error) {
			teardown(state);
			setup(state);
		}
	}
	assert_non_null(child);
	mm_put(child);
}

/* --- fork --- */

static void fork_shares_frames(void **state)
{
	static const unsigned pages = 16 * MiB / PAGE_SIZE;
	uint64_t frames, resident;
	struct user_mm *child, *parent = mm;

	(void)state;
	assert_int_equal(map(AT, 16 * MiB, MM_FIXED), AT);
	for (unsigned i = 0; i < 256; i++) /* as many as the mock can count */
		put(AT + i * (pages / 256) * PAGE_SIZE, (char)i);
	frames = mock_frames_used;
	resident = mm->space.resident;
	child = mm_fork(mm);
	assert_non_null(child);
	assert_int_equal(child->space.resident, resident);
	assert_int_equal(mock_frames_used, frames + child->space.tables);
	frames = mock_frames_used;
	mm = child;
	for (unsigned i = 0; i < 256; i++)
		assert_int_equal(byte_at(AT + i * (pages / 256) * PAGE_SIZE), (char)i);
	assert_int_equal(mock_frames_used, frames);
	put(AT, 'c');
	assert_int_equal(mock_frames_used, frames + 1);
	mm = parent;
	assert_int_equal(byte_at(AT), 0);
	put(AT, 'p');
	assert_int_equal(mock_frames_used, frames + 1);
	mm_put(child);
}

/* --- other harts --- */

static void load_on(unsigned hart)
{
	mock_harts[hart].index = hart;
	mock_hart = &mock_harts[hart];
	mm_load(mm);
}

static void unload_on(unsigned hart)
{
	mock_hart = &mock_harts[hart];
	mm_unload(mm);
}

/* Do one thing that takes something away; who had to forget? */
static uint64_t flushed_by(int (*fn)(void))
{
	called = 0;
	fences_of_all = 0;
	assert_int_equal(fn(), 0);
	assert_true(fences_of_all > 0);
	return called;
}

static int protecting(void) { return mm_protect(mm, AT, PAGE_SIZE, PERM_R) ?: mm_protect(mm, AT, PAGE_SIZE, RW); }
static int unmapping(void) { return mm_unmap(mm, AT + PAGE_SIZE, PAGE_SIZE); }
static int clearing(void) { return mm_clear(mm, AT, PAGE_SIZE); }

static int moving(void)
{
	uint64_t at = AT + 2 * PAGE_SIZE;

	return mm_remap(mm, &at, PAGE_SIZE, PAGE_SIZE, MM_MAY_MOVE | MM_MOVE_TO, AT + GiB);
}

static int forking(void)
{
	struct user_mm *child = mm_fork(mm);

	if (child)
		mm_put(child);
	return child ? 0 : -ENOMEM;
}

static struct user_mm *child_of_test;

static int copying(void)
{
	return copy_to_user(mm, AT + 3 * PAGE_SIZE, "y", 1);
}

static int cutting(void)
{
	page_source_cut(mm->space.areas[mm->space.n_areas - 1].source, 0);
	return 0;
}

static void whoever_runs_in_it_forgets(void **state)
{
	static int (*const things[])(void) = { protecting, clearing, unmapping, moving, copying, cutting, forking };
	struct page_source *s = shared_memory_new(PAGE_SIZE);
	uint64_t at = AT + 2 * GiB;

	(void)state;
	for (unsigned harts = 1; harts <= 3; harts += 2) {
		assert_int_equal(map(AT, 4 * PAGE_SIZE, MM_FIXED), AT);
		assert_int_equal(mm_map(mm, &at, PAGE_SIZE, RW, MM_FIXED | MM_SHARED, s, 0), 0);
		for (unsigned i = 0; i < ARRAY_SIZE(things); i++) {
			for (unsigned page = 0; page < 4; page++)
				if (aspace_find(&mm->space, AT + page * PAGE_SIZE))
					put(AT + page * PAGE_SIZE, 'x');
			put(at, 'x');
			if (things[i] == copying)
				child_of_test = mm_fork(mm);
			for (unsigned hart = 0; hart < harts; hart++)
				load_on(hart);
			assert_int_equal(flushed_by(things[i]), harts == 1 ? 0 : 7);
			for (unsigned hart = 0; hart < harts; hart++)
				unload_on(hart);
			if (things[i] == copying)
				mm_put(child_of_test);
			assert_int_equal(mm->harts, 0);
		}
	}
	mock_hart = &mock_harts[0];
	page_source_put(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(places), T(ranges_that_cannot_be), T(heap), T(copies), T(a_copy_without_memory_kills_the_one_that_asked),
		T(out_of_memory_at_any_point), T(fork_shares_frames), T(whoever_runs_in_it_forgets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
