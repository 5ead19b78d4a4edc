/* The kernel heap on the host's malloc. */
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <caisson/mm.h>
#include <mem.h>

static size_t in_use;

void *kalloc(size_t size)
{
	void *p;

	if (mock_alloc_fails())
		return NULL;
	p = malloc(size);
	if (p) {
		in_use += malloc_usable_size(p);
		memset(p, 0xa5, size);
	}
	return p;
}

void *kzalloc(size_t size)
{
	void *p = kalloc(size);

	if (p)
		memset(p, 0, size);
	return p;
}

void kfree(void *p)
{
	if (p)
		in_use -= malloc_usable_size(p);
	free(p);
}

size_t heap_in_use(void)
{
	return in_use;
}

void heap_trim(void)
{
}
