/* Memory that processes share without a file: pages from the first touch until nobody maps them any more. */
#include <errno.h>
#include <stdio.h>

#include <caisson/mm.h>
#include <caisson/page_set.h>

#include "mm.h"

struct shared_memory {
	struct page_source source;
	struct mutex lock;        /* of the pages: whoever maps them has locks of their own */
	uint64_t size;
	struct page_set pages;
};

static int new_page(struct shared_memory *m, uint64_t offset, hpa_t *out)
{
	int error = frame_alloc(0, FRAME_ZERO, out);

	if (error)
		return error;
	if (page_set_add(&m->pages, offset, *out))
		return 0;
	frame_put(*out);
	return -ENOMEM;
}

static int shared_page(struct page_source *s, uint64_t offset, hpa_t *out)
{
	struct shared_memory *m = container_of(s, struct shared_memory, source);
	struct page_slot *slot;
	int error = 0;

	if (offset >= m->size)
		return -ENXIO;
	mutex_lock(&m->lock);
	slot = page_set_find(&m->pages, offset);
	if (slot)
		*out = slot->frame;
	else
		error = new_page(m, offset, out);
	if (!error)
		frame_get(*out);
	mutex_unlock(&m->lock);
	return error;
}

static void shared_release(struct page_source *s)
{
	struct shared_memory *m = container_of(s, struct shared_memory, source);

	if (!page_source_drop(s))
		return;
	page_set_cut(&m->pages, 0);
	kfree(m);
}

static int shared_name(const struct page_source *s, char *to, size_t size)
{
	(void)s;
	return snprintf(to, size, "/dev/zero (deleted)");
}

static const struct page_source_ops shared_ops = { .page = shared_page, .release = shared_release, .name = shared_name };

struct page_source *shared_memory_new(uint64_t size)
{
	struct shared_memory *m = kzalloc(sizeof(*m));

	if (!m)
		return NULL;
	mutex_init(&m->lock);
	m->source = (struct page_source){ &shared_ops, 1 };
	m->size = ALIGN_UP(size, PAGE_SIZE);
	return &m->source;
}
