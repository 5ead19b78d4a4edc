/* Between the files of core/dt: what the index knows beyond <caisson/dt.h>. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/** Properties of one cell that are asked for more often than all others together. */
enum dt_noted { DT_PHANDLE, DT_ADDRESS_CELLS, DT_SIZE_CELLS, DT_NOTED };

/**
 * The value of such a property. Any context.
 * @return false: the index does not know; the property may be there all the same (dt_prop())
 */
bool dt_noted(const void *fdt, int node, enum dt_noted which, uint32_t *value);
