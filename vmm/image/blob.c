/* Checking device-tree blobs from outside before libfdt works on them. */
#include "blob.h"

#include <libfdt.h>

/** Devicetree Specification, "Alignment". libfdt reads numbers where they stand unasked. */
static bool parts_are_aligned(const void *fdt)
{
	return IS_ALIGNED(fdt_off_mem_rsvmap(fdt), 8) && IS_ALIGNED(fdt_off_dt_struct(fdt), 4);
}

int blob_check(const void *fdt, uint64_t size)
{
	int err;

	if (size < sizeof(struct fdt_header))
		return -FDT_ERR_TRUNCATED;
	err = fdt_check_header(fdt);
	if (err)
		return err;
	if (!parts_are_aligned(fdt))
		return -FDT_ERR_ALIGNMENT;
	return fdt_check_full(fdt, size);
}
