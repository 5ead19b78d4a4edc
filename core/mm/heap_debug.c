/*
 * The kernel heap of a debug build, above either algorithm.
 *
 * Before each object stands a header, around it a red zone. A freed object is filled
 * with a pattern and held back for a while; at every allocation and before its memory is used again the
 * pattern must still be there. All objects that are handed out stand in a list, oldest
 * first: what main() has left behind is told at exit.
 */
#include <caisson/fail.h>
#include <caisson/list.h>
#include <caisson/log.h>
#include <caisson/mm.h>
#include <caisson/spinlock.h>

#include <string.h>

#include "heap_backend.h"

#define LOG_NAME "heap"
#define ZONE 16              /* bytes of red zone behind an object */
#define ZONE_BYTE 0xbd
#define FRESH_BYTE 0xa5      /* what kalloc's memory holds */
#define FREED_BYTE 0x6b
#define LIVE UINT64_C(0x6c69766520636865)
#define FREED UINT64_C(0x6672656564206365)
#define HELD_MAX 16          /* freed objects that are held back */
#define HELD_SIZE 2048       /* ... none larger than this */
#define LEAK_LINES 20

struct object {
	struct list node;        /* in live or held */
	size_t size;
	uint64_t serial;
	const void *allocated;   /* return addresses */
	const void *freed;
	uint64_t kind;           /* LIVE or FREED, mixed with the address */
	uint64_t zone;           /* next to the object: its front red zone, ZONE_BYTE all through */
};

_Static_assert(sizeof(struct object) % 16 == 0, "objects are 16-byte aligned");

/* Guards all below and the headers. Never held while the algorithm below us is called. */
static spinlock_t lock = SPINLOCK_INIT;
static struct list live = LIST_INIT(live), held = LIST_INIT(held);
static unsigned n_held;
static uint64_t serial, leak_mark;
static size_t in_use;

static uint64_t kind_of(const struct object *o, uint64_t kind)
{
	return kind ^ (uintptr_t)o;
}

static char *bytes_of(struct object *o)
{
	return (char *)(o + 1);
}

/** The first byte in [p, p + n) that is not `byte`, or NULL. */
static const char *first_other(const char *p, size_t n, char byte)
{
	const uint64_t word = UINT64_C(0x0101010101010101) * (unsigned char)byte;

	while (n >= sizeof(word) && IS_ALIGNED((uintptr_t)p, sizeof(word)) && *(const uint64_t *)p == word) {
		p += sizeof(word);
		n -= sizeof(word);
	}
	for (; n > 0; n--, p++)
		if (*p != byte)
			return p;
	return NULL;
}

static void complain(const char *what, struct object *o, const void *at, const void *caller) __noreturn;

static void complain(const char *what, struct object *o, const void *at, const void *caller)
{
	panic("heap: %s: at %p, object %p, %lu bytes, allocated by %p, freed by %p; noticed for %p", what, at,
	      (void *)bytes_of(o), (unsigned long)o->size, o->allocated, o->freed, caller);
}

/* --- checks; the lock is held --- */

static void check_zones(struct object *o, const void *caller)
{
	const char *before = first_other((const char *)&o->zone, sizeof(o->zone), (char)ZONE_BYTE);
	const char *behind = first_other(bytes_of(o) + o->size, ZONE, (char)ZONE_BYTE);

	if (before)
		complain("written before the start", o, before, caller);
	if (behind)
		complain("written beyond the end", o, behind, caller);
}

static void check_live(struct object *o, const void *caller)
{
	if (o->kind == kind_of(o, FREED))
		complain("freed twice", o, bytes_of(o), caller);
	if (o->kind != kind_of(o, LIVE))
		panic("heap: kfree: %p is not allocated; freed by %p", (void *)bytes_of(o), caller);
	check_zones(o, caller);
}

static void check_held(struct object *o, const void *caller)
{
	const char *bad = first_other(bytes_of(o), o->size, FREED_BYTE);

	if (bad || o->kind != kind_of(o, FREED))
		complain("used after it was freed", o, bad ? bad : (const char *)&o->kind, caller);
	check_zones(o, caller);
}

static void check_all_held(const void *caller)
{
	list_for_each(o, &held, struct object, node) {
		check_held(o, caller);
	}
}

/* --- freed objects that are held back --- */

/** Take the oldest out if there are more than `keep`. Lock held. */
static struct object *next_to_go(unsigned keep)
{
	struct object *o;

	if (n_held <= keep)
		return NULL;
	o = list_first(&held, struct object, node);
	list_del(&o->node);
	n_held--;
	return o;
}

static void give_to_backend(struct object *o)
{
	if (!heap_backend_free(o))
		panic("heap: %p is not an object of the heap", (void *)bytes_of(o));
}

/** @return was there anything to let go? */
static bool let_all_go(const void *caller)
{
	bool any = false;

	for (;;) {
		irqflags_t irq = spin_lock_irqsave(&lock);
		struct object *o;

		check_all_held(caller);
		o = next_to_go(0);
		spin_unlock_irqrestore(&lock, irq);
		if (!o)
			return any;
		give_to_backend(o);
		any = true;
	}
}

/* --- allocating --- */

static void enter(struct object *o, size_t size, const void *caller)
{
	irqflags_t irq = spin_lock_irqsave(&lock);

	check_all_held(caller);
	*o = (struct object){ .size = size, .allocated = caller, .serial = ++serial };
	o->kind = kind_of(o, LIVE);
	memset(&o->zone, ZONE_BYTE, sizeof(o->zone));
	list_push_back(&live, &o->node);
	in_use += size;
	spin_unlock_irqrestore(&lock, irq);
}

static void *allocate(size_t size, char fill, const void *caller)
{
	size_t whole = size + sizeof(struct object) + ZONE;
	struct object *o;

	if (alloc_fails() || whole < size)
		return NULL;
	o = heap_backend_alloc(whole, false);
	if (!o && let_all_go(caller))
		o = heap_backend_alloc(whole, false);
	if (!o)
		return NULL;
	memset(bytes_of(o), fill, size);
	memset(bytes_of(o) + size, ZONE_BYTE, ZONE);
	enter(o, size, caller);
	return bytes_of(o);
}

void *kalloc(size_t size)
{
	return allocate(size, (char)FRESH_BYTE, __builtin_return_address(0));
}

void *kzalloc(size_t size)
{
	return allocate(size, 0, __builtin_return_address(0));
}

/* --- freeing --- */

/** Lock held. @return the object to give back now, or NULL. */
static struct object *leave(struct object *o, const void *caller)
{
	check_live(o, caller);
	o->freed = caller;
	o->kind = kind_of(o, FREED);
	in_use -= o->size;
	list_del(&o->node);
	if (o->size > HELD_SIZE)
		return o;
	memset(bytes_of(o), FREED_BYTE, o->size);
	list_push_back(&held, &o->node);
	n_held++;
	check_held(list_first(&held, struct object, node), caller);
	return next_to_go(HELD_MAX);
}

void kfree(void *p)
{
	struct object *o;
	irqflags_t irq;

	if (!p)
		return;
	if (!IS_ALIGNED((uintptr_t)p, 16))
		panic("heap: kfree: %p is not allocated; freed by %p", p, __builtin_return_address(0));
	irq = spin_lock_irqsave(&lock);
	o = leave((struct object *)p - 1, __builtin_return_address(0));
	spin_unlock_irqrestore(&lock, irq);
	if (o)
		give_to_backend(o);
}

size_t heap_in_use(void)
{
	return __atomic_load_n(&in_use, __ATOMIC_RELAXED);
}

void heap_trim(void)
{
	let_all_go(__builtin_return_address(0));
	heap_backend_trim();
}

/* --- leaks --- */

struct leak {
	const void *allocated;
	unsigned long objects, bytes;
};

/** The line of a caller; the last one is for all that have found no room. */
static struct leak *line_of(struct leak *lines, const void *allocated)
{
	unsigned i = 0;

	while (i < LEAK_LINES - 1 && lines[i].allocated && lines[i].allocated != allocated)
		i++;
	return &lines[i];
}

static void count_leaks(struct leak *lines, struct leak *sum)
{
	irqflags_t irq = spin_lock_irqsave(&lock);

	list_for_each(o, &live, struct object, node) {
		struct leak *line;

		if (o->serial <= leak_mark)
			continue;
		line = line_of(lines, o->allocated);
		if (line != &lines[LEAK_LINES - 1])
			line->allocated = o->allocated;
		line->objects++;
		line->bytes += o->size;
		sum->objects++;
		sum->bytes += o->size;
	}
	spin_unlock_irqrestore(&lock, irq);
}

void heap_leak_mark(void)
{
	irqflags_t irq = spin_lock_irqsave(&lock);

	leak_mark = serial;
	spin_unlock_irqrestore(&lock, irq);
}

void heap_leak_report(void)
{
	struct leak lines[LEAK_LINES] = { 0 }, sum = { 0 };

	count_leaks(lines, &sum);
	if (sum.objects == 0) {
		log_info("no leaks");
		return;
	}
	for (unsigned i = 0; i < LEAK_LINES && lines[i].objects; i++)
		log_warn("leak: %lu objects, %lu bytes, allocated by %p%s", lines[i].objects, lines[i].bytes,
			 lines[i].allocated, lines[i].allocated ? "" : " (others)");
	log_warn("leaks: %lu objects, %lu bytes", sum.objects, sum.bytes);
}
