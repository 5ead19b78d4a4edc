/*
 * The frame allocator: a binary buddy over every range of RAM that it was given.
 *
 * Each range pays for its own bookkeeping, one byte per frame, out of its first
 * frames. Free blocks are linked through their own first bytes, in one list per
 * order for all ranges together; a bit per order says which lists have a block.
 */
#include <arch/cpu.h>
#include <caisson/fail.h>
#include <caisson/list.h>
#include <caisson/log.h>
#include <caisson/mm.h>
#include <caisson/spinlock.h>

#include <errno.h>

#include "frame.h"

#define LOG_NAME "mm"
#define MAX_REGIONS 64
#define ORDERS (FRAME_MAX_ORDER + 1)

/* State of a frame: INSIDE a block of either kind, or the first of one, with its order. */
enum { INSIDE = 0, SLAB = 0x20, FREE = 0x40, USED = 0x80, ORDER_MASK = 0x1f };

struct region {
	uint64_t first, end; /* frame numbers of what can be handed out; end is not included */
	uint8_t *state;      /* one byte per frame from first on */
};

static struct region regions[MAX_REGIONS];
static unsigned n_regions; /* grows at boot only */

/* Innermost lock: nothing else is taken under it. Guards all below and the states. */
static spinlock_t frame_lock = SPINLOCK_INIT;
static struct list free_blocks[ORDERS];
static uint64_t orders_free; /* bit n: free_blocks[n] is not empty */
static uint64_t n_free, n_total;

static struct region *find_region(uint64_t frame)
{
	for (unsigned i = 0; i < n_regions; i++)
		if (frame >= regions[i].first && frame < regions[i].end)
			return &regions[i];
	return NULL;
}

static uint8_t *state_of(struct region *r, uint64_t frame)
{
	return &r->state[frame - r->first];
}

static struct list *node_of(uint64_t frame)
{
	return hpa_to_kva(HPA(frame << PAGE_SHIFT));
}

static void push_free(struct region *r, uint64_t frame, unsigned order)
{
	list_push_front(&free_blocks[order], node_of(frame));
	*state_of(r, frame) = FREE | order;
	orders_free |= BIT(order);
}

static void take_free(struct region *r, uint64_t frame, unsigned order)
{
	list_del(node_of(frame));
	*state_of(r, frame) = INSIDE;
	if (list_empty(&free_blocks[order]))
		orders_free &= ~BIT(order);
}

/** Can `buddy` join its neighbour to a block of the next order? It may lie outside the region. */
static bool buddy_is_free(struct region *r, uint64_t buddy, unsigned order)
{
	return buddy >= r->first && buddy < r->end && *state_of(r, buddy) == (FREE | order);
}

static void release(struct region *r, uint64_t frame, unsigned order)
{
	n_free += BIT(order);
	while (order < FRAME_MAX_ORDER && buddy_is_free(r, frame ^ BIT(order), order)) {
		take_free(r, frame ^ BIT(order), order);
		frame &= ~BIT(order);
		order++;
	}
	push_free(r, frame, order);
}

/** Free the whole of a new region in the largest aligned blocks. */
static void release_all(struct region *r)
{
	uint64_t frame = r->first;

	while (frame < r->end) {
		unsigned order = FRAME_MAX_ORDER;

		while (!IS_ALIGNED(frame, BIT(order)) || BIT(order) > r->end - frame)
			order--;
		release(r, frame, order);
		frame += BIT(order);
	}
}

static bool overlaps_region(uint64_t first, uint64_t end)
{
	for (unsigned i = 0; i < n_regions; i++)
		if (first < regions[i].end && regions[i].first < end)
			return true;
	return false;
}

static void init_lists(void)
{
	for (unsigned order = 0; order < ORDERS; order++)
		list_init(&free_blocks[order]);
}

static void add_region(uint64_t first, uint64_t end)
{
	/* A byte for each frame that is left: one frame of states serves PAGE_SIZE others. */
	uint64_t own = (end - first + PAGE_SIZE) / (PAGE_SIZE + 1);
	struct region *r = &regions[n_regions];

	if (own >= end - first)
		return;
	r->state = hpa_to_kva(HPA(first << PAGE_SHIFT));
	r->first = first + own;
	r->end = end;
	page_zero(r->state, own << PAGE_SHIFT); /* all INSIDE, which is 0 */
	n_regions++;
	n_total += r->end - r->first;
	release_all(r);
}

void frame_add(hpa_t start, uint64_t size)
{
	uint64_t first = (start.v + PAGE_SIZE - 1) >> PAGE_SHIFT;
	uint64_t end = (start.v + size) >> PAGE_SHIFT;
	irqflags_t flags;

	if (start.v + size < start.v || end <= first)
		return;
	if (n_regions == MAX_REGIONS || overlaps_region(first, end)) {
		log_warn("RAM at 0x%llx not used: %s", (unsigned long long)start.v,
			 n_regions == MAX_REGIONS ? "too many ranges" : "given twice");
		return;
	}
	flags = spin_lock_irqsave(&frame_lock);
	if (n_regions == 0)
		init_lists();
	add_region(first, end);
	spin_unlock_irqrestore(&frame_lock, flags);
}

/** Take the smallest block that is large enough and give back what it is too large by. */
static int take_block(unsigned order, uint64_t *out)
{
	uint64_t candidates = orders_free & ~(BIT(order) - 1);
	unsigned have;
	uint64_t frame;
	struct region *r;

	if (candidates == 0)
		return -ENOMEM;
	have = __builtin_ctzll(candidates);
	frame = kva_to_hpa(free_blocks[have].next).v >> PAGE_SHIFT;
	r = find_region(frame);
	take_free(r, frame, have);
	while (have > order) {
		have--;
		push_free(r, frame + BIT(have), have);
	}
	*state_of(r, frame) = USED | order;
	n_free -= BIT(order);
	*out = frame;
	return 0;
}

int frame_alloc(unsigned order, unsigned flags, hpa_t *out)
{
	irqflags_t irq;
	uint64_t frame;
	int err;

	if (alloc_fails() || order > FRAME_MAX_ORDER)
		return -ENOMEM;
	irq = spin_lock_irqsave(&frame_lock);
	err = take_block(order, &frame);
	spin_unlock_irqrestore(&frame_lock, irq);
	if (err)
		return err;
	*out = HPA(frame << PAGE_SHIFT);
	if (flags & FRAME_ZERO)
		page_zero(hpa_to_kva(*out), PAGE_SIZE << order);
	return 0;
}

/** The region of an allocated block of exactly this order, or NULL. */
static struct region *region_of_used(hpa_t addr, unsigned order)
{
	struct region *r = find_region(addr.v >> PAGE_SHIFT);

	if (!r || !IS_ALIGNED(addr.v, PAGE_SIZE) || order > FRAME_MAX_ORDER)
		return NULL;
	return *state_of(r, addr.v >> PAGE_SHIFT) == (USED | order) ? r : NULL;
}

void frame_free(hpa_t addr, unsigned order)
{
	irqflags_t irq = spin_lock_irqsave(&frame_lock);
	struct region *r = region_of_used(addr, order);

	if (r)
		release(r, addr.v >> PAGE_SHIFT, order);
	spin_unlock_irqrestore(&frame_lock, irq);
	if (!r)
		panic("frame_free: 0x%llx, order %u is not an allocated block",
		      (unsigned long long)addr.v, order);
}

/** State of any address; INSIDE when it is not a frame of ours. */
static uint8_t state_at(hpa_t addr)
{
	struct region *r = find_region(addr.v >> PAGE_SHIFT);

	if (!r || !IS_ALIGNED(addr.v, PAGE_SIZE))
		return INSIDE;
	return __atomic_load_n(state_of(r, addr.v >> PAGE_SHIFT), __ATOMIC_RELAXED);
}

int frame_order(hpa_t addr)
{
	uint8_t state = state_at(addr);

	return state & USED ? state & ORDER_MASK : -ENOENT;
}

void frame_set_slab(hpa_t addr, bool slab)
{
	irqflags_t irq = spin_lock_irqsave(&frame_lock);
	uint64_t frame = addr.v >> PAGE_SHIFT;
	uint8_t *state = state_of(find_region(frame), frame);

	*state = slab ? *state | SLAB : *state & ~SLAB;
	spin_unlock_irqrestore(&frame_lock, irq);
}

bool frame_is_slab(hpa_t addr)
{
	return state_at(addr) & SLAB;
}

uint64_t frame_free_count(void)
{
	return __atomic_load_n(&n_free, __ATOMIC_RELAXED);
}

uint64_t frame_total_count(void)
{
	return __atomic_load_n(&n_total, __ATOMIC_RELAXED);
}

void page_zero(void *page, uint64_t n)
{
	arch_page_zero(page, n);
}
