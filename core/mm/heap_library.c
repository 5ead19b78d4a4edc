/*
 * The heap on a library: picolibc's malloc. It asks for memory by sbrk, which hands
 * out blocks of frames piece by piece and takes nothing back: what is freed stays
 * with the library. A second free of an object is not noticed here.
 */
#include "heap_backend.h"

#include <caisson/mm.h>
#include <caisson/spinlock.h>

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ALIGNMENT 16
#define BLOCK_BYTES (CONFIG_HEAP_LIBRARY_BLOCK_KIB * KiB)

/* The library knows of one thread only; guards all that it and we have. Lock order: this, then the frames'. */
static spinlock_t lock = SPINLOCK_INIT;
static char *block, *block_end; /* what is left of the last block of frames */
static size_t in_use;

static bool new_block(size_t size)
{
	unsigned order = 0;
	hpa_t frames;

	while (order <= FRAME_MAX_ORDER && PAGE_SIZE << order < MAX(size, BLOCK_BYTES))
		order++;
	if (frame_alloc(order, 0, &frames))
		return false;
	block = hpa_to_kva(frames);
	block_end = block + (PAGE_SIZE << order);
	return true;
}

/* Called by malloc. The library takes it as it comes when a new block does not go on where the last one ended. */
void *sbrk(ptrdiff_t size)
{
	void *p;

	if (size < 0 || (size > block_end - block && !new_block((size_t)size))) {
		errno = ENOMEM;
		return (void *)-1;
	}
	p = block;
	block += size;
	return p;
}

void *heap_backend_alloc(size_t size, bool zero)
{
	irqflags_t irq;
	void *p;

	if (size > PAGE_SIZE << FRAME_MAX_ORDER) /* the library adds to it, and that must not overflow */
		return NULL;
	irq = spin_lock_irqsave(&lock);
	p = memalign(ALIGNMENT, size);
	if (p)
		in_use += malloc_usable_size(p);
	spin_unlock_irqrestore(&lock, irq);
	if (p && zero)
		memset(p, 0, size);
	return p;
}

bool heap_backend_free(void *p)
{
	irqflags_t irq = spin_lock_irqsave(&lock);

	in_use -= malloc_usable_size(p);
	free(p);
	spin_unlock_irqrestore(&lock, irq);
	return true;
}

size_t heap_backend_in_use(void)
{
	return __atomic_load_n(&in_use, __ATOMIC_RELAXED);
}

void heap_backend_trim(void)
{
}
