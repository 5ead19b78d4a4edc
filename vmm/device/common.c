/*
 * What the virtual devices share: accesses that a bus would do in several
 * pieces, and device tree nodes.
 */
#include <vmm/vdev.h>

#include <vmm/dt_writer.h>

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

void vdev_begin_node(struct dt_writer *w, const char *name, const char *compatible, size_t n,
		     uint64_t base, uint64_t size)
{
	dt_begin_at(w, name, base);
	dt_put(w, "compatible", compatible, n);
	dt_put_range(w, base, size);
}

void vdev_node_interrupt(struct dt_writer *w, uint32_t intc, uint32_t source)
{
	dt_put_u32(w, "interrupts", source);
	dt_put_u32(w, "interrupt-parent", intc);
}
