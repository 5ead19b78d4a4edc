/*
 * The heap's own backend: slabs.
 *
 * Small objects come from slabs: blocks of SLAB_SIZE, aligned to it, with a header
 * and then objects of one size class. A bit per object says whether it is free, so
 * a second kfree is noticed. Larger ones are blocks of the frame allocator, which
 * knows their order; they need no header and stay aligned to pages. The frame
 * allocator also remembers which blocks are slabs: what stands in a block (it may be
 * a guest's data) never decides how it is freed.
 */
#include "frame.h"
#include "heap_backend.h"

#include <caisson/list.h>
#include <caisson/spinlock.h>

#include <string.h>

#define SLAB_ORDER 2
#define SLAB_SIZE (PAGE_SIZE << SLAB_ORDER)
#define SMALLEST 16
#define LARGEST 2048
#define MAP_WORDS (SLAB_SIZE / SMALLEST / 64)

/** Object sizes, two per power of two where that keeps them multiples of 16. */
static const uint16_t sizes[] = {
	16, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, LARGEST,
};

struct slab {
	uint16_t class;
	uint16_t used;              /* objects handed out */
	struct list node;           /* in class.slabs unless full */
	uint64_t free[MAP_WORDS];   /* bit per object: 1 is free */
} ALIGNED_TO(16);

/** One size. `slabs`: those with room, the empty one last. Lock order: this, then the frames'. */
struct class {
	spinlock_t lock;
	bool has_empty;             /* an empty slab is kept, one at most */
	struct list slabs;
};

static struct class classes[ARRAY_SIZE(sizes)];
static uint64_t in_use; /* atomic */

static unsigned class_of(size_t size)
{
	unsigned c = 0;

	while (sizes[c] < size)
		c++;
	return c;
}

static unsigned objects_per_slab(unsigned c)
{
	return (SLAB_SIZE - sizeof(struct slab)) / sizes[c];
}

static void count_use(int64_t bytes)
{
	__atomic_fetch_add(&in_use, (uint64_t)bytes, __ATOMIC_RELAXED);
}

/* --- slabs; the class's lock is held --- */

static struct slab *slab_new(unsigned c)
{
	unsigned n = objects_per_slab(c);
	struct slab *s;
	hpa_t frame;

	if (frame_alloc(SLAB_ORDER, 0, &frame))
		return NULL;
	s = hpa_to_kva(frame);
	memset(s, 0, sizeof(*s));
	frame_set_slab(frame, true);
	s->class = (uint16_t)c;
	for (unsigned i = 0; i < n; i++)
		s->free[i / 64] |= BIT(i % 64);
	list_push_back(&classes[c].slabs, &s->node);
	return s;
}

/** A slab with room: a used one if there is one, so that empty ones stay empty. */
static struct slab *slab_with_room(unsigned c)
{
	struct class *class = &classes[c];
	struct slab *s;

	if (!class->slabs.next)
		list_init(&class->slabs);
	if (list_empty(&class->slabs))
		return slab_new(c);
	s = list_first(&class->slabs, struct slab, node);
	if (s->used == 0)
		class->has_empty = false;
	return s;
}

static void *slab_take(struct slab *s)
{
	unsigned word = 0, bit;

	while (s->free[word] == 0)
		word++;
	bit = __builtin_ctzll(s->free[word]);
	s->free[word] &= ~BIT(bit);
	if (++s->used == objects_per_slab(s->class))
		list_del(&s->node);
	return (char *)(s + 1) + (size_t)(64 * word + bit) * sizes[s->class];
}

/** Number of the object at p, or -1 when it is not one that is handed out. */
static int slab_index(const struct slab *s, const void *p)
{
	size_t off = (size_t)((const char *)p - (const char *)(s + 1));
	unsigned i = off / sizes[s->class];

	if ((const char *)p < (const char *)(s + 1) || off % sizes[s->class] ||
	    i >= objects_per_slab(s->class) || (s->free[i / 64] & BIT(i % 64)))
		return -1;
	return (int)i;
}

static void slab_release(struct slab *s)
{
	hpa_t frame = kva_to_hpa(s);

	list_del(&s->node);
	frame_set_slab(frame, false);
	frame_free(frame, SLAB_ORDER);
}

/** A slab became empty: keep it if there is no other, behind those in use. */
static void slab_emptied(struct class *class, struct slab *s)
{
	if (class->has_empty) {
		slab_release(s);
		return;
	}
	class->has_empty = true;
	list_del(&s->node);
	list_push_back(&class->slabs, &s->node);
}

static void slab_put(struct class *class, struct slab *s, unsigned i)
{
	if (s->used == objects_per_slab(s->class))
		list_push_front(&class->slabs, &s->node);
	s->free[i / 64] |= BIT(i % 64);
	if (--s->used == 0)
		slab_emptied(class, s);
}

static void *small_alloc(unsigned c)
{
	irqflags_t irq = spin_lock_irqsave(&classes[c].lock);
	struct slab *s = slab_with_room(c);
	void *p = s ? slab_take(s) : NULL;

	spin_unlock_irqrestore(&classes[c].lock, irq);
	if (p)
		count_use(sizes[c]);
	return p;
}

/** @return false when p is not a small object that is handed out. */
static bool small_free(void *p)
{
	struct slab *s = (struct slab *)ALIGN_DOWN((uintptr_t)p, SLAB_SIZE);
	struct class *class;
	irqflags_t irq;
	unsigned c;
	int i;

	if (!frame_is_slab(kva_to_hpa(s)))
		return false;
	c = s->class;
	class = &classes[c];
	irq = spin_lock_irqsave(&class->lock);
	i = slab_index(s, p);
	if (i >= 0)
		slab_put(class, s, (unsigned)i);
	spin_unlock_irqrestore(&class->lock, irq);
	if (i >= 0)
		count_use(-(int64_t)sizes[c]);
	return i >= 0;
}

/* --- whole blocks --- */

static void *large_alloc(size_t size, unsigned flags)
{
	unsigned order = 0;
	hpa_t frame;

	while (order <= FRAME_MAX_ORDER && PAGE_SIZE << order < size)
		order++;
	if (frame_alloc(order, flags, &frame))
		return NULL;
	count_use(PAGE_SIZE << order);
	return hpa_to_kva(frame);
}

/** @return false when no block starts at p. A slab's start is not an object. */
static bool large_free(void *p)
{
	hpa_t frame = kva_to_hpa(p);
	int order = frame_order(frame);

	if (order < 0 || frame_is_slab(frame))
		return false;
	frame_free(frame, (unsigned)order);
	count_use(-(int64_t)(PAGE_SIZE << order));
	return true;
}

/* --- the interface --- */

void *heap_backend_alloc(size_t size, bool zero)
{
	void *p;

	if (size > LARGEST)
		return large_alloc(size, zero ? FRAME_ZERO : 0);
	p = small_alloc(class_of(size));
	if (p && zero)
		memset(p, 0, size);
	return p;
}

bool heap_backend_free(void *p)
{
	return small_free(p) || large_free(p);
}

size_t heap_backend_in_use(void)
{
	return __atomic_load_n(&in_use, __ATOMIC_RELAXED);
}

static void trim_class(struct class *class)
{
	irqflags_t irq = spin_lock_irqsave(&class->lock);

	if (class->has_empty) {
		class->has_empty = false;
		slab_release(list_entry(class->slabs.prev, struct slab, node));
	}
	spin_unlock_irqrestore(&class->lock, irq);
}

void heap_backend_trim(void)
{
	for (unsigned c = 0; c < ARRAY_SIZE(classes); c++)
		trim_class(&classes[c]);
}
