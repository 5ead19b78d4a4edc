/* Frames of a debug build: what is written to a frame after it was freed, and who is named. */
// sources: core/mm/fail.c
#define CONFIG_DEBUG_FRAMES 1

#include "core/mm/buddy.c"
#include "core/mm/frame.c"
#include "core/mm/frame_debug.c"

#include <ram.h>
#include <test.h>

#define RAM_START UINT64_C(0x80000000)
#define RAM_SIZE (64 * MiB)

static int setup(void **state)
{
	(void)state;
	mock_ram_add(RAM_START, RAM_SIZE);
	frame_add(HPA(RAM_START), RAM_SIZE);
	return 0;
}

static bool said(const char *text)
{
	return strstr(mock_panic_message(), text) != NULL;
}

static void M1_all_orders_come_and_go(void **state)
{
	uint64_t before = frame_free_count();
	uint64_t seed = 5;

	(void)state;
	assert_in_range(frame_total_count(), RAM_SIZE / PAGE_SIZE * 99 / 100, RAM_SIZE / PAGE_SIZE);
	for (unsigned round = 0; round < 300; round++) {
		hpa_t f[20];
		unsigned order[20];

		for (unsigned i = 0; i < ARRAY_SIZE(f); i++) {
			order[i] = mock_random(&seed) % 9;
			assert_int_equal(frame_alloc(order[i], i % 2 ? FRAME_ZERO : 0, &f[i]), 0);
			memset(hpa_to_kva(f[i]), (int)i, PAGE_SIZE << order[i]);
		}
		for (unsigned i = 0; i < ARRAY_SIZE(f); i++)
			frame_free(f[i], order[i]);
	}
	assert_int_equal(frame_free_count(), before);
}

static void zeroed_all_the_same(void **state)
{
	hpa_t f;
	uint64_t *words;

	(void)state;
	assert_int_equal(frame_alloc(2, 0, &f), 0);
	frame_free(f, 2);
	assert_int_equal(frame_alloc(2, FRAME_ZERO, &f), 0);
	words = hpa_to_kva(f);
	for (unsigned i = 0; i < 4 * PAGE_WORDS; i++)
		assert_int_equal(words[i], 0);
	frame_free(f, 2);
}

struct late_write {
	unsigned order;
	uint64_t offset;
};

static void take_all_memory(void)
{
	hpa_t f;

	for (unsigned order = FRAME_MAX_ORDER + 1; order-- > 0;)
		while (frame_alloc(order, 0, &f) == 0)
			;
}

static void write_after_free(void *arg)
{
	struct late_write *w = arg;
	hpa_t f;

	assert_int_equal(frame_alloc(w->order, 0, &f), 0);
	frame_free(f, w->order);
	((char *)hpa_to_kva(f))[w->offset] = 0x11;
	take_all_memory();
}

static void use_after_free_is_noticed_by_the_next_allocation(void **state)
{
	struct late_write single = { 0, 16 }, last = { 0, PAGE_SIZE - 1 }, block = { 3, 5 * PAGE_SIZE + 100 };
	struct late_write links = { 3, 3 }, sampled = { 9, 300 * PAGE_SIZE + 20 };

	(void)state;
	assert_true(mock_panics(write_after_free, &single));
	assert_true(said("used after it was freed") && said("4096 bytes"));
	assert_true(mock_panics(write_after_free, &last));
	assert_true(mock_panics(write_after_free, &block));
	assert_true(mock_panics(write_after_free, &links));
	assert_true(said("its first words"));
	assert_true(mock_panics(write_after_free, &sampled));
}

static __attribute__((noinline)) void free_here(hpa_t f)
{
	frame_free(f, 0);
	__asm__ volatile("");
}

static void free_twice(void *arg)
{
	hpa_t f;

	(void)arg;
	assert_int_equal(frame_alloc(0, 0, &f), 0);
	free_here(f);
	frame_free(f, 0);
}

static void second_free_names_the_first(void **state)
{
	const char *last;
	uint64_t by;

	(void)state;
	assert_true(mock_panics(free_twice, NULL));
	assert_true(said("not an allocated block"));
	last = strrchr(mock_panic_message(), 'y'); /* "freed by ADDRESS" */
	by = strtoul(last + 2, NULL, 16);
	assert_in_range(by, (uintptr_t)free_here, (uintptr_t)free_here + 200);
}

static void live_frames_are_left_alone(void **state)
{
	hpa_t f;
	char *p;

	(void)state;
	assert_int_equal(frame_alloc(1, FRAME_ZERO, &f), 0);
	p = hpa_to_kva(f);
	frame_debug_freed(f.v >> PAGE_SHIFT, 0, NULL); /* a free with the wrong order, before it is noticed */
	assert_int_equal(p[100], 0);
	frame_free(f, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(M1_all_orders_come_and_go),
		cmocka_unit_test(zeroed_all_the_same),
		cmocka_unit_test(use_after_free_is_noticed_by_the_next_allocation),
		cmocka_unit_test(second_free_names_the_first),
		cmocka_unit_test(live_frames_are_left_alone),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
