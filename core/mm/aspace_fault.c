/*
 * Address spaces: the fault path, and frames for alloc areas.
 *
 * A block is allocated and zeroed before the lock is taken. When another hart
 * was faster, ours goes back: that costs a little, once, and keeps the time
 * under the lock to a few table entries.
 */
#include "aspace_internal.h"

#include <caisson/mm.h>

#include <errno.h>

static uint64_t level_size(unsigned level)
{
	return BIT(pt_level_shift(level));
}

/** Does the aligned block of this level round addr lie within [start, start + size)? */
static bool block_fits(uint64_t start, uint64_t size, uint64_t addr, unsigned level)
{
	uint64_t base = ALIGN_DOWN(addr, level_size(level));

	return base >= start && size >= level_size(level) &&
	       base - start <= size - level_size(level);
}

bool aspace_has_block(const struct area *a, uint64_t addr)
{
	return (a->flags & ALLOC_LARGE) && block_fits(a->start, a->size, addr, ASPACE_BLOCK_LEVEL);
}

static void count_block(struct aspace *as, struct area *a, uint64_t base, unsigned level, bool new_tables)
{
	a->frames += BIT(9 * level);
	as->leaves[level]++;
	if (level == 0 && new_tables && aspace_has_block(a, base))
		as->split++;
}

/** Map a block that is ready. Lock held. */
static int map_block(struct aspace *as, uint64_t base, unsigned level, hpa_t frame)
{
	struct area *a = aspace_area_at(as, base);
	uint64_t tables = as->tables;
	int err = pt_map(as->format, as->root, base, level_size(level), frame, a->perm, level,
			 &as->tables);

	if (err == 0)
		count_block(as, a, base, level, as->tables != tables);
	else if (err != -EEXIST) /* nothing is mapped there: take away the tables it stopped at */
		pt_unmap(as->format, as->root, base, level_size(level), NULL, NULL, &as->tables);
	return err;
}

/** Give the block of this level round addr a zeroed frame. @return 0, -EEXIST or -ENOMEM. */
static int give_block(struct aspace *as, uint64_t addr, unsigned level)
{
	irqflags_t irq;
	hpa_t frame;
	int err = frame_alloc(9 * level, FRAME_ZERO, &frame);

	if (err)
		return err;
	irq = spin_lock_irqsave(&as->lock);
	err = map_block(as, ALIGN_DOWN(addr, level_size(level)), level, frame);
	spin_unlock_irqrestore(&as->lock, irq);
	if (err)
		frame_free(frame, 9 * level);
	return err;
}

/** Is addr mapped? Under the lock, and so after whoever is at mapping it. */
static bool mapped_meanwhile(struct aspace *as, uint64_t addr)
{
	irqflags_t irq = spin_lock_irqsave(&as->lock);
	struct pt_leaf leaf;
	bool mapped = pt_walk(as->format, as->root, addr, &leaf) == 0;

	spin_unlock_irqrestore(&as->lock, irq);
	return mapped;
}

/** The first touch of addr in a lazy area, or one that came too late. */
static enum fault_result touch(struct aspace *as, const struct area *a, uint64_t addr)
{
	struct pt_leaf leaf;
	int err;

	if (pt_walk(as->format, as->root, addr, &leaf) == 0)
		return FAULT_RESOLVED;
	/* A hole above level 0 means that nothing of the large block is mapped yet. */
	if (leaf.level >= ASPACE_BLOCK_LEVEL && aspace_has_block(a, addr) &&
	    give_block(as, addr, ASPACE_BLOCK_LEVEL) == 0)
		return FAULT_RESOLVED;
	err = give_block(as, addr, 0);
	/* The last frame may have gone to another hart for this very page: then nothing is missing. */
	if (err == 0 || err == -EEXIST || mapped_meanwhile(as, addr))
		return FAULT_RESOLVED;
	return FAULT_NOMEM;
}

/** What can be said without the tables. */
static enum fault_result check(const struct area *a, unsigned access)
{
	if (!a)
		return FAULT_NO_AREA;
	if ((a->perm & access) != access)
		return FAULT_PERM;
	return a->kind == AREA_DEVICE ? FAULT_DEVICE : FAULT_RESOLVED;
}

enum fault_result aspace_fault(struct aspace *as, uint64_t addr, unsigned access)
{
	const struct area *a = aspace_find(as, addr);
	enum fault_result result = check(a, access);

	if (result == FAULT_RESOLVED && a->kind == AREA_ALLOC)
		return touch(as, a, addr);
	if (IS_ENABLED(CONFIG_USER_AREAS) && result == FAULT_RESOLVED && a->kind == AREA_USER)
		return aspace_user_touch(as, a, addr, access);
	return result;
}

/** As aspace_resolve for a user area that allows the access. */
static enum fault_result resolve_user(struct aspace *as, const struct area *a, uint64_t addr, unsigned access,
				      hpa_t *hpa, uint64_t *len)
{
	struct pt_leaf leaf;

	/* Touched a second time at most: nobody else changes the space. */
	while (pt_walk(as->format, as->root, addr, &leaf) || (leaf.perm & access) != access) {
		enum fault_result result = aspace_user_touch(as, a, addr, access);

		if (result != FAULT_RESOLVED)
			return result;
	}
	*hpa = leaf.hpa;
	*len = PAGE_SIZE - (addr & (PAGE_SIZE - 1));
	return FAULT_RESOLVED;
}

/** As aspace_resolve for an alloc area that allows the access. */
static enum fault_result resolve_alloc(struct aspace *as, const struct area *a, uint64_t addr,
				       hpa_t *hpa, uint64_t *len)
{
	struct pt_leaf leaf;

	while (pt_walk(as->format, as->root, addr, &leaf)) {
		enum fault_result result = touch(as, a, addr);

		if (result != FAULT_RESOLVED)
			return result;
	}
	*hpa = leaf.hpa;
	*len = level_size(leaf.level) - (addr & (level_size(leaf.level) - 1));
	return FAULT_RESOLVED;
}

enum fault_result aspace_resolve(struct aspace *as, uint64_t addr, unsigned access, hpa_t *hpa,
				 uint64_t *len)
{
	const struct area *a = aspace_find(as, addr);
	enum fault_result result = check(a, access);
	uint64_t unused;

	if (!len)
		len = &unused;
	if (result != FAULT_RESOLVED)
		return result;
	if (a->kind == AREA_ALLOC)
		return resolve_alloc(as, a, addr, hpa, len);
	if (IS_ENABLED(CONFIG_USER_AREAS) && a->kind == AREA_USER)
		return resolve_user(as, a, addr, access, hpa, len);
	*hpa = HPA(a->hpa.v + (addr - a->start));
	*len = a->size - (addr - a->start);
	return FAULT_RESOLVED;
}

/** Give the largest block that starts at addr, fits and that there is memory for: *size bytes. */
static int populate_block(struct aspace *as, uint64_t addr, uint64_t left, unsigned level,
			  uint64_t *size)
{
	int err;

	while (!IS_ALIGNED(addr, level_size(level)) || level_size(level) > left)
		level--;
	while ((err = give_block(as, addr, level)) == -ENOMEM && level > 0)
		level--;
	*size = level_size(level);
	return err;
}

int aspace_populate(struct aspace *as, uint64_t start, uint64_t size, unsigned flags)
{
	unsigned level = flags & ALLOC_LARGE ? ASPACE_LEAF_LEVELS - 1 : 0;

	for (uint64_t off = 0, done; off < size; off += done) {
		int err = populate_block(as, start + off, size - off, level, &done);

		if (err)
			return err;
	}
	return 0;
}
