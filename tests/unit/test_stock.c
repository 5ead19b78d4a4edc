/* The stock of zeroed frames: filling by pages, what counts as free, taking it back when memory is out. */
// sources: core/mm/fail.c
#define CONFIG_FRAME_STOCK 1
#define CONFIG_DEBUG_FRAMES 1

#include "core/mm/buddy.c"
#include "core/mm/frame.c"
#include "core/mm/frame_debug.c"
#undef LOG_NAME
#define get_n shelf_get_n
#define set_n shelf_set_n
#include "core/mm/stock.c"

#include <ram.h>
#include <test.h>

#define RAM_START UINT64_C(0x80000000)
#define RAM_SIZE (64 * MiB)
#define BLOCK 9
#define FRAMES_MAX (RAM_SIZE / PAGE_SIZE)

static int setup(void **state)
{
	(void)state;
	mock_ram_add(RAM_START, RAM_SIZE);
	frame_add(HPA(RAM_START), RAM_SIZE);
	return 0;
}

/** @return pages zeroed. */
static unsigned fill(void)
{
	unsigned pages = 0;

	while (frame_stock_fill())
		pages++;
	return pages;
}

static void empty(void)
{
	stock_give_back();
	shelves[0].failed_with = shelves[1].failed_with = 0;
}

static void filling_ends_and_all_of_it_is_free(void **state)
{
	uint64_t before = frame_free_count(), in_stock;
	unsigned pages;

	(void)state;
	assert_true(frame_stock_low());
	pages = fill();
	assert_false(frame_stock_low());
	in_stock = stock_frames();
	assert_int_equal(pages, in_stock);
	assert_in_range(in_stock, 2 * BIT(BLOCK), frame_total_count() / SHARE + SHELF_MAX);
	assert_int_equal(frame_free_count(), before);
	empty();
	assert_int_equal(stock_frames(), 0);
	assert_int_equal(buddy_free_frames(), before);
}

static void a_block_begun_is_free_too(void **state)
{
	uint64_t before = frame_free_count();

	(void)state;
	for (unsigned i = 0; i < 100; i++) {
		assert_true(frame_stock_fill());
		assert_int_equal(frame_free_count(), before);
	}
	assert_int_equal(stock_frames(), BIT(BLOCK));
	empty();
	assert_int_equal(buddy_free_frames(), before);
}

static void zeroed_ones_come_from_the_stock(void **state)
{
	const unsigned orders[] = { 0, BLOCK };

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(orders); i++) {
		uint64_t before = frame_free_count(), in_stock;
		hpa_t f;

		/* What was there before is dirty. */
		assert_int_equal(frame_alloc(BLOCK, 0, &f), 0);
		memset(hpa_to_kva(f), 0xa5, PAGE_SIZE << BLOCK);
		frame_free(f, BLOCK);
		fill();
		in_stock = stock_frames();
		assert_int_equal(frame_alloc(orders[i], FRAME_ZERO, &f), 0);
		assert_int_equal(stock_frames(), in_stock - BIT(orders[i]));
		assert_int_equal(frame_free_count(), before - BIT(orders[i]));
		assert_true(ram_is_zero(f, PAGE_SIZE << orders[i]));
		assert_true(frame_stock_low());
		assert_int_equal(fill(), BIT(orders[i]));
		frame_free(f, orders[i]);
		empty();
		assert_int_equal(frame_free_count(), before);
	}
}

static void others_leave_it_alone(void **state)
{
	uint64_t in_stock;
	hpa_t f[3];

	(void)state;
	fill();
	in_stock = stock_frames();
	assert_int_equal(frame_alloc(0, 0, &f[0]), 0);
	assert_int_equal(frame_alloc(BLOCK, 0, &f[1]), 0);
	assert_int_equal(frame_alloc(3, FRAME_ZERO, &f[2]), 0);
	assert_int_equal(stock_frames(), in_stock);
	frame_free(f[0], 0);
	frame_free(f[1], BLOCK);
	frame_free(f[2], 3);
	empty();
}

static void memory_is_out_only_with_the_stock(void **state)
{
	static hpa_t f[FRAMES_MAX];
	uint64_t before = frame_free_count(), n = 0;

	(void)state;
	fill();
	frame_stock_fill();
	while (n < FRAMES_MAX && frame_alloc(0, 0, &f[n]) == 0)
		n++;
	assert_int_equal(n, before);
	assert_int_equal(frame_free_count(), 0);
	assert_false(frame_stock_fill());
	for (uint64_t i = 0; i < n; i++)
		frame_free(f[i], 0);
	assert_int_equal(frame_free_count(), before);
	drain_all();
}

static void a_large_block_is_made_of_it(void **state)
{
	uint64_t before = frame_free_count();
	hpa_t f[RAM_SIZE / (16 * MiB)];
	unsigned without = 0, with = 0;

	(void)state;
	while (frame_alloc(12, 0, &f[without]) == 0)
		without++;
	for (unsigned i = 0; i < without; i++)
		frame_free(f[i], 12);
	fill();
	while (frame_alloc(12, 0, &f[with]) == 0)
		with++;
	assert_int_equal(with, without);
	for (unsigned i = 0; i < with; i++)
		frame_free(f[i], 12);
	assert_int_equal(frame_free_count(), before);
	empty();
}

/* What was freed last is next; every second frame stays, so that there is no block. */
static void without_a_block_there_is_an_end_too(void **state)
{
	static hpa_t f[FRAMES_MAX];
	uint64_t before = frame_free_count(), n = 0;

	(void)state;
	while (n < FRAMES_MAX && frame_alloc(0, 0, &f[n]) == 0)
		n++;
	for (uint64_t i = 0; i < n; i += 2)
		frame_free(f[i], 0);
	drain_all();
	assert_int_equal(fill(), SHELF_MAX);
	assert_false(frame_stock_low());
	for (uint64_t i = 1; i < n; i += 2)
		frame_free(f[i], 0);
	drain_all();
	assert_true(frame_stock_low()); /* there may be blocks again */
	assert_true(fill() >= BIT(BLOCK));
	assert_int_equal(frame_free_count(), before);
	empty();
}

static void one_hart_at_a_time(void **state)
{
	(void)state;
	assert_true(frame_stock_fill());
	zeroing = true;
	assert_false(frame_stock_fill());
	zeroing = false;
	assert_true(frame_stock_fill());
	empty();
}

static void write_to_stock(void *arg)
{
	unsigned order = *(unsigned *)arg;
	hpa_t f;

	fill();
	f = HPA((uint64_t)shelf_of(order)->frames[shelf_of(order)->n - 1] << PAGE_SHIFT);
	((uint64_t *)hpa_to_kva(f))[5] = 1;
	assert_int_equal(frame_alloc(order, FRAME_ZERO, &f), 0);
}

static void use_after_free_is_noticed_in_stock(void **state)
{
	unsigned single = 0, block = BLOCK;

	(void)state;
	assert_true(mock_panics(write_to_stock, &single));
	assert_non_null(strstr(mock_panic_message(), "used after it was freed"));
	assert_true(mock_panics(write_to_stock, &block));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(filling_ends_and_all_of_it_is_free),
		cmocka_unit_test(a_block_begun_is_free_too),
		cmocka_unit_test(zeroed_ones_come_from_the_stock),
		cmocka_unit_test(others_leave_it_alone),
		cmocka_unit_test(memory_is_out_only_with_the_stock),
		cmocka_unit_test(a_large_block_is_made_of_it),
		cmocka_unit_test(without_a_block_there_is_an_end_too),
		cmocka_unit_test(one_hart_at_a_time),
		cmocka_unit_test(use_after_free_is_noticed_in_stock),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
