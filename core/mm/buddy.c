/*
 * The lists of free frames: a binary buddy over every range of RAM that it was given.
 *
 * Each range pays for its own bookkeeping, one byte per frame, out of its first
 * frames. Free blocks are linked through their own first bytes, in one list per
 * order for all ranges together; a bit per order says which lists have a block.
 */
#include "buddy.h"

#include <caisson/log.h>

#include <errno.h>

#include "frame_debug.h"

#define LOG_NAME "mm"
#define MAX_REGIONS 64
#define ORDERS (FRAME_MAX_ORDER + 1)

spinlock_t buddy_lock = SPINLOCK_INIT;

static struct region regions[MAX_REGIONS];
static unsigned n_regions; /* grows at boot only */
static struct region none; /* holds no frame */
struct region *region_hint = &none;
static struct list free_blocks[ORDERS];
static uint64_t orders_free; /* bit n: free_blocks[n] is not empty */
static uint64_t n_free, n_total;

int regions_each(int (*fn)(struct region *r))
{
	int result = 0;

	for (unsigned i = 0; i < n_regions && result == 0; i++)
		result = fn(&regions[i]);
	return result;
}

struct region *region_find(uint64_t frame)
{
	for (unsigned i = 0; i < n_regions; i++)
		if (frame >= regions[i].first && frame < regions[i].end) {
			__atomic_store_n(&region_hint, &regions[i], __ATOMIC_RELAXED);
			return &regions[i];
		}
	return NULL;
}

static struct list *node_of(uint64_t frame)
{
	return hpa_to_kva(HPA(frame << PAGE_SHIFT));
}

static void push_free(struct region *r, uint64_t frame, unsigned order)
{
	list_push_front(&free_blocks[order], node_of(frame));
	state_set(r, frame, (uint8_t)(FREE | order));
	orders_free |= BIT(order);
}

static void take_free(struct region *r, uint64_t frame, unsigned order)
{
	frame_debug_check_links(node_of(frame), &free_blocks[order]);
	list_del(node_of(frame));
	state_set(r, frame, INSIDE);
	if (list_empty(&free_blocks[order]))
		orders_free &= ~BIT(order);
}

/** Can `buddy` join its neighbour to a block of the next order? It may lie outside the region. */
static bool buddy_is_free(struct region *r, uint64_t buddy, unsigned order)
{
	return buddy >= r->first && buddy < r->end && state_get(r, buddy) == (FREE | order);
}

/** Changes go through here: some look without the lock. */
static void set_n_free(uint64_t n)
{
	__atomic_store_n(&n_free, n, __ATOMIC_RELAXED);
}

void buddy_give(struct region *r, uint64_t frame, unsigned order)
{
	set_n_free(n_free + BIT(order));
	state_set(r, frame, INSIDE);
	while (order < FRAME_MAX_ORDER && buddy_is_free(r, frame ^ BIT(order), order)) {
		take_free(r, frame ^ BIT(order), order);
		frame &= ~BIT(order);
		order++;
	}
	push_free(r, frame, order);
}

int buddy_take(unsigned order, uint64_t *out)
{
	uint64_t candidates = orders_free & ~(BIT(order) - 1);
	unsigned have;
	uint64_t frame;
	struct region *r;

	if (candidates == 0)
		return -ENOMEM;
	/* The smallest block that is large enough; what it is too large by goes back. */
	have = __builtin_ctzll(candidates);
	frame = kva_to_hpa(free_blocks[have].next).v >> PAGE_SHIFT;
	r = region_of(frame);
	take_free(r, frame, have);
	while (have > order) {
		have--;
		push_free(r, frame + BIT(have), have);
	}
	set_n_free(n_free - BIT(order));
	*out = frame;
	return 0;
}

int buddy_take_up_to(unsigned max_order, uint64_t *frame)
{
	unsigned order;

	if (orders_free == 0)
		return -ENOMEM;
	order = MIN((unsigned)__builtin_ctzll(orders_free), max_order);
	return buddy_take(order, frame) ? -ENOMEM : (int)order;
}

uint64_t buddy_free_frames(void)
{
	return __atomic_load_n(&n_free, __ATOMIC_RELAXED);
}

uint64_t frame_total_count(void)
{
	return __atomic_load_n(&n_total, __ATOMIC_RELAXED);
}

/* --- ranges of RAM --- */

/** Free the whole of a new region in the largest aligned blocks. */
static void give_all(struct region *r)
{
	uint64_t frame = r->first;

	while (frame < r->end) {
		unsigned order = FRAME_MAX_ORDER;

		while (!IS_ALIGNED(frame, BIT(order)) || BIT(order) > r->end - frame)
			order--;
		buddy_give(r, frame, order);
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

/** Why a range cannot be used, or NULL. */
static const char *refusal(uint64_t first, uint64_t end)
{
	if (n_regions == MAX_REGIONS)
		return "too many ranges";
	if (end - 1 > UINT32_MAX) /* the caches keep numbers of 32 bits */
		return "address too high";
	return overlaps_region(first, end) ? "given twice" : NULL;
}

static void init_lists(void)
{
	for (unsigned order = 0; order < ORDERS; order++)
		list_init(&free_blocks[order]);
}

static void add_region(uint64_t first, uint64_t end)
{
	/* A state (and a note) for each frame that is left over. */
	const uint64_t each = 1 + FRAME_NOTE_BYTES;
	uint64_t own = ((end - first) * each + PAGE_SIZE + each - 1) / (PAGE_SIZE + each);
	struct region *r = &regions[n_regions];
	void *bookkeeping = hpa_to_kva(HPA(first << PAGE_SHIFT));

	if (own >= end - first)
		return;
	r->first = first + own;
	r->end = end;
	page_zero(bookkeeping, own << PAGE_SHIFT); /* all INSIDE, which is 0 */
	r->state = frame_debug_place_notes(r, bookkeeping);
	n_regions++;
	n_total += r->end - r->first;
	give_all(r);
}

void frame_add(hpa_t start, uint64_t size)
{
	uint64_t first = (start.v + PAGE_SIZE - 1) >> PAGE_SHIFT;
	uint64_t end = (start.v + size) >> PAGE_SHIFT;
	const char *why = refusal(first, end);
	irqflags_t flags;

	if (start.v + size < start.v || end <= first)
		return;
	if (why) {
		log_warn("RAM at 0x%lx not used: %s", (unsigned long)start.v, why);
		return;
	}
	flags = spin_lock_irqsave(&buddy_lock);
	if (n_regions == 0)
		init_lists();
	add_region(first, end);
	spin_unlock_irqrestore(&buddy_lock, flags);
}
