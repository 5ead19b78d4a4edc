/*
 * Frames: the interface, and a small stack of single frames for each hart, so that
 * most calls take no lock that another hart wants. A cache is filled from the
 * buddy lists and emptied into them by half; frames in it are free, whoever counts.
 */
#include <arch/cpu.h>
#include <caisson/fail.h>
#include <caisson/hart.h>
#include <caisson/log.h>
#include <caisson/mm.h>
#include <caisson/zero.h>

#include <errno.h>
#include <string.h>

#include "buddy.h"
#include "frame.h"
#include "frame_debug.h"
#include "stock.h"

#define CACHE_SIZE 32
#define BATCH (CACHE_SIZE / 2)

/** Lock order: a cache's lock, then buddy_lock; never two caches'. Others take it when memory is out. */
struct frame_cache {
	spinlock_t lock;
	uint32_t n;                  /* written with the lock held */
	uint32_t frames[CACHE_SIZE]; /* the last one goes first */
} ALIGNED_TO(64);

static struct frame_cache caches[HART_MAX];

static struct frame_cache *my_cache(void)
{
	return &caches[this_hart()->index];
}

/** Changes go through here: frame_free_count looks without the lock. */
static void set_n(struct frame_cache *c, uint32_t n)
{
	__atomic_store_n(&c->n, n, __ATOMIC_RELAXED);
}

static uint32_t get_n(const struct frame_cache *c)
{
	return __atomic_load_n(&c->n, __ATOMIC_RELAXED);
}

/* --- between a cache and the lists; the cache's lock is held --- */

/** Add n neighbours, so that the first of them goes first. */
static void push_all(struct frame_cache *c, uint64_t frame, uint64_t n)
{
	struct region *r = region_of(frame);
	uint32_t at = c->n;

	for (uint64_t f = frame + n; f-- > frame;) {
		state_set(r, f, CACHED);
		c->frames[at++] = (uint32_t)f;
	}
	set_n(c, at);
}

/** log2 of n > 0, rounded down. */
static unsigned log2_of(uint64_t n)
{
	return 63 - (unsigned)__builtin_clzll(n);
}

static void fill_cache(struct frame_cache *c)
{
	uint64_t frame;

	spin_lock(&buddy_lock);
	while (c->n < BATCH) {
		int order = buddy_take_up_to(log2_of(BATCH - c->n), &frame);

		if (order < 0)
			break;
		push_all(c, frame, BIT(order));
	}
	spin_unlock(&buddy_lock);
}

/** Give the n frames back that have been in the cache for longest. */
static void drain_cache(struct frame_cache *c, uint32_t n)
{
	spin_lock(&buddy_lock);
	for (uint32_t i = 0; i < n; i++)
		buddy_give(region_of(c->frames[i]), c->frames[i], 0);
	set_n(c, c->n - n);
	spin_unlock(&buddy_lock);
	memmove(c->frames, c->frames + n, c->n * sizeof(c->frames[0]));
}

static int pop(struct frame_cache *c, uint64_t *frame)
{
	struct region *r;

	if (c->n == 0)
		return -ENOMEM;
	set_n(c, c->n - 1);
	*frame = c->frames[c->n];
	r = region_of(*frame);
	ASSERT(state_get(r, *frame) == CACHED); /* freed on two harts at once, else */
	state_set(r, *frame, USED);
	return 0;
}

/* --- when memory is out: what lies in the harts' caches --- */

static int steal_frame(uint64_t *frame)
{
	int err = -ENOMEM;

	for (unsigned i = 0; i < HART_MAX && err; i++) {
		if (get_n(&caches[i]) == 0)
			continue;
		spin_lock(&caches[i].lock);
		err = pop(&caches[i], frame);
		spin_unlock(&caches[i].lock);
	}
	return err;
}

static void drain_all(void)
{
	for (unsigned i = 0; i < HART_MAX; i++) {
		if (get_n(&caches[i]) == 0)
			continue;
		spin_lock(&caches[i].lock);
		drain_cache(&caches[i], caches[i].n);
		spin_unlock(&caches[i].lock);
	}
}

/* --- allocating; interrupts are off --- */

static inline __attribute__((always_inline)) int take_from_cache(uint64_t *frame)
{
	struct frame_cache *c = my_cache();
	int err;

	spin_lock(&c->lock);
	if (unlikely(c->n == 0))
		fill_cache(c);
	err = pop(c, frame);
	spin_unlock(&c->lock);
	return err;
}

/** The lists have run out, it seems: fill them from the stock. @return whether they have anything now. */
static bool fill_lists(void)
{
	return IS_ENABLED(CONFIG_FRAME_STOCK) && stock_give_back();
}

/** Out of line: most calls find one at once. */
static int __attribute__((noinline)) take_last_single(uint64_t *frame)
{
	while (fill_lists())
		if (take_from_cache(frame) == 0)
			return 0;
	return steal_frame(frame);
}

static int take_single(uint64_t *frame)
{
	return likely(take_from_cache(frame) == 0) ? 0 : take_last_single(frame);
}

static int take_from_lists(unsigned order, uint64_t *frame)
{
	int err;

	spin_lock(&buddy_lock);
	err = buddy_take(order, frame);
	spin_unlock(&buddy_lock);
	if (!err)
		state_set(region_of(*frame), *frame, (uint8_t)(USED | order));
	return err;
}

static int take_block(unsigned order, uint64_t *frame)
{
	int err = take_from_lists(order, frame);

	if (likely(err == 0))
		return 0;
	/* A single frame in a cache or in stock may be all that keeps a block apart. */
	drain_all();
	fill_lists();
	return take_from_lists(order, frame);
}

/** Take one that is zeroed already. */
static bool take_zeroed(unsigned order, uint64_t *frame)
{
	if (!IS_ENABLED(CONFIG_FRAME_STOCK) || !stock_has(order) || stock_take(order, frame))
		return false;
	state_set(region_of(*frame), *frame, (uint8_t)(USED | order));
	return true;
}

/** Zero a block that is ours, and hand it out, or another one if this is lost to an engine: that is not asked again. */
static int __attribute__((noinline)) hand_out_zeroed(uint64_t frame, unsigned order, hpa_t *out)
{
	hpa_t start = HPA(frame << PAGE_SHIFT);

	if (frames_zero(start, PAGE_SIZE << order))
		return frame_alloc(order, FRAME_ZERO, out);
	*out = start;
	return 0;
}

int frame_alloc(unsigned order, unsigned flags, hpa_t *out)
{
	irqflags_t irq;
	uint64_t frame;
	int err;

	if (alloc_fails() || order > FRAME_MAX_ORDER)
		return -ENOMEM;
	irq = irq_save();
	if ((flags & FRAME_ZERO) && take_zeroed(order, &frame))
		flags = err = 0;
	else
		err = order == 0 ? take_single(&frame) : take_block(order, &frame);
	irq_restore(irq);
	if (err)
		return err;
	frame_debug_allocated(frame, order, __builtin_return_address(0));
	if (IS_ENABLED(CONFIG_ZERO_ENGINE) && order && (flags & FRAME_ZERO))
		return hand_out_zeroed(frame, order, out);
	*out = HPA(frame << PAGE_SHIFT);
	if (flags & FRAME_ZERO)
		page_zero(hpa_to_kva(*out), PAGE_SIZE << order);
	return 0;
}

/* --- freeing; interrupts are off --- */

/** The region of an allocated block of exactly this order, or NULL. */
static struct region *region_of_used(hpa_t addr, unsigned order)
{
	struct region *r = region_of(addr.v >> PAGE_SHIFT);

	if (!r || !IS_ALIGNED(addr.v, PAGE_SIZE) || order > FRAME_MAX_ORDER)
		return NULL;
	return state_get(r, addr.v >> PAGE_SHIFT) == (USED | order) ? r : NULL;
}

static bool give_single(hpa_t addr)
{
	struct frame_cache *c = my_cache();
	struct region *r;

	spin_lock(&c->lock);
	r = region_of_used(addr, 0);
	if (likely(r)) {
		if (unlikely(c->n == CACHE_SIZE))
			drain_cache(c, BATCH);
		state_set(r, addr.v >> PAGE_SHIFT, CACHED);
		c->frames[c->n] = (uint32_t)(addr.v >> PAGE_SHIFT);
		set_n(c, c->n + 1);
	}
	spin_unlock(&c->lock);
	return r;
}

static bool give_block(hpa_t addr, unsigned order)
{
	struct region *r;

	spin_lock(&buddy_lock);
	r = region_of_used(addr, order);
	if (likely(r))
		buddy_give(r, addr.v >> PAGE_SHIFT, order);
	spin_unlock(&buddy_lock);
	return r;
}

static void bad_free(hpa_t addr, unsigned order, const void *caller)
{
	const void *allocated, *freed;

	frame_debug_who(addr.v >> PAGE_SHIFT, &allocated, &freed);
	panic("frame_free: 0x%lx, order %u is not an allocated block: freed by %p; before, allocated by %p, "
	      "freed by %p", (unsigned long)addr.v, order, caller, allocated, freed);
}

void frame_free(hpa_t addr, unsigned order)
{
	irqflags_t irq;
	bool done;

	frame_debug_freed(addr.v >> PAGE_SHIFT, order, __builtin_return_address(0));
	irq = irq_save();
	done = order == 0 ? give_single(addr) : give_block(addr, order);
	irq_restore(irq);
	if (!done)
		bad_free(addr, order, __builtin_return_address(0));
}

/* --- asking --- */

/** State of any address; INSIDE when it is not a frame of ours. */
static uint8_t state_at(hpa_t addr)
{
	struct region *r = region_of(addr.v >> PAGE_SHIFT);

	return r && IS_ALIGNED(addr.v, PAGE_SIZE) ? state_get(r, addr.v >> PAGE_SHIFT) : INSIDE;
}

int frame_order(hpa_t addr)
{
	uint8_t state = state_at(addr);

	return state & USED ? state & ORDER_MASK : -ENOENT;
}

void frame_set_slab(hpa_t addr, bool slab)
{
	uint64_t frame = addr.v >> PAGE_SHIFT;
	struct region *r = region_of(frame);
	uint8_t state = state_get(r, frame);

	state_set(r, frame, slab ? state | SLAB : state & (uint8_t)~SLAB);
}

bool frame_is_slab(hpa_t addr)
{
	return state_at(addr) & SLAB;
}

/* Between a cache or the stock and the lists frames move only under buddy_lock: none is missed or counted twice. */
uint64_t frame_free_count(void)
{
	irqflags_t irq = spin_lock_irqsave(&buddy_lock);
	uint64_t n = buddy_free_frames();

	for (unsigned i = 0; i < HART_MAX; i++)
		n += get_n(&caches[i]);
	if (IS_ENABLED(CONFIG_FRAME_STOCK))
		n += stock_frames();
	spin_unlock_irqrestore(&buddy_lock, irq);
	return n;
}

void page_zero(void *page, uint64_t n)
{
	arch_page_zero(page, n);
}
