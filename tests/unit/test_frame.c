/* The frame allocator: banks, orders, coalescing, exhaustion, misuse. */
// sources: core/mm/frame.c core/mm/buddy.c core/mm/fail.c
#include <caisson/hart.h>
#include <caisson/mm.h>

#include <errno.h>

#include <ram.h>
#include <test.h>

#include "core/mm/frame.h"

#define BANK0 UINT64_C(0x80200000) /* not aligned to large blocks */
#define BANK0_SIZE (256 * MiB)
#define BANK1 UINT64_C(0x1000000000)
#define BANK1_SIZE (3 * GiB)

/* The allocator's state lives as long as the program: every test leaves it as it found it. */
static int setup(void **state)
{
	(void)state;
	mock_ram_add(BANK0, BANK0_SIZE);
	mock_ram_add(BANK1, BANK1_SIZE);
	frame_add(HPA(BANK0 + 100), BANK0_SIZE - 100);
	frame_add(HPA(BANK1), BANK1_SIZE);
	frame_add(HPA(BANK0 + BANK0_SIZE - MiB), 2 * MiB); /* half of it given before: ignored */
	frame_add(HPA(UINT64_MAX - 100), 4096);
	frame_add(HPA(BIT(44) - GiB), 2 * GiB); /* ends too high */
	return 0;
}

static void bookkeeping_is_small(void **state)
{
	uint64_t given = (BANK0_SIZE + BANK1_SIZE) / PAGE_SIZE;

	(void)state;
	assert_int_equal(frame_free_count(), frame_total_count());
	assert_true(frame_total_count() <= given);
	assert_true(given - frame_total_count() < given / 2000 + 4);
}

static void on_hart(unsigned i)
{
	mock_harts[i].index = i;
	mock_hart = &mock_harts[i];
}

static bool in_banks(uint64_t start, uint64_t size)
{
	return (start >= BANK0 && start + size <= BANK0 + BANK0_SIZE) ||
	       (start >= BANK1 && start + size <= BANK1 + BANK1_SIZE);
}

static void every_order_is_aligned_and_comes_back(void **state)
{
	uint64_t before = frame_free_count();

	(void)state;
	for (unsigned order = 0; order <= FRAME_MAX_ORDER; order++) {
		hpa_t f;

		assert_int_equal(frame_alloc(order, 0, &f), 0);
		assert_true(IS_ALIGNED(f.v, PAGE_SIZE << order));
		assert_true(in_banks(f.v, PAGE_SIZE << order));
		assert_int_equal(frame_order(f), order);
		assert_int_equal(frame_free_count(), before - BIT(order));
		frame_free(f, order);
		assert_int_equal(frame_order(f), -ENOENT);
		assert_int_equal(frame_free_count(), before);
	}
}

static void too_large_order_is_refused(void **state)
{
	hpa_t f = HPA(7);

	(void)state;
	assert_int_equal(frame_alloc(FRAME_MAX_ORDER + 1, 0, &f), -ENOMEM);
	assert_int_equal(f.v, 7);
}

static void zeroed_on_request(void **state)
{
	hpa_t f, again;
	unsigned char *p;

	(void)state;
	assert_int_equal(frame_alloc(3, 0, &f), 0);
	memset(hpa_to_kva(f), 0xff, PAGE_SIZE << 3);
	frame_free(f, 3);
	assert_int_equal(frame_alloc(3, FRAME_ZERO, &again), 0);
	p = hpa_to_kva(again);
	for (unsigned i = 0; i < PAGE_SIZE << 3; i++)
		assert_int_equal(p[i], 0);
	frame_free(again, 3);
}

/** Take everything of one order; the list of frames goes into the frames themselves. */
static uint64_t take_all(unsigned order, uint64_t *head)
{
	uint64_t n = 0;
	hpa_t f;

	*head = 0;
	while (frame_alloc(order, 0, &f) == 0) {
		*(uint64_t *)hpa_to_kva(f) = *head;
		*head = f.v;
		n++;
	}
	return n;
}

static void give_all(unsigned order, uint64_t head)
{
	while (head) {
		uint64_t next = *(uint64_t *)hpa_to_kva(HPA(head));

		frame_free(HPA(head), order);
		head = next;
	}
}

/* Most of the RAM in large blocks, so that the test does not touch gigabytes; then 64 MiB by single frames. */
static void exhaustion_and_coalescing(void **state)
{
	uint64_t huge, large, single, huge_head, large_head, single_head, again;
	hpa_t f = HPA(1), spare[16];

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(spare); i++)
		assert_int_equal(frame_alloc(10, 0, &spare[i]), 0);
	huge = take_all(FRAME_MAX_ORDER, &huge_head);
	large = take_all(10, &large_head);
	for (unsigned i = 0; i < ARRAY_SIZE(spare); i++)
		frame_free(spare[i], 10);
	single = take_all(0, &single_head);
	assert_true(huge >= 1 && large >= 1 && single >= ARRAY_SIZE(spare) << 10);
	assert_int_equal((huge << FRAME_MAX_ORDER) + (large << 10) + single, frame_total_count());
	assert_int_equal(frame_free_count(), 0);
	assert_int_equal(frame_alloc(0, 0, &f), -ENOMEM);
	assert_int_equal(f.v, 1);
	give_all(0, single_head);
	give_all(10, large_head);
	give_all(FRAME_MAX_ORDER, huge_head);
	assert_int_equal(frame_free_count(), frame_total_count());

	/* Everything found together again, also the 64 MiB that were split up. */
	again = take_all(FRAME_MAX_ORDER, &huge_head);
	large = take_all(14, &large_head);
	assert_true(again >= huge);
	assert_true(large >= BANK0_SIZE / (64 * MiB) - 1);
	give_all(14, large_head);
	give_all(FRAME_MAX_ORDER, huge_head);
}

static void all_banks_are_used(void **state)
{
	uint64_t head, in0 = 0, in1 = 0;

	(void)state;
	take_all(9, &head);
	for (uint64_t f = head; f; f = *(uint64_t *)hpa_to_kva(HPA(f))) {
		in0 += f - BANK0 < BANK0_SIZE;
		in1 += f - BANK1 < BANK1_SIZE;
	}
	give_all(9, head);
	assert_true(in0 >= BANK0_SIZE / (2 * MiB) - 2);
	assert_true(in1 >= BANK1_SIZE / (2 * MiB) - 1);
}

/* --- single frames stay with the hart that freed them --- */

static void cached_frames_are_free(void **state)
{
	uint64_t before = frame_free_count();
	hpa_t f[100];

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(f); i++) {
		on_hart(i % 4);
		assert_int_equal(frame_alloc(0, 0, &f[i]), 0);
		assert_int_equal(frame_free_count(), before - i - 1);
	}
	for (unsigned i = 0; i < ARRAY_SIZE(f); i++) {
		on_hart(i % 3);
		frame_free(f[i], 0);
		assert_int_equal(frame_order(f[i]), -ENOENT);
		assert_false(frame_is_slab(f[i]));
		assert_int_equal(frame_free_count(), before - ARRAY_SIZE(f) + i + 1);
	}
	on_hart(0);
}

static void cache_hands_out_what_was_freed_last(void **state)
{
	hpa_t f, again;

	(void)state;
	assert_int_equal(frame_alloc(0, 0, &f), 0);
	frame_free(f, 0);
	assert_int_equal(frame_alloc(0, 0, &again), 0);
	assert_int_equal(again.v, f.v);
	frame_free(again, 0);
}

static uint64_t huge_head, large_head, single_head;

/** Hold all memory but one block. @return that one. */
static hpa_t take_all_but_one(unsigned order)
{
	hpa_t block;

	take_all(FRAME_MAX_ORDER, &huge_head);
	take_all(order, &large_head);
	take_all(0, &single_head);
	block = HPA(large_head);
	large_head = *(uint64_t *)hpa_to_kva(block);
	frame_free(block, order);
	return block;
}

static void give_all_back(unsigned order)
{
	give_all(0, single_head);
	give_all(order, large_head);
	give_all(FRAME_MAX_ORDER, huge_head);
	assert_int_equal(frame_free_count(), frame_total_count());
}

/** Take the n frames of the only free block one by one, and free them on n_harts harts. */
static void spread(unsigned n, unsigned n_harts)
{
	hpa_t f[32];

	for (unsigned i = 0; i < n; i++)
		assert_int_equal(frame_alloc(0, 0, &f[i]), 0);
	for (unsigned i = 0; i < n; i++) {
		on_hart(i % n_harts);
		frame_free(f[i], 0);
	}
	on_hart(7);
	assert_int_equal(frame_free_count(), n);
}

static void M1_no_frame_is_out_of_reach_in_another_cache(void **state)
{
	hpa_t f[32], one_more;

	(void)state;
	take_all_but_one(5);
	spread(ARRAY_SIZE(f), 3);
	for (unsigned i = 0; i < ARRAY_SIZE(f); i++)
		assert_int_equal(frame_alloc(0, 0, &f[i]), 0);
	assert_int_equal(frame_free_count(), 0);
	assert_int_equal(frame_alloc(0, 0, &one_more), -ENOMEM);
	for (unsigned i = 0; i < ARRAY_SIZE(f); i++)
		frame_free(f[i], 0);
	on_hart(0);
	give_all_back(5);
}

/* Frames in caches keep a block apart: they are gathered before a large one is refused. */
static void M1_cached_frames_join_to_a_block(void **state)
{
	hpa_t block, again;

	(void)state;
	block = take_all_but_one(4);
	spread(16, 5);
	assert_int_equal(frame_alloc(4, 0, &again), 0);
	assert_int_equal(again.v, block.v);
	frame_free(again, 4);
	on_hart(0);
	give_all_back(4);
}

/* --- against a plain model: a list of what we hold, which must never overlap --- */

#define HELD_MAX 400

struct held {
	uint64_t start;
	unsigned order;
	uint64_t mark;
};

static struct held held[HELD_MAX];
static unsigned n_held;
static uint64_t held_frames;

static bool overlaps_held(uint64_t start, unsigned order)
{
	for (unsigned i = 0; i < n_held; i++)
		if (start < held[i].start + (PAGE_SIZE << held[i].order) &&
		    held[i].start < start + (PAGE_SIZE << order))
			return true;
	return false;
}

static void model_alloc(uint64_t *seed)
{
	unsigned order = mock_random(seed) % 2 ? 0 : mock_random(seed) % 12;
	uint64_t *words;
	hpa_t f;

	if (n_held == HELD_MAX || frame_alloc(order, 0, &f))
		return;
	assert_false(overlaps_held(f.v, order));
	assert_true(in_banks(f.v, PAGE_SIZE << order));
	words = hpa_to_kva(f);
	held[n_held++] = (struct held){ f.v, order, mock_random(seed) };
	words[0] = words[(512 << order) - 1] = held[n_held - 1].mark;
	held_frames += BIT(order);
}

static void model_free(uint64_t *seed)
{
	unsigned i;
	uint64_t *words;

	if (n_held == 0)
		return;
	i = mock_random(seed) % n_held;
	words = hpa_to_kva(HPA(held[i].start));
	assert_int_equal(words[0], held[i].mark);
	assert_int_equal(words[(512 << held[i].order) - 1], held[i].mark);
	frame_free(HPA(held[i].start), held[i].order);
	held_frames -= BIT(held[i].order);
	held[i] = held[--n_held];
}

static void M4_random_against_model(void **state)
{
	uint64_t seed = 1;

	(void)state;
	for (unsigned step = 0; step < 20000; step++) {
		on_hart((unsigned)(mock_random(&seed) % 4));
		if (mock_random(&seed) % 100 < (step / 1000 % 2 ? 40 : 60))
			model_alloc(&seed);
		else
			model_free(&seed);
		assert_int_equal(frame_free_count(), frame_total_count() - held_frames);
	}
	while (n_held > 0)
		model_free(&seed);
	on_hart(0);
	assert_int_equal(frame_free_count(), frame_total_count());
}

/* --- misuse is our own bug and must not go unnoticed --- */

static void free_twice(void *arg)
{
	frame_free(*(hpa_t *)arg, 0);
	frame_free(*(hpa_t *)arg, 0);
}

/* The second of two neighbours becomes part of the first one's block. */
static void free_joined_twice(void *arg)
{
	hpa_t lower, upper;

	(void)arg;
	take_all_but_one(4);
	assert_int_equal(frame_alloc(3, 0, &lower), 0);
	assert_int_equal(frame_alloc(3, 0, &upper), 0);
	frame_free(lower, 3);
	frame_free(upper, 3);
	frame_free(upper, 3);
}

static void free_on_two_harts(void *arg)
{
	frame_free(*(hpa_t *)arg, 0);
	on_hart(1);
	frame_free(*(hpa_t *)arg, 0);
}

static void free_wrong_order(void *arg)
{
	frame_free(*(hpa_t *)arg, 1);
}

static void free_unaligned(void *arg)
{
	frame_free(HPA(((hpa_t *)arg)->v + 8), 0);
}

static void free_foreign(void *arg)
{
	(void)arg;
	frame_free(HPA(0x1000), 0);
}

static void free_bookkeeping(void *arg)
{
	(void)arg;
	frame_free(HPA(BANK1), 0);
}

static void free_absurd_order(void *arg)
{
	frame_free(*(hpa_t *)arg, 64);
}

static void misuse_panics(void **state)
{
	hpa_t f;

	(void)state;
	assert_true(mock_panics(free_joined_twice, NULL));
	assert_int_equal(frame_alloc(0, 0, &f), 0);
	assert_true(mock_panics(free_twice, &f));
	assert_true(mock_panics(free_on_two_harts, &f));
	assert_true(mock_panics(free_wrong_order, &f));
	assert_true(mock_panics(free_unaligned, &f));
	assert_true(mock_panics(free_foreign, &f));
	assert_true(mock_panics(free_bookkeeping, &f));
	assert_true(mock_panics(free_absurd_order, &f));
	frame_free(f, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bookkeeping_is_small),
		cmocka_unit_test(every_order_is_aligned_and_comes_back),
		cmocka_unit_test(too_large_order_is_refused),
		cmocka_unit_test(zeroed_on_request),
		cmocka_unit_test(exhaustion_and_coalescing),
		cmocka_unit_test(all_banks_are_used),
		cmocka_unit_test(cached_frames_are_free),
		cmocka_unit_test(cache_hands_out_what_was_freed_last),
		cmocka_unit_test(M1_no_frame_is_out_of_reach_in_another_cache),
		cmocka_unit_test(M1_cached_frames_join_to_a_block),
		cmocka_unit_test(M4_random_against_model),
		cmocka_unit_test(misuse_panics),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
