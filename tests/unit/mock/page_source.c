/* Sources of pages, for tests without address spaces. */
#include <caisson/aspace.h>

static void (*on_cut)(struct page_source *s, uint64_t from);

void page_source_get(struct page_source *s)
{
	s->refs++;
}

bool page_source_drop(struct page_source *s)
{
	return --s->refs == 0;
}

void page_source_put(struct page_source *s)
{
	if (s && s->refs > 1)
		s->refs--;
	else if (s)
		s->ops->release(s);
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
