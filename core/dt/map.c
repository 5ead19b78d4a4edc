/* A window to a device's registers, where its node says they are. */
#include <caisson/dt.h>

#include <errno.h>

#include <caisson/kspace.h>

/** Physical addresses have at most so many bits (Sv39 page table entries). */
#define PHYSICAL_BITS 56

int dt_map(const void *fdt, int node, unsigned n, uint64_t least, volatile char **regs, uint64_t *size)
{
	uint64_t base;
	int error = dt_reg(fdt, node, n, &base, size);

	if (error)
		return error;
	if (*size < least || base >> PHYSICAL_BITS || *size >> PHYSICAL_BITS || (base + *size) >> PHYSICAL_BITS)
		return -EINVAL;
	*regs = io_map(HPA(base), *size);
	return *regs ? 0 : -ENOMEM;
}
