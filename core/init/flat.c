/*
 * The kernel without address spaces of its own: it stays on the boot page table,
 * where everything is mapped and nothing protected (caisson/kspace.h, the part
 * that needs no areas). Stacks have no guard page.
 */
#include <caisson/kspace.h>

#include <arch/layout.h>
#include <caisson/log.h>
#include <caisson/mm.h>

#define STACK_SLOT_ORDER (BOOT_STACK_SHIFT + 1 - PAGE_SHIFT) /* a stack is the upper half of its slot: see kspace.c */

void *io_map(hpa_t pa, uint64_t size)
{
	if (pa.v >= LINEAR_SIZE || size > LINEAR_SIZE - pa.v)
		return NULL;
	return hpa_to_kva(pa);
}

void *kstack_alloc(size_t size)
{
	hpa_t slot;

	ASSERT(size == BOOT_STACK_SIZE);
	if (frame_alloc(STACK_SLOT_ORDER, 0, &slot))
		return NULL;
	return (char *)hpa_to_kva(slot) + BOOT_STACK_SIZE;
}

void kstack_free(void *base, size_t size)
{
	(void)size;
	if (base)
		frame_free(kva_to_hpa((char *)base - BOOT_STACK_SIZE), STACK_SLOT_ORDER);
}
