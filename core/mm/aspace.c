/*
 * Address spaces: the set of areas, adding and removing them.
 *
 * What can be long (mapping, giving frames, unmapping) goes block by block with
 * the lock taken anew for each, so that interrupts are never off for long. An
 * area enters the set first and leaves it last: its range is taken all the while.
 */
#include "aspace_internal.h"

#include <caisson/log.h>
#include <caisson/mm.h>

#include <errno.h>
#include <string.h>

#define BLOCK_LEVEL 1 /* at most the 512 entries of a 2 MiB block are changed under one lock */

static uint64_t last_of(const struct area *a)
{
	return a->start + a->size - 1;
}

/** Index of the first area that starts above addr. */
unsigned aspace_upper_bound(const struct aspace *as, uint64_t addr)
{
	unsigned lo = 0, hi = as->n_areas;

	while (lo < hi) {
		unsigned mid = lo + (hi - lo) / 2;

		if (as->areas[mid].start <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

struct area *aspace_area_at(const struct aspace *as, uint64_t addr)
{
	unsigned i = aspace_upper_bound(as, addr);

	if (i == 0 || addr > last_of(&as->areas[i - 1]))
		return NULL;
	return &as->areas[i - 1];
}

const struct area *aspace_find(const struct aspace *as, uint64_t addr)
{
	return aspace_area_at(as, addr);
}

int aspace_init(struct aspace *as, const struct pt_format *format, uint64_t lo, uint64_t hi)
{
	int err;

	*as = (struct aspace){ .format = format, .lo = lo, .hi = hi };
	err = frame_alloc(pt_root_order(format), FRAME_ZERO, &as->root);
	if (!err)
		as->tables = BIT(pt_root_order(format));
	return err;
}

/* --- the sorted set; lock held --- */

static int grow(struct aspace *as)
{
	unsigned cap = as->cap_areas ? 2 * as->cap_areas : 8;
	struct area *more = kalloc(cap * sizeof(*more));

	if (!more)
		return -ENOMEM;
	if (as->n_areas)
		memcpy(more, as->areas, as->n_areas * sizeof(*more));
	kfree(as->areas);
	as->areas = more;
	as->cap_areas = cap;
	return 0;
}

int aspace_insert(struct aspace *as, const struct area *a)
{
	unsigned i = aspace_upper_bound(as, last_of(a));

	if (i > 0 && last_of(&as->areas[i - 1]) >= a->start)
		return -EEXIST;
	if (as->n_areas == as->cap_areas && grow(as))
		return -ENOMEM;
	memmove(&as->areas[i + 1], &as->areas[i], (as->n_areas - i) * sizeof(*a));
	as->areas[i] = *a;
	as->n_areas++;
	return 0;
}

void aspace_erase(struct aspace *as, uint64_t start)
{
	unsigned i = aspace_upper_bound(as, start);

	as->n_areas--;
	memmove(&as->areas[i - 1], &as->areas[i], (as->n_areas - i + 1) * sizeof(as->areas[0]));
}

/* --- removing --- */

/** One call of pt_unmap: whose leaves they are, and whether there were any. */
struct clearing {
	struct aspace *as;
	struct area *area;
	bool any;
};

static void drop_leaf(void *arg, uint64_t addr, hpa_t hpa, unsigned order)
{
	struct clearing *c = arg;

	(void)addr;
	c->any = true;
	if (c->area->kind != AREA_ALLOC)
		return;
	frame_free(hpa, order);
	c->area->frames -= BIT(order);
	c->as->leaves[order / 9]--;
}

/** Bytes from addr to the end of the block it lies in, at most `left`. */
static uint64_t block_rest(uint64_t addr, unsigned level, uint64_t left)
{
	uint64_t size = BIT(pt_level_shift(level));

	return MIN(left, size - (addr & (size - 1)));
}

/** Unmap the block at addr: a large leaf, a large hole, 2 MiB of small ones. @return bytes done. */
static uint64_t clear_block(struct aspace *as, uint64_t addr, uint64_t left, bool *any)
{
	irqflags_t irq = spin_lock_irqsave(&as->lock);
	struct clearing c = { as, aspace_area_at(as, addr), false };
	struct pt_leaf leaf = { .level = 0 };
	uint64_t size;
	int err;

	if (pt_walk(as->format, as->root, addr, &leaf))
		leaf.hpa = HPA(0); /* a hole: only its level matters */
	if (leaf.level == 0 && c.area->kind == AREA_ALLOC && aspace_has_block(c.area, addr))
		as->split--;
	size = block_rest(addr, MAX(leaf.level, BLOCK_LEVEL), left);
	err = pt_unmap(as->format, as->root, addr, size, drop_leaf, &c, &as->tables);
	spin_unlock_irqrestore(&as->lock, irq);
	ASSERT(err == 0);
	*any |= c.any;
	return size;
}

static void clear_area(struct aspace *as, uint64_t start, uint64_t size)
{
	bool any = false;

	for (uint64_t done = 0; done < size;)
		done += clear_block(as, start + done, size - done, &any);
	if (any) {
		as->flushes++;
		if (as->flush)
			as->flush(as, start, size);
	}
}

/** Take a whole area away again, however much of it was mapped. */
static void remove_area(struct aspace *as, uint64_t start, uint64_t size)
{
	irqflags_t irq;

	if (IS_ENABLED(CONFIG_USER_AREAS) && aspace_find(as, start)->kind == AREA_USER)
		aspace_user_clear(as, aspace_find(as, start));
	else
		clear_area(as, start, size);
	irq = spin_lock_irqsave(&as->lock);
	aspace_erase(as, start);
	spin_unlock_irqrestore(&as->lock, irq);
}

int aspace_unmap(struct aspace *as, uint64_t start)
{
	irqflags_t irq = spin_lock_irqsave(&as->lock);
	const struct area *a = aspace_find(as, start);
	uint64_t size = a && a->start == start ? a->size : 0;

	spin_unlock_irqrestore(&as->lock, irq);
	if (size == 0)
		return -ENOENT;
	remove_area(as, start, size);
	return 0;
}

void aspace_destroy(struct aspace *as)
{
	while (as->n_areas > 0) {
		struct area *last = &as->areas[as->n_areas - 1];

		remove_area(as, last->start, last->size);
	}
	kfree(as->areas);
	as->areas = NULL;
	as->cap_areas = 0;
	pt_free_tables(as->format, as->root, &as->tables);
}

/* --- adding --- */

bool aspace_range_valid(const struct aspace *as, uint64_t start, uint64_t size)
{
	return pt_range_valid(as->format, start, size) && start >= as->lo && start + size - 1 <= as->hi;
}

static int add_area(struct aspace *as, const struct area *a)
{
	irqflags_t irq;
	int err;

	if (!aspace_range_valid(as, a->start, a->size) || !(a->perm & (PERM_R | PERM_W | PERM_X)))
		return -EINVAL;
	irq = spin_lock_irqsave(&as->lock);
	err = aspace_insert(as, a);
	spin_unlock_irqrestore(&as->lock, irq);
	return err;
}

/** W brings R, as in the tables. */
static unsigned whole_perm(unsigned perm)
{
	return perm & PERM_W ? perm | PERM_R : perm;
}

/** How large the leaves at an address can be, whatever the size. */
static unsigned leaf_level(uint64_t addr, uint64_t hpa)
{
	unsigned level = ASPACE_LEAF_LEVELS - 1;

	while (level > 0 && !IS_ALIGNED(addr | hpa, BIT(pt_level_shift(level))))
		level--;
	return level;
}

/**
 * Map a linear area's block at `off`: one table's worth of the largest leaves that its alignment allows,
 * with smaller ones for what is left at the end.
 */
static int map_block(struct aspace *as, const struct area *a, uint64_t off, uint64_t *done)
{
	uint64_t addr = a->start + off, hpa = a->hpa.v + off, left = a->size - off;
	irqflags_t irq;
	int err;

	*done = block_rest(addr, leaf_level(addr, hpa) + 1, left);
	irq = spin_lock_irqsave(&as->lock);
	err = pt_map(as->format, as->root, addr, *done, HPA(hpa), a->perm, ASPACE_LEAF_LEVELS - 1,
		     &as->tables);
	spin_unlock_irqrestore(&as->lock, irq);
	return err;
}

static int map_area(struct aspace *as, const struct area *a)
{
	for (uint64_t off = 0, done; off < a->size; off += done) {
		int err = map_block(as, a, off, &done);

		if (err)
			return err;
	}
	return 0;
}

int aspace_map_linear(struct aspace *as, uint64_t start, uint64_t size, hpa_t hpa, unsigned perm)
{
	struct area a = {
		.start = start, .size = size, .perm = whole_perm(perm),
		.kind = AREA_LINEAR, .hpa = hpa,
	};
	int err = add_area(as, &a);

	if (err)
		return err;
	err = map_area(as, &a);
	if (err)
		remove_area(as, start, size);
	return err;
}

int aspace_map_io(struct aspace *as, uint64_t start, uint64_t size, hpa_t hpa)
{
	/* That it is a device is known by its physical address: leaves have no bits for it. */
	return aspace_map_linear(as, start, size, hpa, PERM_R | PERM_W);
}

int aspace_map_alloc(struct aspace *as, uint64_t start, uint64_t size, unsigned perm,
		     unsigned flags)
{
	struct area a = {
		.start = start, .size = size, .perm = whole_perm(perm),
		.kind = AREA_ALLOC, .flags = flags,
	};
	int err = add_area(as, &a);

	if (err || !(flags & ALLOC_EAGER))
		return err;
	err = aspace_populate(as, start, size, flags);
	if (err)
		remove_area(as, start, size);
	return err;
}

int aspace_map_device(struct aspace *as, uint64_t start, uint64_t size,
		      const struct device_ops *ops, void *arg)
{
	struct area a = {
		.start = start, .size = size, .perm = PERM_R | PERM_W, .kind = AREA_DEVICE,
		.device = ops, .device_arg = arg,
	};

	return add_area(as, &a);
}

/* --- free ranges --- */

/** Is there an aligned start in [at, limit] with `size` bytes up to limit, which is included? */
static bool gap_holds(uint64_t at, uint64_t limit, uint64_t size, uint64_t align, uint64_t *out)
{
	uint64_t start = ALIGN_UP(at, align);

	if (start < at || start > limit || limit - start < size - 1)
		return false;
	*out = start;
	return true;
}

/** First fit between the areas; lock held. Last bytes, not ends: the space may reach up to 2^64. */
static int find_gap(const struct aspace *as, uint64_t at, uint64_t size, uint64_t align,
		    uint64_t *out)
{
	for (unsigned i = aspace_upper_bound(as, at); i <= as->n_areas; i++) {
		uint64_t limit = i < as->n_areas ? as->areas[i].start - 1 : as->hi;

		if (i > 0 && last_of(&as->areas[i - 1]) == UINT64_MAX)
			return -ENOSPC;
		if (i > 0)
			at = MAX(at, last_of(&as->areas[i - 1]) + 1);
		if (gap_holds(at, limit, size, align, out))
			return 0;
	}
	return -ENOSPC;
}

int aspace_find_free(struct aspace *as, uint64_t from, uint64_t size, uint64_t align, uint64_t *out)
{
	irqflags_t irq;
	int err;

	if (size == 0 || align == 0 || (align & (align - 1)))
		return -ENOSPC;
	irq = spin_lock_irqsave(&as->lock);
	err = find_gap(as, MAX(from, as->lo), size, MAX(align, PAGE_SIZE), out);
	spin_unlock_irqrestore(&as->lock, irq);
	return err;
}

/* --- for the monitor --- */

bool aspace_area(struct aspace *as, unsigned i, struct area *out)
{
	irqflags_t irq = spin_lock_irqsave(&as->lock);
	bool there = i < as->n_areas;

	if (there)
		*out = as->areas[i];
	spin_unlock_irqrestore(&as->lock, irq);
	return there;
}

/* Is the block at addr mapped? @return its bytes from addr on, `left` at most. */
static uint64_t look_at_block(struct aspace *as, uint64_t addr, uint64_t left, bool *mapped)
{
	irqflags_t irq = spin_lock_irqsave(&as->lock);
	struct pt_leaf leaf;

	*mapped = pt_walk(as->format, as->root, addr, &leaf) == 0;
	spin_unlock_irqrestore(&as->lock, irq);
	return block_rest(addr, leaf.level, left);
}

bool aspace_next_mapped(struct aspace *as, uint64_t from, uint64_t to, uint64_t *start, uint64_t *size)
{
	bool mapped;

	*size = 0;
	for (uint64_t addr = from; addr < to;) {
		uint64_t n = look_at_block(as, addr, to - addr, &mapped);

		if (mapped && *size == 0)
			*start = addr;
		if (mapped)
			*size += n;
		else if (*size)
			break;
		addr += n;
	}
	return *size != 0;
}
