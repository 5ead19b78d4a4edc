/*
 * Address spaces: blocks of 2 MiB that were given frame by frame become one leaf.
 *
 * The owner keeps everybody from writing to the block (a VM's vCPUs stand still); a device's back end, which cannot be kept
 * waiting, stops the fold instead. So the copy is made without the lock, and the new leaf is there at once.
 */
#include "aspace_internal.h"

#include <caisson/mm.h>

#include <errno.h>
#include <string.h>

#define BLOCK_SIZE (2 * MiB)
#define BLOCK_PAGES 512

/** The first block of the area at or above addr, or UINT64_MAX. */
static uint64_t first_block(const struct area *a, uint64_t addr)
{
	uint64_t at = ALIGN_UP(MAX(addr, a->start), BLOCK_SIZE);

	if (a->kind != AREA_ALLOC || at < a->start || at - a->start >= a->size || !aspace_has_block(a, at))
		return UINT64_MAX;
	return at;
}

/** Look at the block at *at. @return it can be folded; else *at becomes the next place to look. */
static bool can_fold(struct aspace *as, uint64_t *at, unsigned min_pages)
{
	irqflags_t irq = spin_lock_irqsave(&as->lock);
	struct pt_leaf leaf;
	unsigned pages = 0;
	bool can;

	if (pt_walk(as->format, as->root, *at, &leaf))
		leaf.hpa = HPA(0); /* only the level matters */
	can = leaf.level == 0 && pt_small_leaves(as->format, as->root, *at, &pages) == 0 && pages >= min_pages;
	spin_unlock_irqrestore(&as->lock, irq);
	if (!can)
		*at = ALIGN_DOWN(*at, BIT(pt_level_shift(MAX(leaf.level, ASPACE_BLOCK_LEVEL)))) +
		      BIT(pt_level_shift(MAX(leaf.level, ASPACE_BLOCK_LEVEL)));
	return can;
}

static bool next_in_area(struct aspace *as, const struct area *a, uint64_t *at, unsigned min_pages)
{
	while ((*at = first_block(a, *at)) != UINT64_MAX)
		if (can_fold(as, at, min_pages))
			return true;
	return false;
}

static bool next_from(struct aspace *as, uint64_t from, uint64_t *at, unsigned min_pages)
{
	for (unsigned i = 0; i < as->n_areas; i++) {
		*at = from;
		if (next_in_area(as, &as->areas[i], at, min_pages))
			return true;
	}
	return false;
}

bool aspace_fold_next(struct aspace *as, uint64_t *at, unsigned min_pages)
{
	uint64_t from = *at;

	if (as->split == 0)
		return false;
	return next_from(as, from, at, min_pages) || (from != 0 && next_from(as, 0, at, min_pages));
}

static void set_fold(struct aspace *as, struct aspace_fold *fold)
{
	irqflags_t irq = spin_lock_irqsave(&as->lock);

	as->fold = fold;
	spin_unlock_irqrestore(&as->lock, irq);
}

int aspace_fold_begin(struct aspace *as, uint64_t at, struct aspace_fold *fold)
{
	const struct area *a = aspace_find(as, at);
	int err;

	*fold = (struct aspace_fold){ .at = at };
	if (!a || first_block(a, at) != at)
		return -ENOENT;
	err = frame_alloc(9 * ASPACE_BLOCK_LEVEL, 0, &fold->block);
	if (err)
		return err;
	set_fold(as, fold);
	return 0;
}

/** @return whether the page was there. */
static bool copy_page(struct aspace *as, uint64_t addr, char *to)
{
	struct pt_leaf leaf;
	bool there = pt_walk(as->format, as->root, addr, &leaf) == 0;

	if (there)
		memcpy(to, hpa_to_kva(leaf.hpa), PAGE_SIZE);
	else
		page_zero(to, PAGE_SIZE);
	return there;
}

int aspace_fold_copy(struct aspace *as, struct aspace_fold *fold)
{
	char *to = hpa_to_kva(fold->block);

	for (uint64_t off = 0; off < BLOCK_SIZE; off += PAGE_SIZE) {
		if (__atomic_load_n(&fold->stopped, __ATOMIC_RELAXED))
			return -EAGAIN;
		fold->pages += copy_page(as, fold->at + off, to + off);
	}
	return 0;
}

/** Lock held. */
static int commit(struct aspace *as, struct aspace_fold *fold)
{
	struct area *a = aspace_area_at(as, fold->at);
	unsigned pages;

	if (fold->stopped || pt_small_leaves(as->format, as->root, fold->at, &pages) || pages != fold->pages)
		return -EAGAIN;
	if (pt_fold(as->format, as->root, fold->at, fold->block, a->perm, &fold->table, &as->tables))
		return -EAGAIN;
	a->frames += BLOCK_PAGES - pages;
	as->leaves[0] -= pages;
	as->leaves[ASPACE_BLOCK_LEVEL]++;
	as->split--;
	as->folds++;
	fold->done = true;
	return 0;
}

int aspace_fold_commit(struct aspace *as, struct aspace_fold *fold)
{
	irqflags_t irq = spin_lock_irqsave(&as->lock);
	int err = commit(as, fold);

	spin_unlock_irqrestore(&as->lock, irq);
	return err;
}

void aspace_fold_end(struct aspace *as, struct aspace_fold *fold)
{
	set_fold(as, NULL);
	if (!fold->done) {
		frame_free(fold->block, 9 * ASPACE_BLOCK_LEVEL);
		return;
	}
	as->flushes++;
	if (as->flush)
		as->flush(as, fold->at, BLOCK_SIZE);
	pt_free_small(fold->table);
}

void aspace_fold_stop(struct aspace *as)
{
	irqflags_t irq = spin_lock_irqsave(&as->lock);

	if (as->fold && !as->fold->done)
		__atomic_store_n(&as->fold->stopped, true, __ATOMIC_RELAXED);
	spin_unlock_irqrestore(&as->lock, irq);
}
