/* The kernel heap: the interface, straight to the algorithm that was chosen. */
#include <caisson/fail.h>
#include <caisson/log.h>
#include <caisson/mm.h>

#include "heap_backend.h"

void *kalloc(size_t size)
{
	return alloc_fails() ? NULL : heap_backend_alloc(size, false);
}

void *kzalloc(size_t size)
{
	return alloc_fails() ? NULL : heap_backend_alloc(size, true);
}

void kfree(void *p)
{
	if (p && !heap_backend_free(p))
		panic("kfree: %p is not allocated; freed by %p", p, __builtin_return_address(0));
}

size_t heap_in_use(void)
{
	return heap_backend_in_use();
}

void heap_trim(void)
{
	heap_backend_trim();
}
