/* Zeroing by an engine and by harts: who does what, an engine that is busy, that fails, that does not answer. */
// sources: core/mm/fail.c core/time/time.c
#define CONFIG_FRAME_STOCK 1
#define CONFIG_ZERO_ENGINE 1

#include "core/mm/buddy.c"
#include "core/mm/frame.c"
#undef LOG_NAME
#define get_n shelf_get_n
#define set_n shelf_set_n
#include "core/mm/stock.c"
#include "core/mm/zero.c"

#include <logged.h>
#include <ram.h>
#include <test.h>

#define RAM_START UINT64_C(0x140000000) /* above 4 GiB */
#define RAM_SIZE (64 * MiB)
#define BLOCK 9
#define LEAST (4 * PAGE_SIZE)
#define MOST (64 * PAGE_SIZE)

static enum zero_outcome answer;
static unsigned calls;
static uint64_t asked_bytes, most_asked;
static bool lies;
static struct timer *armed;

void timer_init(struct timer *t, void (*fn)(struct timer *))
{
	*t = (struct timer){ .fn = fn };
}

void timer_arm(struct timer *t, uint64_t deadline)
{
	(void)deadline;
	armed = t;
}

static enum zero_outcome model(hpa_t start, uint64_t size)
{
	assert_true(size >= LEAST && size <= MOST);
	assert_true(IS_ALIGNED(start.v | size, PAGE_SIZE));
	assert_true(busy);
	calls++;
	asked_bytes += size;
	most_asked = MAX(most_asked, size);
	if (answer == ZERO_DONE && !lies)
		memset(hpa_to_kva(start), 0, size);
	return answer;
}

static const struct zero_engine model_engine = { "model", LEAST, MOST, model };
static const struct zero_engine second_engine = { "second", PAGE_SIZE, PAGE_SIZE, model };

static int setup_once(void **state)
{
	(void)state;
	mock_ram_add(RAM_START, RAM_SIZE);
	frame_add(HPA(RAM_START), RAM_SIZE);
	return 0;
}

static int setup(void **state)
{
	(void)state;
	engine = NULL;
	busy = 0;
	bytes = 0;
	answer = ZERO_DONE;
	lies = false;
	calls = 0;
	asked_bytes = most_asked = 0;
	armed = NULL;
	mock_log_clear();
	zero_engine_register(&model_engine);
	return 0;
}

static hpa_t dirty_block(unsigned order)
{
	hpa_t f;

	assert_int_equal(frame_alloc(order, 0, &f), 0);
	memset(hpa_to_kva(f), 0xa5, PAGE_SIZE << order);
	return f;
}

/** The frames that the next call gets were dirty. */
static void make_dirty(unsigned order)
{
	frame_free(dirty_block(order), order);
}

static hpa_t zeroed_block(unsigned order)
{
	hpa_t f;

	make_dirty(order);
	assert_int_equal(frame_alloc(order, FRAME_ZERO, &f), 0);
	assert_true(ram_is_zero(f, PAGE_SIZE << order));
	return f;
}

static void each_size_is_zeroed(void **state)
{
	(void)state;
	for (unsigned order = 0; order <= BLOCK + 2; order++) {
		uint64_t size = PAGE_SIZE << order;

		setup(NULL);
		frame_free(zeroed_block(order), order);
		assert_int_equal(asked_bytes, size < LEAST ? 0 : size);
		assert_int_equal(zero_engine_bytes(), asked_bytes);
		assert_int_equal(calls, size < LEAST ? 0 : (size + MOST - 1) / MOST);
	}
	assert_int_equal(most_asked, MOST);
}

static void what_is_not_asked_for_is_not_zeroed(void **state)
{
	hpa_t f;

	(void)state;
	make_dirty(BLOCK);
	assert_int_equal(frame_alloc(BLOCK, 0, &f), 0);
	assert_int_equal(calls, 0);
	frame_free(f, BLOCK);
}

static void only_whole_frames(void **state)
{
	hpa_t f = dirty_block(BLOCK);

	(void)state;
	assert_int_equal(frames_zero(HPA(f.v + 8), MOST), -EINVAL);
	assert_int_equal(frames_zero(f, MOST + 8), -EINVAL);
	assert_false(ram_is_zero(f, sizeof(uint64_t)));
	assert_int_equal(calls, 0);
	assert_int_equal(frames_zero(f, 0), 0);
	/* The last piece is too small for the engine. */
	assert_int_equal(frames_zero(f, MOST + PAGE_SIZE), 0);
	assert_true(ram_is_zero(f, MOST + PAGE_SIZE));
	assert_false(ram_is_zero(HPA(f.v + MOST + PAGE_SIZE), sizeof(uint64_t)));
	assert_int_equal(asked_bytes, MOST);
	frame_free(f, BLOCK);
}

static void the_first_engine_stays(void **state)
{
	(void)state;
	zero_engine_register(&second_engine);
	frame_free(zeroed_block(BLOCK), BLOCK);
	assert_int_equal(most_asked, MOST);
	assert_true(zero_engine_wants(LEAST));
	assert_false(zero_engine_wants(LEAST - PAGE_SIZE));
}

static void nobody_waits_for_it(void **state)
{
	(void)state;
	busy = 1;
	frame_free(zeroed_block(BLOCK), BLOCK);
	assert_int_equal(calls, 0);
	assert_int_equal(busy, 1); /* it is the other hart's */
	assert_non_null(get_engine());
	busy = 0;
	frame_free(zeroed_block(BLOCK), BLOCK);
	assert_int_not_equal(calls, 0);
	assert_int_equal(busy, 0);
}

static void gone_for_good(const char *said)
{
	unsigned before = calls;

	assert_ptr_equal(armed, &teller);
	assert_null(strstr(mock_log_text(), "harts zero"));
	armed->fn(armed);
	assert_non_null(strstr(mock_log_text(), said));
	assert_non_null(strstr(mock_log_text(), "model"));
	frame_free(zeroed_block(BLOCK), BLOCK);
	assert_int_equal(calls, before);
	assert_int_equal(busy, 0);
	assert_false(zero_engine_wants(MOST));
}

static void one_that_fails_is_not_asked_again(void **state)
{
	uint64_t before = frame_free_count();

	(void)state;
	answer = ZERO_FAILED;
	frame_free(zeroed_block(BLOCK), BLOCK);
	assert_int_equal(calls, 1);
	assert_int_equal(zero_engine_bytes(), 0);
	assert_int_equal(frame_free_count(), before);
	gone_for_good("has failed");
}

static void one_that_zeroes_nothing_is_found_out(void **state)
{
	(void)state;
	lies = true;
	frame_free(zeroed_block(BLOCK), BLOCK);
	assert_int_equal(calls, 1);
	gone_for_good("has failed");
}

/* It may write there later: nobody gets that block, but another one. */
static void what_is_lost_is_nobodys(void **state)
{
	uint64_t before = frame_free_count();
	hpa_t f, g;

	(void)state;
	answer = ZERO_LOST;
	make_dirty(BLOCK);
	assert_int_equal(frame_alloc(BLOCK, 0, &f), 0); /* it would be this one */
	frame_free(f, BLOCK);
	assert_int_equal(frame_alloc(BLOCK, FRAME_ZERO, &g), 0);
	assert_int_not_equal(f.v, g.v);
	assert_true(ram_is_zero(g, PAGE_SIZE << BLOCK));
	assert_int_equal(frame_free_count(), before - 2 * BIT(BLOCK));
	frame_free(g, BLOCK);
	gone_for_good("does not answer");
	assert_int_equal(frame_free_count(), before - BIT(BLOCK));
	frame_free(f, BLOCK); /* for the next test */
}

/* --- the stock --- */

static unsigned fill(void)
{
	unsigned steps = 0;

	while (frame_stock_fill())
		steps++;
	return steps;
}

static void the_stock_is_filled_by_it(void **state)
{
	uint64_t before = frame_free_count(), in_stock;
	unsigned steps;
	hpa_t f;

	(void)state;
	make_dirty(BLOCK + 2);
	steps = fill();
	in_stock = stock_frames();
	assert_true(in_stock > 2 * BIT(BLOCK));
	assert_int_equal(asked_bytes, shelves[0].n * (PAGE_SIZE << BLOCK));
	assert_int_equal(steps, shelves[0].n * (BIT(BLOCK) / ENGINE_PAGES) + shelves[1].n);
	assert_int_equal(frame_free_count(), before);
	assert_int_equal(frame_alloc(BLOCK, FRAME_ZERO, &f), 0);
	assert_true(ram_is_zero(f, PAGE_SIZE << BLOCK));
	frame_free(f, BLOCK);
	stock_give_back();
	assert_int_equal(frame_free_count(), before);
}

static void the_stock_goes_on_without_it(void **state)
{
	hpa_t f;

	(void)state;
	make_dirty(BLOCK + 2);
	assert_true(frame_stock_fill());
	answer = ZERO_FAILED;
	fill();
	assert_int_equal(asked_bytes, 2 * ENGINE_PAGES * PAGE_SIZE);
	assert_true(shelves[0].n > 1);
	while (shelves[0].n) {
		assert_int_equal(frame_alloc(BLOCK, FRAME_ZERO, &f), 0);
		assert_true(ram_is_zero(f, PAGE_SIZE << BLOCK));
	}
	stock_give_back();
}

static void a_block_lost_in_stock_is_nobodys(void **state)
{
	uint64_t before = frame_free_count();

	(void)state;
	assert_true(frame_stock_fill());
	answer = ZERO_LOST;
	assert_true(frame_stock_fill());
	assert_false(shelves[0].making || zeroing);
	assert_int_equal(frame_free_count(), before - BIT(BLOCK));
	fill();
	assert_int_equal(frame_free_count(), before - BIT(BLOCK));
	stock_give_back();
	assert_int_equal(frame_free_count(), before - BIT(BLOCK));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(each_size_is_zeroed, setup),
		cmocka_unit_test_setup(what_is_not_asked_for_is_not_zeroed, setup),
		cmocka_unit_test_setup(only_whole_frames, setup),
		cmocka_unit_test_setup(the_first_engine_stays, setup),
		cmocka_unit_test_setup(nobody_waits_for_it, setup),
		cmocka_unit_test_setup(one_that_fails_is_not_asked_again, setup),
		cmocka_unit_test_setup(one_that_zeroes_nothing_is_found_out, setup),
		cmocka_unit_test_setup(what_is_lost_is_nobodys, setup),
		cmocka_unit_test_setup(the_stock_is_filled_by_it, setup),
		cmocka_unit_test_setup(the_stock_goes_on_without_it, setup),
		cmocka_unit_test_setup(a_block_lost_in_stock_is_nobodys, setup),
	};

	return cmocka_run_group_tests(tests, setup_once, NULL);
}
