/*
 * Frames and blocks of 2 MiB that idle harts have zeroed, so that who needs one does not wait for that.
 *
 * A hart with nothing to run zeroes a few pages at a time and looks for work in between. One hart at a time
 * does it; the block at work belongs to the stock from its first page on.
 */
#include <arch/cpu.h>
#include <caisson/mm.h>
#include <caisson/zero.h>

#include <errno.h>

#include "buddy.h"
#include "frame_debug.h"
#include "stock.h"

#define SHELF_MAX 128
/** At most this part of what is free otherwise. */
#define SHARE 8
/** Pages at a time, where an engine takes no longer for them than a hart for one or two. */
#define ENGINE_PAGES UINT32_C(32)

/** One size. All but `frames` is written with buddy_lock held. */
struct shelf {
	unsigned order;
	uint32_t max;
	uint32_t n;           /* ready */
	bool making;          /* `next` is at work: its first `done` pages are zero */
	uint32_t done;
	uint64_t next;
	uint64_t failed_with; /* so many frames were free when there was no block of this size; 0: there was one */
	uint32_t frames[SHELF_MAX];
};

/* 64 MiB of blocks, half a MiB of frames: what a kernel touches first, and a process or two. */
static struct shelf shelves[] = {
	{ .order = 9, .max = 32 },
	{ .order = 0, .max = SHELF_MAX },
};
uint64_t stock_orders;
static bool zeroing; /* a hart is at a page; with buddy_lock held */

static struct shelf *shelf_of(unsigned order)
{
	for (unsigned i = 0; i < ARRAY_SIZE(shelves); i++)
		if (shelves[i].order == order)
			return &shelves[i];
	return NULL;
}

static uint32_t get_n(const struct shelf *s)
{
	return __atomic_load_n(&s->n, __ATOMIC_RELAXED);
}

/** Changes go through here: who only asks whether there is anything takes no lock. Lock held. */
static void set_n(struct shelf *s, uint32_t n)
{
	uint64_t others = stock_orders & ~BIT(s->order);

	__atomic_store_n(&s->n, n, __ATOMIC_RELAXED);
	__atomic_store_n(&stock_orders, n ? others | BIT(s->order) : others, __ATOMIC_RELAXED);
}

/** May this shelf have one more? Without the lock only an estimate. */
static bool is_low(const struct shelf *s)
{
	uint64_t n = get_n(s), free = buddy_free_frames();

	return n < s->max && (n + 1) << s->order <= free / SHARE &&
	       free > __atomic_load_n(&s->failed_with, __ATOMIC_RELAXED);
}

bool frame_stock_low(void)
{
	return is_low(&shelves[0]) || is_low(&shelves[1]);
}

/* --- filling --- */

/** The shelf whose block is at work, or where one begins now; NULL: there is nothing to do. Lock held. */
static struct shelf *shelf_to_fill(void)
{
	for (unsigned i = 0; i < ARRAY_SIZE(shelves); i++) {
		struct shelf *s = &shelves[i];

		if (s->making)
			return s;
		if (!is_low(s))
			continue;
		s->making = buddy_take(s->order, &s->next) == 0;
		s->done = 0;
		__atomic_store_n(&s->failed_with, s->making ? 0 : buddy_free_frames(), __ATOMIC_RELAXED);
		if (s->making)
			return s;
	}
	return NULL;
}

/** Say that this hart is at some pages. @return their shelf; NULL: another hart is, or nothing is wanted. */
static struct shelf *begin_pages(void)
{
	struct shelf *s;

	spin_lock(&buddy_lock);
	s = zeroing ? NULL : shelf_to_fill();
	zeroing |= s != NULL;
	spin_unlock(&buddy_lock);
	return s;
}

/** @param lost  they are nobody's any more, and so is the block that they are of */
static void end_pages(struct shelf *s, uint32_t pages, bool lost)
{
	spin_lock(&buddy_lock);
	zeroing = false;
	s->done += pages;
	if (s->done == BIT(s->order) && !lost) {
		s->frames[s->n] = (uint32_t)s->next;
		set_n(s, s->n + 1);
	}
	s->making = s->done < BIT(s->order) && !lost;
	spin_unlock(&buddy_lock);
}

/** @return -EIO: they are lost */
static int zero_pages(hpa_t start, uint32_t pages)
{
	if (IS_ENABLED(CONFIG_ZERO_ENGINE) && pages > 1)
		return frames_zero(start, pages * PAGE_SIZE);
	page_zero(hpa_to_kva(start), pages * PAGE_SIZE);
	return 0;
}

/** How many at a time. Of a block that began without the engine, or with it, the others may go the other way. */
static uint32_t pages_at_once(const struct shelf *s)
{
	bool engine = IS_ENABLED(CONFIG_ZERO_ENGINE) && zero_engine_wants(ENGINE_PAGES * PAGE_SIZE);
	uint32_t left = (uint32_t)BIT(s->order) - s->done;

	return engine ? MIN(left, ENGINE_PAGES) : 1;
}

bool frame_stock_fill(void)
{
	struct shelf *s = frame_stock_low() ? begin_pages() : NULL;
	uint32_t pages;
	uint64_t frame;

	if (!s)
		return false;
	frame = s->next + s->done;
	pages = pages_at_once(s);
	for (uint32_t i = 0; i < pages; i++)
		frame_debug_stocked(frame + i, s->order, __builtin_return_address(0));
	end_pages(s, pages, zero_pages(HPA(frame << PAGE_SHIFT), pages) != 0);
	return true;
}

/* --- taking --- */

int stock_take(unsigned order, uint64_t *frame)
{
	struct shelf *s = shelf_of(order);
	int err = -ENOMEM;

	if (!s)
		return -ENOMEM;
	spin_lock(&buddy_lock);
	if (s->n) {
		set_n(s, s->n - 1);
		*frame = s->frames[s->n];
		__atomic_store_n(&s->failed_with, 0, __ATOMIC_RELAXED);
		err = 0;
	}
	spin_unlock(&buddy_lock);
	return err;
}

static void empty_shelf(struct shelf *s)
{
	for (uint32_t i = 0; i < s->n; i++)
		buddy_give(region_of(s->frames[i]), s->frames[i], s->order);
	set_n(s, 0);
	if (s->making)
		buddy_give(region_of(s->next), s->next, s->order);
	s->making = false;
}

bool stock_give_back(void)
{
	bool any;

	spin_lock(&buddy_lock);
	/* Not for longer than a few pages take. */
	while (zeroing) {
		spin_unlock(&buddy_lock);
		cpu_relax();
		spin_lock(&buddy_lock);
	}
	for (unsigned i = 0; i < ARRAY_SIZE(shelves); i++)
		empty_shelf(&shelves[i]);
	any = buddy_free_frames() != 0;
	spin_unlock(&buddy_lock);
	return any;
}

uint64_t stock_frames(void)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(shelves); i++)
		n += (shelves[i].n + (uint64_t)shelves[i].making) << shelves[i].order;
	return n;
}
