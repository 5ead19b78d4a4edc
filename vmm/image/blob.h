/* Device-tree blobs from outside. */
#pragma once

#include <caisson/types.h>

/**
 * Is it a device tree from end to end, so that libfdt may work on it?
 * @param fdt, size  any bytes at an address aligned to 8
 * @return 0 or a negative libfdt error
 */
int blob_check(const void *fdt, uint64_t size) __must_check;
