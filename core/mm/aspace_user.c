/*
 * User areas: pages with several owners, copied on write, from sources.
 *
 * A frame belongs to the leaves that show it, and to its source if that keeps it. A private page may be written in
 * place by its only owner; a leaf of a page that may have others does not allow writing, whatever its area does, and
 * the fault that follows makes a copy. Frames are given up only when no hart can reach them any more: after the flush.
 *
 * Whoever calls has serialised all that is done to the space. as->lock is taken all the same where the tables or the
 * set change: the monitor looks at them.
 */
#include "aspace_internal.h"

#include <caisson/log.h>
#include <caisson/mm.h>

#include <errno.h>
#include <string.h>

#define ACCESS (PERM_R | PERM_W | PERM_X)
#define BATCH 64 /* pages between two flushes */

static hpa_t zero_frame; /* shown wherever nothing was written so far; one owner is here */

int aspace_user_init(void)
{
	int error = frame_counts_start();

	return error ? error : frame_alloc(0, FRAME_ZERO, &zero_frame);
}

static void flush(struct aspace *as, uint64_t start, uint64_t size)
{
	as->flushes++;
	if (as->flush)
		as->flush(as, start, size);
}

/* What a leaf allows: without any access it is the kernel's, because a leaf allows something. */
static unsigned leaf_perm(const struct area *a, bool may_write)
{
	unsigned perm = may_write ? a->perm : a->perm & ~(unsigned)PERM_W;

	return perm & ACCESS ? perm | PERM_U : PERM_R;
}

/* May the area write in place to a frame that it shows, or is to show? `may` says that it could so far. */
static bool is_writable(const struct area *a, hpa_t frame, bool may)
{
	if (a->flags & USER_SHARED)
		return may || !a->source->ops->dirty;
	return !frame_is_shared(frame);
}

/* A shared page is about to be written. */
static int tell_dirty(const struct area *a, uint64_t page)
{
	if (!(a->flags & USER_SHARED) || !a->source->ops->dirty)
		return 0;
	return a->source->ops->dirty(a->source, a->source_offset + (page - a->start));
}

/* --- faults --- */

static int copy_of(hpa_t frame, hpa_t *out)
{
	bool zero = frame.v == zero_frame.v;
	int error = frame_alloc(0, zero ? FRAME_ZERO : 0, out);

	if (!error && !zero)
		memcpy(hpa_to_kva(*out), hpa_to_kva(frame), PAGE_SIZE);
	return error;
}

/* A frame to show at a page that has none; one owner is the caller. */
static int find_frame(const struct area *a, uint64_t page, bool write, hpa_t *out)
{
	hpa_t source;
	int error;

	if (!a->source && write)
		return frame_alloc(0, FRAME_ZERO, out);
	if (!a->source) {
		frame_get(zero_frame);
		*out = zero_frame;
		return 0;
	}
	error = a->source->ops->page(a->source, a->source_offset + (page - a->start), &source);
	if (error || !write || (a->flags & USER_SHARED)) {
		*out = source;
		return error;
	}
	error = copy_of(source, out);
	frame_put(source);
	return error;
}

/* What is out of the tables and goes when no hart can reach it any more: pages, and tables that were empty. */
struct batch {
	hpa_t frames[BATCH + 2 * PT_LEVELS_MAX];
	unsigned n, leaves;
};

static void take_leaf(void *arg, uint64_t addr, hpa_t hpa, unsigned order)
{
	struct batch *b = arg;

	(void)addr;
	(void)order;
	b->frames[b->n++] = hpa;
	b->leaves++;
}

static void take_table(void *arg, hpa_t table)
{
	struct batch *b = arg;

	b->frames[b->n++] = table;
}

/* Take at most BATCH pages out. */
static void detach(struct aspace *as, uint64_t start, uint64_t size)
{
	struct batch b;
	irqflags_t irq;

	b.n = b.leaves = 0; /* and not all of it */
	irq = spin_lock_irqsave(&as->lock);
	pt_detach(as->format, as->root, start, size, take_leaf, take_table, &b, &as->tables);
	as->resident -= b.leaves;
	spin_unlock_irqrestore(&as->lock, irq);
	if (b.n == 0)
		return;
	flush(as, start, size);
	while (b.n > 0)
		frame_put(b.frames[--b.n]);
}

static int show(struct aspace *as, uint64_t page, hpa_t frame, unsigned perm)
{
	irqflags_t irq = spin_lock_irqsave(&as->lock);
	int error = pt_map(as->format, as->root, page, PAGE_SIZE, frame, perm, 0, &as->tables);

	as->resident += !error;
	spin_unlock_irqrestore(&as->lock, irq);
	if (error) /* take away the tables that it stopped at */
		detach(as, page, PAGE_SIZE);
	else if (perm & PERM_X) /* a hart may remember other instructions of this frame: it was something else before */
		flush(as, page, PAGE_SIZE);
	return error;
}

static enum fault_result result_of(int error)
{
	return !error ? FAULT_RESOLVED : error == -ENOMEM ? FAULT_NOMEM : FAULT_NO_PAGE;
}

static enum fault_result first_touch(struct aspace *as, const struct area *a, uint64_t page, bool write)
{
	hpa_t frame;
	int error = find_frame(a, page, write, &frame);

	if (error)
		return result_of(error);
	if (write)
		error = tell_dirty(a, page);
	if (!error)
		error = show(as, page, frame, leaf_perm(a, is_writable(a, frame, write)));
	if (error)
		frame_put(frame);
	return result_of(error);
}

static void replace(struct aspace *as, uint64_t page, hpa_t frame, unsigned perm)
{
	irqflags_t irq = spin_lock_irqsave(&as->lock);
	int error = pt_replace(as->format, as->root, page, frame, perm);

	spin_unlock_irqrestore(&as->lock, irq);
	ASSERT(error == 0);
}

/* The leaf allows less than its area. */
static enum fault_result upgrade(struct aspace *as, const struct area *a, uint64_t page, hpa_t old, bool write)
{
	int error = write ? tell_dirty(a, page) : 0;
	hpa_t copy;

	if (error)
		return result_of(error);
	if (!write || is_writable(a, old, true)) {
		replace(as, page, old, leaf_perm(a, is_writable(a, old, write)));
		return FAULT_RESOLVED;
	}
	if (copy_of(old, &copy))
		return FAULT_NOMEM;
	replace(as, page, copy, leaf_perm(a, false)); /* nobody writes to the copy while others may still read the old one */
	flush(as, page, PAGE_SIZE);
	replace(as, page, copy, leaf_perm(a, true));
	frame_put(old);
	return FAULT_RESOLVED;
}

enum fault_result aspace_user_touch(struct aspace *as, const struct area *a, uint64_t addr, unsigned access)
{
	uint64_t page = ALIGN_DOWN(addr, PAGE_SIZE);
	struct pt_leaf leaf;

	if (pt_walk(as->format, as->root, page, &leaf))
		return first_touch(as, a, page, access & PERM_W);
	if ((leaf.perm & access) == access && (leaf.perm & PERM_U))
		return FAULT_RESOLVED;
	return upgrade(as, a, page, leaf.hpa, access & PERM_W);
}

/* --- walking over what is mapped --- */

/* The first page in [addr, end) that is mapped, or end. */
static uint64_t next_leaf(struct aspace *as, uint64_t addr, uint64_t end, struct pt_leaf *leaf)
{
	return pt_next_leaf(as->format, as->root, &addr, end, leaf) ? end : addr;
}

static void clear_range(struct aspace *as, uint64_t start, uint64_t end)
{
	struct pt_leaf leaf;

	while ((start = next_leaf(as, start, end, &leaf)) < end) {
		uint64_t size = MIN(end - start, BATCH * PAGE_SIZE);

		detach(as, start, size);
		start += size;
	}
}

static void put_leaf(void *arg, uint64_t addr, hpa_t hpa, unsigned order)
{
	struct aspace *as = arg;

	(void)addr;
	(void)order;
	as->resident--;
	frame_put(hpa);
}

/* Without a flush there is nothing to wait for, and nobody who looks: the space goes. */
static void drop_range(struct aspace *as, uint64_t start, uint64_t size)
{
	pt_unmap(as->format, as->root, start, size, put_leaf, as, &as->tables);
}

void aspace_user_clear(struct aspace *as, const struct area *a)
{
	if (as->flush)
		clear_range(as, a->start, a->start + a->size);
	else
		drop_range(as, a->start, a->size);
	page_source_put(a->source);
}

/* --- the set --- */

static bool continues(const struct area *a, const struct area *b)
{
	return a->kind == AREA_USER && b->kind == AREA_USER && a->start + a->size == b->start && a->perm == b->perm &&
	       a->flags == b->flags && a->source == b->source &&
	       (!a->source || a->source_offset + a->size == b->source_offset);
}

const struct area *aspace_find_from(const struct aspace *as, uint64_t addr)
{
	unsigned i = aspace_upper_bound(as, addr);

	if (i > 0 && addr - as->areas[i - 1].start < as->areas[i - 1].size)
		i--;
	return i < as->n_areas ? &as->areas[i] : NULL;
}

/* Lock held. */
static int insert(struct aspace *as, const struct area *a)
{
	return as->n_areas < USER_AREAS_MAX ? aspace_insert(as, a) : -ENOMEM;
}

/* Areas that meet at addr and are alike become one. */
static void join(struct aspace *as, uint64_t addr)
{
	irqflags_t irq = spin_lock_irqsave(&as->lock);
	unsigned i = aspace_upper_bound(as, addr);
	struct page_source *twice = NULL;

	if (i >= 2 && as->areas[i - 1].start == addr && continues(&as->areas[i - 2], &as->areas[i - 1])) {
		twice = as->areas[i - 1].source;
		as->areas[i - 2].size += as->areas[i - 1].size;
		aspace_erase(as, addr);
	}
	spin_unlock_irqrestore(&as->lock, irq);
	page_source_put(twice);
}

/* Let no area reach across addr. */
static int split(struct aspace *as, uint64_t addr)
{
	irqflags_t irq = spin_lock_irqsave(&as->lock);
	struct area *a = aspace_area_at(as, addr);
	struct area rest;
	int error = 0;

	if (a && a->start < addr) {
		rest = *a;
		rest.start = addr;
		rest.size = a->start + a->size - addr;
		rest.source_offset += addr - a->start;
		a->size = addr - a->start;
		error = insert(as, &rest);
		if (error)
			aspace_area_at(as, addr - 1)->size += rest.size;
		else
			page_source_get(rest.source);
	}
	spin_unlock_irqrestore(&as->lock, irq);
	return error;
}

/* Is there an area of another kind in the range? With `whole`, or a hole. @return 0, -EINVAL, -ENOENT. */
static int check_range(const struct aspace *as, uint64_t start, uint64_t size, bool whole)
{
	const struct area *a = aspace_find_from(as, start);
	uint64_t at = start, end = start + size;

	if (!aspace_range_valid(as, start, size))
		return -EINVAL;
	for (; a && a < as->areas + as->n_areas && at < end; a++) {
		if (a->start >= end || (whole && a->start > at))
			break;
		if (a->kind != AREA_USER)
			return -EINVAL;
		at = a->start + a->size;
	}
	return whole && at < end ? -ENOENT : 0;
}

static bool range_free(const struct aspace *as, uint64_t start, uint64_t size)
{
	unsigned i = aspace_upper_bound(as, start + size - 1);

	return i == 0 || as->areas[i - 1].start + as->areas[i - 1].size <= start;
}

int aspace_map_user(struct aspace *as, uint64_t start, uint64_t size, unsigned perm, unsigned flags,
		    struct page_source *source, uint64_t offset)
{
	struct area a = {
		.start = start, .size = size, .perm = (perm & PERM_W ? perm | PERM_R : perm) | PERM_U, .kind = AREA_USER,
		.flags = flags, .source = source, .source_offset = source ? offset : 0,
	};
	irqflags_t irq;
	int error;

	if (!aspace_range_valid(as, start, size) || ((flags & USER_SHARED) && !source) || !IS_ALIGNED(offset, PAGE_SIZE))
		return -EINVAL;
	if ((perm & PERM_W) && (flags & USER_NO_WRITE))
		return -EACCES;
	irq = spin_lock_irqsave(&as->lock);
	error = insert(as, &a);
	spin_unlock_irqrestore(&as->lock, irq);
	if (error)
		return error;
	page_source_get(source);
	join(as, start + size);
	join(as, start);
	return 0;
}

int aspace_unmap_user(struct aspace *as, uint64_t start, uint64_t size)
{
	uint64_t end = start + size;
	int error = check_range(as, start, size, false);

	if (!error)
		error = split(as, start);
	if (!error)
		error = split(as, end);
	if (error)
		return error;
	for (;;) {
		unsigned i = aspace_upper_bound(as, end - 1);
		const struct area *last = i > 0 ? &as->areas[i - 1] : NULL;

		if (!last || last->start < start)
			return 0;
		error = aspace_unmap(as, last->start);
		ASSERT(error == 0);
	}
}

static void set_perm(struct aspace *as, struct area *a, unsigned perm)
{
	uint64_t end = a->start + a->size;
	struct pt_leaf leaf;

	a->perm = perm;
	for (uint64_t at = a->start; (at = next_leaf(as, at, end, &leaf)) < end; at += PAGE_SIZE)
		replace(as, at, leaf.hpa, leaf_perm(a, is_writable(a, leaf.hpa, leaf.perm & PERM_W)));
}

static bool may_have(const struct aspace *as, uint64_t start, uint64_t end, unsigned perm)
{
	for (uint64_t at = start; at < end;) {
		const struct area *a = aspace_area_at(as, at);

		if ((perm & PERM_W) && (a->flags & USER_NO_WRITE))
			return false;
		at = a->start + a->size;
	}
	return true;
}

int aspace_protect_user(struct aspace *as, uint64_t start, uint64_t size, unsigned perm)
{
	uint64_t end = start + size;
	int error = check_range(as, start, size, true);
	struct area *a;

	if (!error && !may_have(as, start, end, perm))
		error = -EACCES;
	if (!error)
		error = split(as, start);
	if (!error)
		error = split(as, end);
	if (error)
		return error;
	perm = (perm & PERM_W ? perm | PERM_R : perm) | PERM_U;
	for (uint64_t at = start; at < end; at = a->start + a->size) {
		a = aspace_area_at(as, at);
		set_perm(as, a, perm);
	}
	flush(as, start, size);
	join(as, end);
	for (uint64_t at = end; at > start;) { /* backwards: what was joined is not looked at again */
		a = aspace_area_at(as, at - 1);
		at = a->start;
		join(as, at);
	}
	return 0;
}

/* --- taking pages away, moving them --- */

int aspace_clear_user(struct aspace *as, uint64_t start, uint64_t size)
{
	int error = check_range(as, start, size, false);

	if (error)
		return error;
	clear_range(as, start, start + size);
	return check_range(as, start, size, true);
}

void aspace_cut_source(struct aspace *as, const struct page_source *source, uint64_t from)
{
	for (unsigned i = 0; i < as->n_areas; i++) {
		const struct area *a = &as->areas[i];
		uint64_t kept = from > a->source_offset ? from - a->source_offset : 0;

		if (a->kind == AREA_USER && a->source == source && kept < a->size)
			clear_range(as, a->start + kept, a->start + a->size);
	}
}

/* Show the pages of an area's part at `to`, too. */
static int show_again(struct aspace *as, uint64_t from, uint64_t end, uint64_t to)
{
	struct pt_leaf leaf;
	int error = 0;

	for (uint64_t at = from; !error && (at = next_leaf(as, at, end, &leaf)) < end; at += PAGE_SIZE) {
		frame_get(leaf.hpa);
		error = show(as, to + (at - from), leaf.hpa, leaf.perm);
		if (error)
			frame_put(leaf.hpa);
	}
	return error;
}

static int copy_areas(struct aspace *as, uint64_t from, uint64_t end, uint64_t to)
{
	int error = 0;

	while (!error && from < end) {
		struct area a = *aspace_area_at(as, from);
		uint64_t part = MIN(end, a.start + a.size) - from;

		error = aspace_map_user(as, to, part, a.perm & ACCESS, a.flags, a.source, a.source_offset + (from - a.start));
		if (!error)
			error = show_again(as, from, from + part, to);
		from += part;
		to += part;
	}
	return error;
}

/*
 * Splitting comes first, so that taking the old place away cannot fail: the set has room then even if what is new became
 * one with what is old.
 */
int aspace_move_user(struct aspace *as, uint64_t from, uint64_t size, uint64_t to)
{
	int error = check_range(as, from, size, true);

	if (!error && !aspace_range_valid(as, to, size))
		error = -EINVAL;
	if (!error && from < to + size && to < from + size)
		error = -EINVAL;
	if (!error && !range_free(as, to, size))
		error = -EEXIST;
	if (!error)
		error = split(as, from);
	if (!error)
		error = split(as, from + size);
	if (error)
		return error;
	error = copy_areas(as, from, from + size, to);
	(void)!aspace_unmap_user(as, error ? to : from, size);
	return error;
}

/* --- fork --- */

/*
 * Both sides show the pages; private ones that could be written cannot be for now. Nobody else knows `to` yet: its lock is
 * not taken. One table at a time.
 */
static int share_pages(struct aspace *to, struct aspace *from, const struct area *a)
{
	uint64_t addr = a->start, end = a->start + a->size;
	int error = 0;

	while (addr < end && !error) {
		irqflags_t irq = spin_lock_irqsave(&from->lock);
		unsigned shared;

		error = pt_share(from->format, from->root, to->root, &addr, end, !(a->flags & USER_SHARED), frame_get, &shared,
				 &to->tables);
		to->resident += shared;
		spin_unlock_irqrestore(&from->lock, irq);
	}
	return error;
}

static int fork_area(struct aspace *to, struct aspace *from, const struct area *a)
{
	int error = aspace_map_user(to, a->start, a->size, a->perm & ACCESS, a->flags, a->source, a->source_offset);

	return error ? error : share_pages(to, from, a);
}

int aspace_fork(struct aspace *to, struct aspace *from)
{
	int error = 0;

	for (unsigned i = 0; i < from->n_areas && !error; i++)
		if (from->areas[i].kind == AREA_USER)
			error = fork_area(to, from, &from->areas[i]);
	flush(from, from->lo, ALIGN_DOWN(from->hi - from->lo, PAGE_SIZE) + PAGE_SIZE);
	return error;
}
