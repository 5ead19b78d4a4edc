/* Every allocation made to fail: each object of memory management is undone completely. */
// sources: core/mm/fail.c core/mm/frame.c core/mm/buddy.c core/mm/heap.c core/mm/heap_slab.c core/mm/pt.c core/mm/aspace.c core/mm/aspace_fault.c
#include <caisson/aspace.h>
#include <caisson/fail.h>
#include <caisson/mm.h>

#include <errno.h>

#include <boot_arg.h>
#include <ram.h>
#include <test.h>

#define RAM UINT64_C(0x80000000)
#define RW (PERM_R | PERM_W)

static const struct pt_format *const formats[] = {
	&pt_sv39, &pt_sv48, &pt_sv57, &pt_sv39x4, &pt_sv48x4, &pt_sv57x4,
};
static const struct device_ops ops = { .name = "test" };

static struct aspace as; /* open while an object in it is built */
static void *object;
static hpa_t frames;
static uint64_t parameter;

static int setup(void **state)
{
	(void)state;
	mock_ram_add(RAM, 64 * MiB);
	frame_add(HPA(RAM), 64 * MiB);
	return 0;
}

/** Something that can be built, with 0 or -ENOMEM, and taken away again. */
struct object {
	int (*make)(void);
	void (*undo)(void);
};

static void check_untouched(uint64_t free, size_t used, uint64_t tables, unsigned areas)
{
	heap_trim();
	assert_int_equal(frame_free_count(), free);
	assert_int_equal(heap_in_use(), used);
	assert_int_equal(as.tables, tables);
	assert_int_equal(as.n_areas, areas);
}

/** Let the 1st, 2nd, ... allocation fail until none is left. @return how many made the object fail. */
static unsigned walk(const struct object *o)
{
	uint64_t free, tables = as.tables;
	size_t used = heap_in_use();
	unsigned areas = as.n_areas, failures = 0;

	heap_trim();
	free = frame_free_count();
	for (uint64_t n = 1;; n++) {
		bool past;
		int err;

		alloc_fail_at(n);
		err = o->make();
		past = alloc_fail_pending();
		alloc_fail_at(0);
		if (err == 0)
			o->undo();
		else
			assert_int_equal(err, -ENOMEM);
		check_untouched(free, used, tables, areas);
		if (past) {
			assert_int_equal(err, 0);
			return failures;
		}
		failures += err != 0;
	}
}

/* --- frames and heap --- */

static int make_frames(void)
{
	return frame_alloc((unsigned)parameter, FRAME_ZERO, &frames);
}

static void undo_frames(void)
{
	frame_free(frames, (unsigned)parameter);
}

static void M1_frames_of_each_order(void **state)
{
	static const struct object o = { make_frames, undo_frames };

	(void)state;
	for (parameter = 0; parameter <= 12; parameter++)
		assert_int_equal(walk(&o), 1);
}

static int make_object(void)
{
	object = kalloc(parameter);
	return object ? 0 : -ENOMEM;
}

static int make_zeroed_object(void)
{
	object = kzalloc(parameter);
	return object ? 0 : -ENOMEM;
}

static void undo_object(void)
{
	kfree(object);
}

/* With an empty heap each object needs its own kalloc and a frame for it. */
static void M1_heap_objects_of_each_size(void **state)
{
	static const struct object plain = { make_object, undo_object };
	static const struct object zeroed = { make_zeroed_object, undo_object };

	(void)state;
	for (parameter = 16; parameter <= 32 * KiB; parameter += parameter / 2) {
		assert_int_equal(walk(&plain), 2);
		assert_int_equal(walk(&zeroed), 2);
	}
}

/* --- address spaces --- */

static int make_space(void)
{
	return aspace_init(&as, formats[parameter], 0, BIT(38) - 1);
}

static void undo_space(void)
{
	aspace_destroy(&as);
}

static void M1_space_of_each_format(void **state)
{
	static const struct object o = { make_space, undo_space };

	(void)state;
	for (parameter = 0; parameter < ARRAY_SIZE(formats); parameter++)
		assert_int_equal(walk(&o), 1);
}

static int map_linear(void)
{
	/* Not aligned: small leaves at both ends, and a table for each. */
	return aspace_map_linear(&as, GiB - 2 * PAGE_SIZE, 4 * MiB, HPA(RAM - 2 * PAGE_SIZE), RW);
}

static int map_io(void)
{
	return aspace_map_io(&as, GiB - 2 * PAGE_SIZE, 4 * PAGE_SIZE, HPA(0x10000000));
}

static int map_lazy(void)
{
	return aspace_map_alloc(&as, GiB - 2 * PAGE_SIZE, 4 * MiB, RW, 0);
}

static int map_eager(void)
{
	return aspace_map_alloc(&as, GiB - 2 * PAGE_SIZE, MiB, RW, ALLOC_EAGER);
}

static int map_eager_large(void)
{
	return aspace_map_alloc(&as, GiB - 2 * PAGE_SIZE, 5 * MiB, RW, ALLOC_EAGER | ALLOC_LARGE);
}

static int map_device(void)
{
	return aspace_map_device(&as, GiB - 2 * PAGE_SIZE, PAGE_SIZE, &ops, NULL);
}

static void undo_area(void)
{
	assert_int_equal(aspace_unmap(&as, GiB - 2 * PAGE_SIZE), 0);
}

/** Fill the set of areas, so that the next one makes it grow. */
static void fill_areas(void)
{
	for (uint64_t i = 0; i == 0 || as.n_areas < as.cap_areas; i++)
		assert_int_equal(aspace_map_device(&as, i * PAGE_SIZE, PAGE_SIZE, &ops, NULL), 0);
}

/** The set has grown and stays so: what that took is not the area's. */
static unsigned walk_area(int (*make)(void))
{
	const struct object o = { make, undo_area };

	return walk(&o);
}

static void M1_areas_of_each_kind(void **state)
{
	(void)state;
	for (parameter = 0; parameter < ARRAY_SIZE(formats); parameter++) {
		unsigned levels = formats[parameter]->levels;

		assert_int_equal(make_space(), 0);
		assert_int_equal(map_device(), 0);
		undo_area();
		assert_int_equal(walk_area(map_lazy), 0);
		assert_int_equal(walk_area(map_device), 0);
		/* tables of both ends' pages, one above them or more */
		assert_true(walk_area(map_linear) >= levels);
		assert_true(walk_area(map_io) >= levels);
		assert_true(walk_area(map_eager) >= 256 + levels);
		/* a large block that fails becomes small ones, no more */
		assert_true(walk_area(map_eager_large) >= 256 + levels);
		aspace_destroy(&as);
	}
}

static int add_one_more(void)
{
	return aspace_map_device(&as, GiB, PAGE_SIZE, &ops, NULL);
}

/* The larger array of areas: the old one stays when there is no new one. */
static void M1_set_of_areas_that_grows(void **state)
{
	unsigned areas;

	(void)state;
	parameter = 0;
	assert_int_equal(make_space(), 0);
	fill_areas();
	areas = as.n_areas;
	for (uint64_t n = 1; n <= 2; n++) { /* the kalloc, and its slab's frame */
		heap_trim();
		alloc_fail_at(n);
		assert_int_equal(add_one_more(), -ENOMEM);
		assert_false(alloc_fail_pending());
		assert_int_equal(as.n_areas, areas);
		assert_non_null(aspace_find(&as, 0));
	}
	assert_int_equal(add_one_more(), 0);
	aspace_destroy(&as);
	check_untouched(frame_total_count(), 0, 0, 0);
}

/* --- the fault path: the frame and each table on the way to it --- */

static int touch(void)
{
	return aspace_fault(&as, GiB - 1, PERM_W) == FAULT_RESOLVED ? 0 : -ENOMEM;
}

static int touch_again(void)
{
	uint64_t len;
	hpa_t hpa;

	return aspace_resolve(&as, GiB - 1, PERM_W, &hpa, &len) == FAULT_RESOLVED ? 0 : -ENOMEM;
}

static void undo_touch(void)
{
	undo_area();
	assert_int_equal(map_lazy(), 0);
}

static void M1_first_touch(void **state)
{
	static const struct object faults = { touch, undo_touch };
	static const struct object resolves = { touch_again, undo_touch };

	(void)state;
	for (parameter = 0; parameter < ARRAY_SIZE(formats); parameter++) {
		assert_int_equal(make_space(), 0);
		assert_int_equal(map_lazy(), 0);
		assert_int_equal(walk(&faults), formats[parameter]->levels);
		assert_int_equal(walk(&resolves), formats[parameter]->levels);
		aspace_destroy(&as);
	}
}

/* --- the injection itself --- */

static void one_failure_then_none(void **state)
{
	uint64_t before = alloc_count();

	(void)state;
	alloc_fail_at(2);
	kfree(kzalloc(3 * PAGE_SIZE)); /* the kalloc counts, then its frames fail */
	assert_int_equal(alloc_count(), before + 2);
	assert_false(alloc_fail_pending());
	kfree(kzalloc(3 * PAGE_SIZE));
	assert_int_equal(alloc_count(), before + 4);
	assert_int_equal(heap_in_use(), 0);
}

static bool next_allocation_fails(void)
{
	void *p = kalloc(16);

	kfree(p);
	return !p;
}

static void boot_argument_is_obeyed(void **state)
{
	static const char *const bad[] = { "", "x", "-1", "3x", " 1" };

	(void)state;
	mock_boot_key = "failalloc";
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		mock_boot_value = bad[i];
		alloc_fail_boot();
		assert_false(alloc_fail_pending());
	}
	mock_boot_value = "1";
	alloc_fail_boot();
	assert_true(next_allocation_fails());
	assert_false(next_allocation_fails());
	mock_boot_key = "failing";
	alloc_fail_boot();
	assert_false(alloc_fail_pending());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(M1_frames_of_each_order),
		cmocka_unit_test(M1_heap_objects_of_each_size),
		cmocka_unit_test(M1_space_of_each_format),
		cmocka_unit_test(M1_areas_of_each_kind),
		cmocka_unit_test(M1_set_of_areas_that_grows),
		cmocka_unit_test(M1_first_touch),
		cmocka_unit_test(one_failure_then_none),
		cmocka_unit_test(boot_argument_is_obeyed),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
