/*
 * What the virtual devices share: accesses that a bus would do in several
 * pieces, and device tree nodes.
 */
#include <vmm/vdev.h>
#include <inttypes.h>
#include <libfdt.h>
#include <stdio.h>

/** Bytes of the first naturally aligned piece of an access. */
static unsigned piece(uint64_t off, unsigned left, unsigned max)
{
	uint64_t bits = off | left | max;

	return (unsigned)(bits & -bits);
}

int vdev_split_read(const struct device_ops *ops, void *state, uint64_t off, unsigned size,
		    unsigned max, uint64_t *value)
{
	uint64_t all = 0;

	for (unsigned done = 0, n; done < size; done += n) {
		uint64_t part;
		int err;

		n = piece(off + done, size - done, max);
		err = ops->read(state, off + done, n, &part);
		if (err)
			return err;
		all |= part << (8 * done);
	}
	*value = all;
	return 0;
}

int vdev_split_write(const struct device_ops *ops, void *state, uint64_t off, unsigned size,
		     unsigned max, uint64_t value)
{
	for (unsigned done = 0, n; done < size; done += n) {
		int err;

		n = piece(off + done, size - done, max);
		err = ops->write(state, off + done, n, (value >> (8 * done)) & BITS(8 * n - 1, 0));
		if (err)
			return err;
	}
	return 0;
}

int vdev_new_node(void *fdt, int soc, const char *name, const char *compatible, int n,
		  uint64_t base, uint64_t size)
{
	char full[40];
	int node, err;

	snprintf(full, sizeof(full), "%s@%" PRIx64, name, base);
	node = fdt_add_subnode(fdt, soc, full);
	if (node < 0)
		return node;
	err = fdt_setprop(fdt, node, "compatible", compatible, n);
	if (!err)
		err = fdt_appendprop_addrrange(fdt, soc, node, "reg", base, size);
	return err ? err : node;
}

int vdev_node_interrupt(void *fdt, int node, uint32_t intc, uint32_t source)
{
	int err = fdt_setprop_u32(fdt, node, "interrupts", source);

	return err ? err : fdt_setprop_u32(fdt, node, "interrupt-parent", intc);
}
