/* Sources of pages: who refers to them, and who is told when one becomes shorter. */
#include <caisson/aspace.h>

static void (*on_cut)(struct page_source *s, uint64_t from);

void page_source_get(struct page_source *s)
{
	if (s)
		__atomic_fetch_add(&s->refs, 1, __ATOMIC_RELAXED);
}

/* The last reference is the source's own to give up: somebody may find it at that moment (page_source_ops.release). */
void page_source_put(struct page_source *s)
{
	uint32_t refs = s ? __atomic_load_n(&s->refs, __ATOMIC_RELAXED) : 0;

	while (refs > 1)
		if (__atomic_compare_exchange_n(&s->refs, &refs, refs - 1, true, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
			return;
	if (refs)
		s->ops->release(s);
}

bool page_source_drop(struct page_source *s)
{
	return __atomic_fetch_sub(&s->refs, 1, __ATOMIC_ACQ_REL) == 1;
}

void page_source_on_cut(void (*fn)(struct page_source *s, uint64_t from))
{
	on_cut = fn;
}

void page_source_cut(struct page_source *s, uint64_t from)
{
	if (on_cut)
		on_cut(s, from);
}
