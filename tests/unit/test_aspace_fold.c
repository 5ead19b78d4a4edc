/* Folding: a block that was given frame by frame becomes one leaf of 2 MiB; what is in it stays, and nothing is lost. */
// sources: core/mm/aspace.c core/mm/aspace_fault.c core/mm/aspace_fold.c core/mm/pt.c
#include <space.h>

#include <stdlib.h>
#include <string.h>

#define BLOCK (2 * MiB)
#define PAGES 512

static struct aspace_fold fold;

static void make_area(uint64_t start, uint64_t size)
{
	assert_int_equal(aspace_map_alloc(&as, start, size, RWX, ALLOC_LARGE), 0);
}

static void touch(uint64_t addr)
{
	assert_int_equal(aspace_fault(&as, addr, PERM_W), FAULT_RESOLVED);
}

/* Only single frames are to be had. */
static void touch_small(uint64_t addr)
{
	mock_frames_max_order = 8;
	touch(addr);
	mock_frames_max_order = 9;
}

static uint64_t *word_at(uint64_t addr)
{
	hpa_t hpa;

	assert_int_equal(aspace_resolve(&as, addr, PERM_W, &hpa, NULL), FAULT_RESOLVED);
	return hpa_to_kva(hpa);
}

/* What the space counts is what a walk finds. */
static void check_leaves(void)
{
	uint64_t leaves[ASPACE_LEAF_LEVELS] = { 0 }, split = 0;

	for (unsigned i = 0; i < as.n_areas; i++) {
		const struct area *a = &as.areas[i];

		for (uint64_t at = a->start, n; at < a->start + a->size; at += n) {
			struct pt_leaf leaf;
			unsigned pages;

			n = PAGE_SIZE;
			if (pt_walk(as.format, as.root, at, &leaf) == 0) {
				leaves[leaf.level]++;
				n = BIT(pt_level_shift(leaf.level));
			}
			if (IS_ALIGNED(at, BLOCK) && (a->flags & ALLOC_LARGE) && a->start + a->size - at >= BLOCK)
				split += pt_small_leaves(as.format, as.root, at, &pages) == 0;
		}
	}
	assert_memory_equal(leaves, as.leaves, sizeof(leaves));
	assert_int_equal(split, as.split);
	check_counts();
}

static int fold_whole(uint64_t at)
{
	int err = aspace_fold_begin(&as, at, &fold);

	if (err)
		return err;
	err = aspace_fold_copy(&as, &fold);
	if (!err)
		err = aspace_fold_commit(&as, &fold);
	aspace_fold_end(&as, &fold);
	return err;
}

static void M1_folded_block_keeps_its_bytes(void **state)
{
	uint64_t tables;

	(void)state;
	make_area(RAM, 8 * MiB);
	for (unsigned i = 0; i < PAGES; i += 3) {
		touch_small(RAM + BLOCK + i * PAGE_SIZE);
		*word_at(RAM + BLOCK + i * PAGE_SIZE + 8 * i % PAGE_SIZE) = i + 1;
	}
	assert_int_equal(as.split, 1);
	tables = as.tables;
	flushed_size = 0;
	assert_int_equal(fold_whole(RAM + BLOCK), 0);
	check_mapped(RAM + BLOCK, 1, RWX);
	assert_int_equal(as.tables, tables - 1);
	assert_int_equal(as.folds, 1);
	assert_int_equal(flushed_start, RAM + BLOCK);
	assert_int_equal(flushed_size, BLOCK);
	for (unsigned i = 0; i < PAGES; i++) {
		uint64_t *word = word_at(RAM + BLOCK + i * PAGE_SIZE + 8 * i % PAGE_SIZE);

		assert_int_equal(*word, i % 3 ? 0 : i + 1);
		*word = 0;
	}
	check_zero(RAM + BLOCK, BLOCK);
	assert_false(mapped(RAM));
	assert_false(mapped(RAM + 2 * BLOCK));
	check_leaves();
}

static void M1_fold_without_memory_changes_nothing(void **state)
{
	hpa_t hpa, same;

	(void)state;
	make_area(RAM, BLOCK);
	touch_small(RAM);
	assert_int_equal(aspace_resolve(&as, RAM, PERM_R, &hpa, NULL), FAULT_RESOLVED);
	mock_frames_max_order = 8;
	assert_int_equal(aspace_fold_begin(&as, RAM, &fold), -ENOMEM);
	mock_frames_max_order = 9;
	mock_alloc_fail_at = 1;
	assert_int_equal(aspace_fold_begin(&as, RAM, &fold), -ENOMEM);
	mock_alloc_fail_at = 0;
	assert_null(as.fold);
	assert_int_equal(aspace_resolve(&as, RAM, PERM_R, &same, NULL), FAULT_RESOLVED);
	assert_int_equal(same.v, hpa.v);
	assert_int_equal(as.folds, 0);
	assert_int_equal(as.flushes, 0);
	check_leaves();
	assert_int_equal(fold_whole(RAM), 0);
}

static void M1_stopped_fold_leaves_the_frames(void **state)
{
	hpa_t hpa, same;

	(void)state;
	make_area(RAM, BLOCK);
	touch_small(RAM + 0x7000);
	assert_int_equal(aspace_resolve(&as, RAM + 0x7000, PERM_R, &hpa, NULL), FAULT_RESOLVED);
	for (unsigned when = 0; when < 2; when++) {
		assert_int_equal(aspace_fold_begin(&as, RAM, &fold), 0);
		if (when == 0)
			aspace_fold_stop(&as);
		assert_int_equal(aspace_fold_copy(&as, &fold), when == 0 ? -EAGAIN : 0);
		aspace_fold_stop(&as);
		assert_int_equal(aspace_fold_commit(&as, &fold), -EAGAIN);
		aspace_fold_end(&as, &fold);
		assert_int_equal(aspace_resolve(&as, RAM + 0x7000, PERM_R, &same, NULL), FAULT_RESOLVED);
		assert_int_equal(same.v, hpa.v);
		check_leaves();
	}
	assert_int_equal(as.flushes, 0);
	aspace_fold_stop(&as); /* there is none */
	assert_int_equal(fold_whole(RAM), 0);
	check_leaves();
}

static void M1_committed_fold_stands(void **state)
{
	(void)state;
	make_area(RAM, BLOCK);
	touch_small(RAM);
	assert_int_equal(aspace_fold_begin(&as, RAM, &fold), 0);
	assert_int_equal(aspace_fold_copy(&as, &fold), 0);
	assert_int_equal(aspace_fold_commit(&as, &fold), 0);
	aspace_fold_stop(&as);
	*word_at(RAM) = 77; /* whoever has stopped it looks the address up anew */
	aspace_fold_end(&as, &fold);
	assert_int_equal(*word_at(RAM), 77);
	check_mapped(RAM, 1, RWX);
	check_leaves();
}

static void M1_page_that_came_meanwhile_stays(void **state)
{
	(void)state;
	make_area(RAM, BLOCK);
	touch_small(RAM);
	assert_int_equal(aspace_fold_begin(&as, RAM, &fold), 0);
	assert_int_equal(aspace_fold_copy(&as, &fold), 0);
	touch_small(RAM + PAGE_SIZE);
	*word_at(RAM + PAGE_SIZE) = 5;
	assert_int_equal(aspace_fold_commit(&as, &fold), -EAGAIN);
	aspace_fold_end(&as, &fold);
	assert_int_equal(*word_at(RAM + PAGE_SIZE), 5);
	check_mapped(RAM, 0, RWX);
	check_leaves();
}

static void expect_next(uint64_t from, unsigned min_pages, uint64_t want)
{
	uint64_t at = from;

	assert_int_equal(aspace_fold_next(&as, &at, min_pages), want != 0);
	if (want)
		assert_int_equal(at, want);
}

static void M1_blocks_to_fold_are_found(void **state)
{
	(void)state;
	expect_next(0, 0, 0);
	make_area(RAM - PAGE_SIZE, 4 * GiB + 2 * PAGE_SIZE);
	assert_int_equal(aspace_map_alloc(&as, 16 * GiB, BLOCK, RWX, 0), 0);
	touch(RAM - 1);           /* the ends are no whole blocks */
	touch(RAM + 4 * GiB);
	touch(16 * GiB);          /* no large leaves there */
	touch(RAM + BLOCK);       /* large already */
	expect_next(0, 0, 0);
	assert_int_equal(as.split, 0);
	touch_small(RAM + 4 * BLOCK + 0x5000);
	touch_small(RAM + 3 * GiB);
	touch_small(RAM + 3 * GiB + PAGE_SIZE);
	assert_int_equal(as.split, 2);
	expect_next(0, 1, RAM + 4 * BLOCK);
	expect_next(RAM + 4 * BLOCK, 1, RAM + 4 * BLOCK);
	expect_next(RAM + 4 * BLOCK + 1, 1, RAM + 3 * GiB);
	expect_next(RAM + 3 * GiB + BLOCK, 1, RAM + 4 * BLOCK); /* round again */
	expect_next(0, 2, RAM + 3 * GiB);
	expect_next(0, 3, 0);
	assert_int_equal(aspace_fold_begin(&as, 16 * GiB, &fold), -ENOENT);
	assert_int_equal(aspace_fold_begin(&as, RAM - BLOCK, &fold), -ENOENT);
	assert_int_equal(aspace_fold_begin(&as, GiB, &fold), -ENOENT);
	check_leaves();
	assert_int_equal(aspace_unmap(&as, RAM - PAGE_SIZE), 0);
	assert_int_equal(as.split, 0);
	check_leaves();
}

static void M1_eager_area_counts_its_leaves(void **state)
{
	(void)state;
	mock_frames_max_order = 18;
	assert_int_equal(aspace_map_alloc(&as, RAM, GiB + BLOCK + PAGE_SIZE, RWX, ALLOC_LARGE | ALLOC_EAGER), 0);
	assert_int_equal(as.leaves[2], 1);
	assert_int_equal(as.leaves[1], 1);
	assert_int_equal(as.leaves[0], 1);
	check_leaves();
}

/* --- random: beside a model of what was written --- */

#define MODEL_BLOCKS 6
#define MODEL_PAGES (MODEL_BLOCKS * PAGES)

static uint64_t model[MODEL_PAGES];

static void write_page(unsigned page, uint64_t value)
{
	*word_at(RAM + page * PAGE_SIZE + page * 8 % PAGE_SIZE) = value;
	model[page] = value;
}

static void check_model(void)
{
	for (unsigned i = 0; i < MODEL_PAGES; i++) {
		hpa_t hpa;
		struct pt_leaf leaf;

		if (pt_walk(as.format, as.root, RAM + i * PAGE_SIZE, &leaf)) {
			assert_int_equal(model[i], 0);
			continue;
		}
		hpa = HPA(leaf.hpa.v + i * 8 % PAGE_SIZE);
		assert_int_equal(*(uint64_t *)hpa_to_kva(hpa), model[i]);
	}
	check_leaves();
}

static void one_fold(bool disturb)
{
	uint64_t at = RAM + (uint64_t)(rand() % MODEL_BLOCKS) * BLOCK;
	unsigned point = (unsigned)rand() % 3, page;
	int err;

	if (!aspace_fold_next(&as, &at, 1 + (unsigned)rand() % 8) || aspace_fold_begin(&as, at, &fold))
		return;
	page = (unsigned)((at - RAM) / PAGE_SIZE) + (unsigned)rand() % PAGES;
	err = 0;
	for (unsigned step = 0; step < 3; step++) {
		if (disturb && step == point) {
			aspace_fold_stop(&as);
			write_page(page, (uint64_t)rand());
		}
		if (!err && step < 2)
			err = step == 0 ? aspace_fold_copy(&as, &fold) : aspace_fold_commit(&as, &fold);
	}
	assert_int_equal(err, disturb && point < 2 ? -EAGAIN : 0);
	aspace_fold_end(&as, &fold);
}

static void M1_folds_at_random(void **state)
{
	(void)state;
	srand(7);
	memset(model, 0, sizeof(model));
	make_area(RAM, MODEL_BLOCKS * BLOCK);
	for (unsigned i = 0; i < 4000; i++) {
		mock_frames_max_order = rand() % 50 ? 8 : 9;
		write_page((unsigned)rand() % MODEL_PAGES, (uint64_t)rand() + 1);
		if (rand() % 300 == 0)
			one_fold(rand() % 2);
		mock_frames_max_order = 9;
		if (rand() % 300 == 0)
			one_fold(rand() % 2);
		if (i % 500 == 0)
			check_model();
	}
	assert_true(as.folds >= 2);
	check_model();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		space_test(M1_folded_block_keeps_its_bytes),
		space_test(M1_fold_without_memory_changes_nothing),
		space_test(M1_stopped_fold_leaves_the_frames),
		space_test(M1_committed_fold_stands),
		space_test(M1_page_that_came_meanwhile_stays),
		space_test(M1_blocks_to_fold_are_found),
		space_test(M1_eager_area_counts_its_leaves),
		space_test(M1_folds_at_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
