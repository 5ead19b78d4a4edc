/* Kernel pointers of physical addresses: the linear map of RAM, and the image's own mapping. */
#include <arch/layout.h>
#include <caisson/mm.h>

void *hpa_to_kva(hpa_t pa)
{
	return (void *)(uintptr_t)(LINEAR_BASE + pa.v);
}

hpa_t kva_to_hpa(const void *kva)
{
	uint64_t va = (uintptr_t)kva;

	return HPA(va - IMAGE_BASE < IMAGE_SIZE ? va - image_offset : va - LINEAR_BASE);
}

bool kva_has_hpa(const void *kva, size_t size)
{
	uint64_t va = (uintptr_t)kva, image = (uintptr_t)__image_start, end = (uintptr_t)__image_end;

	if (va >= image)
		return va <= end && size <= end - va;
	return va >= LINEAR_BASE && va - LINEAR_BASE <= LINEAR_SIZE && size <= LINEAR_SIZE - (va - LINEAR_BASE);
}
