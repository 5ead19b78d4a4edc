/* Sets of pages: beside a plain array. */
// sources: core/mm/page_set.c core/lib/rbtree.c
#include <stdlib.h>

#include <caisson/mm.h>
#include <caisson/page_set.h>
#include <mem.h>
#include <test.h>

#define PAGES 200

static struct page_set set;
static uint64_t model[PAGES]; /* the frame; 0: none */

static void compare(void)
{
	struct page_slot *slot = page_set_from(&set, 0);
	unsigned n = 0;

	for (unsigned i = 0; i < PAGES; i++) {
		struct page_slot *found = page_set_find(&set, i * PAGE_SIZE);

		assert_int_equal(found ? found->frame.v : 0, model[i]);
		if (!model[i])
			continue;
		assert_ptr_equal(slot, found);
		assert_ptr_equal(page_set_from(&set, i * PAGE_SIZE), found);
		slot = page_set_next(slot);
		n++;
	}
	assert_null(slot);
	assert_int_equal(set.n, n);
	assert_int_equal(mock_frames_used, n);
}

static void add(unsigned i)
{
	hpa_t frame;

	if (model[i] || frame_alloc(0, 0, &frame))
		return;
	if (page_set_add(&set, i * PAGE_SIZE, frame))
		model[i] = frame.v;
	else
		frame_put(frame);
}

static void behaves_as_an_array(void **state)
{
	(void)state;
	srand(1234);
	for (unsigned step = 0; step < 3000; step++) {
		mock_alloc_fail_at = rand() % 8 ? 0 : 1 + (uint64_t)rand() % 2;
		add((unsigned)rand() % PAGES);
		if (rand() % 100 == 0) {
			unsigned from = (unsigned)rand() % PAGES;

			page_set_cut(&set, from * PAGE_SIZE);
			for (unsigned i = from; i < PAGES; i++)
				model[i] = 0;
		}
		if (step % 10 == 0)
			compare();
	}
	mock_alloc_fail_at = 0;
	page_set_cut(&set, 0);
	assert_int_equal(mock_frames_used, 0);
	assert_int_equal(heap_in_use(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(behaves_as_an_array) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
