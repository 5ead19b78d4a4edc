/* The kernel heap on the real frame allocator. */
// sources: core/mm/heap.c core/mm/heap_slab.c core/mm/frame.c core/mm/buddy.c core/mm/fail.c
#include <caisson/mm.h>

#include <arch/cpu.h>

#include <ram.h>
#include <test.h>

static uint64_t frames_at_start;

static int setup(void **state)
{
	(void)state;
	mock_ram_add(0x80000000, 32 * MiB);
	frame_add(HPA(0x80000000), 32 * MiB);
	frames_at_start = frame_free_count();
	return 0;
}

static void sizes_are_aligned_and_writable(void **state)
{
	(void)state;
	for (size_t size = 0; size <= 3 * PAGE_SIZE; size += size < 64 ? 1 : 13) {
		char *p = kalloc(size), *q = kalloc(size);

		assert_non_null(p);
		assert_non_null(q);
		assert_true(IS_ALIGNED((uintptr_t)p, 16));
		assert_true(p + size <= q || q + size <= p);
		memset(p, 1, size);
		memset(q, 2, size);
		for (size_t i = 0; i < size; i++)
			assert_int_equal(p[i], 1);
		kfree(p);
		kfree(q);
	}
	assert_int_equal(heap_in_use(), 0);
}

static void kzalloc_zeroes(void **state)
{
	static const size_t sizes[] = { 1, 16, 100, 2048, 2049, 5000 };

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
		char *p = kalloc(sizes[i]);

		memset(p, 0xff, sizes[i]);
		kfree(p);
		p = kzalloc(sizes[i]);
		for (size_t k = 0; k < sizes[i]; k++)
			assert_int_equal(p[k], 0);
		kfree(p);
	}
}

static void in_use_counts(void **state)
{
	size_t last = heap_in_use();
	void *p[3] = { kalloc(10), kalloc(1500), kalloc(10000) };

	(void)state;
	assert_int_equal(last, 0);
	assert_in_range(heap_in_use(), 11510, 2 * 11510);
	kfree(p[1]);
	assert_true(heap_in_use() >= 10010);
	kfree(p[2]);
	kfree(p[0]);
	kfree(NULL);
	assert_int_equal(heap_in_use(), 0);
}

/* At most one empty slab per class stays: 14 classes of 4 frames. */
static void empty_slabs_go_back(void **state)
{
	static void *p[2000];

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(p); i++)
		p[i] = kalloc(1024);
	assert_true(frame_free_count() < frames_at_start - 480);
	for (unsigned i = 0; i < ARRAY_SIZE(p); i++)
		kfree(p[i * 7 % ARRAY_SIZE(p)]); /* 7 and 2000 share no divisor */
	assert_int_equal(heap_in_use(), 0);
	assert_true(frame_free_count() >= frames_at_start - 14 * 4);
	heap_trim();
	assert_int_equal(frame_free_count(), frames_at_start);
}

static void trim_leaves_slabs_in_use(void **state)
{
	char *p = kzalloc(100), *q = kzalloc(3000);

	(void)state;
	kfree(kalloc(500));
	heap_trim();
	assert_int_equal(frame_free_count(), frames_at_start - 4 - 1);
	memset(p, 1, 100);
	kfree(p);
	kfree(q);
	heap_trim();
	assert_int_equal(frame_free_count(), frames_at_start);
}

static void repeated_use_of_one_object_keeps_its_slab(void **state)
{
	uint64_t free;

	(void)state;
	kfree(kalloc(200));
	free = frame_free_count();
	for (unsigned i = 0; i < 10; i++) {
		void *p = kalloc(200);

		assert_int_equal(frame_free_count(), free);
		kfree(p);
		assert_int_equal(frame_free_count(), free);
	}
}

static void out_of_memory_is_null(void **state)
{
	static void *blocks[64];
	unsigned n = 0;
	void *small[600];
	unsigned m = 0;

	(void)state;
	assert_null(kalloc(SIZE_MAX));
	assert_null(kalloc(2 * GiB));
	assert_null(kzalloc(64 * MiB));
	for (size_t size = 8 * MiB; size >= PAGE_SIZE; size /= 2)
		while (n < ARRAY_SIZE(blocks) && (blocks[n] = kalloc(size)))
			n++;
	assert_null(kalloc(PAGE_SIZE));
	while (m < ARRAY_SIZE(small) && (small[m] = kalloc(2048)))
		m++;
	assert_true(m < ARRAY_SIZE(small)); /* the slabs that are kept have a few */
	assert_null(kzalloc(2048));
	while (m > 0)
		kfree(small[--m]);
	while (n > 0)
		kfree(blocks[--n]);
	assert_int_equal(heap_in_use(), 0);
	assert_true(frame_free_count() >= frames_at_start - 14 * 4);
}

/* What stands in a block must not decide how it is freed, whatever a guest put there. */
static void contents_do_not_matter(void **state)
{
	char *slab_object = kalloc(16);
	char *slab = (char *)ALIGN_DOWN((uintptr_t)slab_object, 4 * PAGE_SIZE);
	char *block = kalloc(4 * PAGE_SIZE);

	(void)state;
	memcpy(block, slab, 4 * PAGE_SIZE);
	kfree(block);
	kfree(slab_object);
	assert_int_equal(heap_in_use(), 0);
}

#define HELD 500

static void M4_random_against_model(void **state)
{
	static struct { unsigned char *p; size_t size; unsigned char fill; } held[HELD];
	uint64_t seed = 4;

	(void)state;
	for (unsigned step = 0; step < 30000; step++) {
		unsigned i = mock_random(&seed) % HELD;

		if (held[i].p) {
			for (size_t k = 0; k < held[i].size; k += 1 + held[i].size / 8)
				assert_int_equal(held[i].p[k], held[i].fill);
			assert_int_equal(held[i].p[held[i].size - 1], held[i].fill);
			kfree(held[i].p);
			held[i].p = NULL;
			continue;
		}
		held[i].size = 1 + mock_random(&seed) % (mock_random(&seed) % 16 ? 600 : 20000);
		held[i].fill = mock_random(&seed);
		held[i].p = kalloc(held[i].size);
		assert_non_null(held[i].p);
		memset(held[i].p, held[i].fill, held[i].size);
	}
	for (unsigned i = 0; i < HELD; i++)
		kfree(held[i].p);
	assert_int_equal(heap_in_use(), 0);
	assert_true(frame_free_count() >= frames_at_start - 14 * 4);
	assert_true(mock_irq_on);
	heap_trim();
	assert_int_equal(frame_free_count(), frames_at_start);
}

static void free_twice(void *arg)
{
	kfree(arg);
	kfree(arg);
}

static void free_inside(void *arg)
{
	kfree((char *)arg + 16);
}

static void free_slab_header(void *arg)
{
	kfree((void *)ALIGN_DOWN((uintptr_t)arg, 4 * PAGE_SIZE));
}

static void free_foreign(void *arg)
{
	(void)arg;
	kfree(&frames_at_start);
}

static void misuse_panics(void **state)
{
	void *small = kalloc(64), *other = kalloc(64), *large = kalloc(3 * PAGE_SIZE);

	(void)state;
	assert_true(mock_panics(free_twice, small));
	assert_true(mock_panics(free_twice, large));
	assert_true(mock_panics(free_inside, small));
	assert_true(mock_panics(free_inside, large));
	assert_true(mock_panics(free_slab_header, small));
	assert_true(mock_panics(free_foreign, NULL));
	kfree(small);
	kfree(other);
	kfree(large);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_use_counts),
		cmocka_unit_test(sizes_are_aligned_and_writable),
		cmocka_unit_test(kzalloc_zeroes),
		cmocka_unit_test(empty_slabs_go_back),
		cmocka_unit_test(trim_leaves_slabs_in_use),
		cmocka_unit_test(repeated_use_of_one_object_keeps_its_slab),
		cmocka_unit_test(out_of_memory_is_null),
		cmocka_unit_test(contents_do_not_matter),
		cmocka_unit_test(M4_random_against_model),
		cmocka_unit_test(misuse_panics),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
