/*
 * Where the devices of the machine's device tree are on the bus of the harts, and
 * where their interrupts go. Nothing here trusts the blob: any property may be
 * missing, have a wrong size, or point at itself.
 */
#include <caisson/dt.h>

#include <errno.h>

#include "index.h"

/** Cells of one interrupt at most: 1 for a PLIC, 2 for an APLIC. */
#define INTERRUPT_CELLS_MAX 4

/* n big-endian cells (at most 2) as one number. */
static uint64_t read_cells(const fdt32_t *cell, int n)
{
	uint64_t value = 0;

	for (int i = 0; i < n; i++)
		value = value << 32 | fdt32_ld(cell + i);
	return value;
}

/* This node must have the same cells as the root, and means them where it has none. */
static bool is_reserved_memory(const void *fdt, int node)
{
	return fdt == dt_blob() && node > 0 && node == dt_path("/reserved-memory");
}

static int checked_cells(uint32_t cells)
{
	return cells <= 2 ? (int)cells : -EINVAL;
}

/* How many cells a bus says its children's addresses or sizes have, or -EINVAL. */
static int bus_cells(const void *fdt, int bus, enum dt_noted which, const char *name, int absent)
{
	const fdt32_t *cells;
	uint32_t noted;
	int len;

	if (dt_noted(fdt, bus, which, &noted))
		return checked_cells(noted);
	cells = dt_prop(fdt, bus, name, &len);
	if (!cells && is_reserved_memory(fdt, bus))
		cells = dt_prop(fdt, 0, name, &len);
	if (!cells)
		return absent;
	return len == sizeof(*cells) ? checked_cells(fdt32_ld(cells)) : -EINVAL;
}

static int address_cells(const void *fdt, int bus)
{
	return bus < 0 ? -EINVAL : bus_cells(fdt, bus, DT_ADDRESS_CELLS, "#address-cells", 2);
}

static int size_cells(const void *fdt, int bus)
{
	return bus < 0 ? -EINVAL : bus_cells(fdt, bus, DT_SIZE_CELLS, "#size-cells", 1);
}

int dt_reg_on_bus(const void *fdt, int node, unsigned n, uint64_t *addr, uint64_t *size)
{
	int parent = dt_parent(fdt, node);
	int addr_cells = address_cells(fdt, parent), len_cells = size_cells(fdt, parent);
	const fdt32_t *reg;
	uint64_t at;
	int len;

	reg = dt_prop(fdt, node, "reg", &len);
	if (!reg)
		return -ENOENT;
	if (addr_cells < 1 || len_cells < 0)
		return -EINVAL;
	at = (uint64_t)n * (unsigned)(addr_cells + len_cells);
	if ((at + (unsigned)(addr_cells + len_cells)) * sizeof(*reg) > (unsigned)len)
		return -ENOENT;
	*addr = read_cells(reg + at, addr_cells);
	*size = read_cells(reg + at + addr_cells, len_cells);
	return 0;
}

/* From a bus's own addresses to those of the bus it hangs on, by its ranges. @return 0 or -EINVAL. */
static int translate(const void *fdt, int bus, uint64_t *addr, uint64_t size)
{
	int child = address_cells(fdt, bus), above = address_cells(fdt, dt_parent(fdt, bus));
	int length = size_cells(fdt, bus), len;
	const fdt32_t *entry = dt_prop(fdt, bus, "ranges", &len);
	int n = child + above + length;

	if (!entry || len == 0)
		return 0;
	if (child < 1 || above < 1 || length < 0 || (unsigned)len % (sizeof(*entry) * (unsigned)n))
		return -EINVAL;
	for (const fdt32_t *end = entry + (unsigned)len / sizeof(*entry); entry < end; entry += n) {
		uint64_t offset = *addr - read_cells(entry, child);
		uint64_t room = read_cells(entry + child + above, length);

		if (offset < room && size <= room - offset) {
			*addr = read_cells(entry + child, above) + offset;
			return 0;
		}
	}
	return -EINVAL;
}

int dt_reg(const void *fdt, int node, unsigned n, uint64_t *addr, uint64_t *size)
{
	int error = dt_reg_on_bus(fdt, node, n, addr, size);

	for (int bus = dt_parent(fdt, node); bus > 0 && !error; bus = dt_parent(fdt, bus))
		error = translate(fdt, bus, addr, *size);
	return error;
}

/* --- interrupts --- */

/* How many cells an interrupt of this controller has, or -EINVAL: no such controller, or it is none. */
static int interrupt_cells(const void *fdt, uint32_t controller)
{
	int node = dt_by_phandle(fdt, controller);
	uint32_t cells;
	int len;

	if (node < 0 || !dt_prop(fdt, node, "interrupt-controller", &len) ||
	    dt_u32(fdt, node, "#interrupt-cells", 0, &cells) || cells == 0 || cells > INTERRUPT_CELLS_MAX)
		return -EINVAL;
	return (int)cells;
}

/* The node's interrupt-parent or, as it is inherited, that of the nearest node above that has one. */
static int interrupt_parent(const void *fdt, int node, uint32_t *phandle)
{
	for (; node >= 0; node = dt_parent(fdt, node))
		if (dt_u32(fdt, node, "interrupt-parent", 0, phandle) == 0)
			return 0;
	return -EINVAL;
}

/* interrupts-extended: each entry begins with its controller, which says how long it is. */
static int extended(const void *fdt, int node, unsigned n, uint32_t *controller, uint32_t *source)
{
	unsigned at = 0;

	for (unsigned i = 0;; i++) {
		int cells;

		if (dt_u32(fdt, node, "interrupts-extended", at, controller))
			return -ENOENT;
		cells = interrupt_cells(fdt, *controller);
		if (cells < 0 || dt_u32(fdt, node, "interrupts-extended", at + (unsigned)cells, source))
			return -EINVAL;
		if (i == n)
			return dt_u32(fdt, node, "interrupts-extended", at + 1, source);
		at += 1 + (unsigned)cells;
	}
}

int dt_interrupt(const void *fdt, int node, unsigned n, uint32_t *controller, uint32_t *source)
{
	int len, cells;

	if (dt_prop(fdt, node, "interrupts-extended", &len))
		return extended(fdt, node, n, controller, source);
	if (!dt_prop(fdt, node, "interrupts", &len))
		return -ENOENT;
	if (interrupt_parent(fdt, node, controller))
		return -EINVAL;
	cells = interrupt_cells(fdt, *controller);
	if (cells < 0)
		return -EINVAL;
	if (((uint64_t)n + 1) * (unsigned)cells * sizeof(fdt32_t) > (unsigned)len)
		return -ENOENT;
	return dt_u32(fdt, node, "interrupts", n * (unsigned)cells, source);
}
