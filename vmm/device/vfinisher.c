/*
 * The test finisher ("sifive,test0"): a write ends the VM. With the generic
 * syscon nodes that point at it, it is also how a guest without SBI's system
 * reset powers off and reboots.
 */
#include <errno.h>
#include <vmm/dt_writer.h>
#include <vmm/guest_dt.h>
#include <vmm/memory.h>
#include <vmm/vdev.h>

#define FINISHER_SIZE PAGE_SIZE
#define FINISHER_PHANDLE (GUEST_PLIC_PHANDLE + 1)

enum { FINISHER_FAIL = 0x3333, FINISHER_PASS = 0x5555, FINISHER_RESET = 0x7777 };

/* It takes 2 and 4 bytes (QEMU's virt does so), anywhere in its page. */
static int check(uint64_t off, unsigned size)
{
	return off < FINISHER_SIZE && (size == 2 || size == 4) ? 0 : -EINVAL;
}

static int vfinisher_read(void *dev, uint64_t off, unsigned size, uint64_t *value)
{
	if (off & (size - 1))
		return vdev_split_read(&vfinisher_type.ops, dev, off, size, 8, value);
	*value = 0;
	return check(off, size);
}

static void finish(const struct vdev_host *host, uint32_t value)
{
	switch (value & 0xffff) {
	case FINISHER_FAIL:
		host->vm_end(host->vm, VDEV_FAIL, (int)(value >> 16));
		break;
	case FINISHER_PASS:
		host->vm_end(host->vm, VDEV_SHUTDOWN, 0);
		break;
	case FINISHER_RESET:
		host->vm_end(host->vm, VDEV_RESET, 0);
		break;
	default: /* means nothing to it */
		break;
	}
}

static int vfinisher_write(void *dev, uint64_t off, unsigned size, uint64_t value)
{
	int err;

	if (off & (size - 1))
		return vdev_split_write(&vfinisher_type.ops, dev, off, size, 8, value);
	err = check(off, size);
	if (!err && off == 0)
		finish(dev, size == 2 ? (uint16_t)value : (uint32_t)value);
	return err;
}

/* It remembers nothing: what its register functions get is the host itself (never written through). */
static int vfinisher_create(struct vdev *dev)
{
	dev->state = (void *)dev->host;
	return 0;
}

static void vfinisher_destroy(struct vdev *dev)
{
	dev->state = NULL;
}

static void vfinisher_reset(struct vdev *dev)
{
	(void)dev;
}

static size_t vfinisher_save(struct vdev *dev, void *buf, size_t size)
{
	(void)dev;
	(void)buf;
	(void)size;
	return 0;
}

static int vfinisher_restore(struct vdev *dev, const void *buf, size_t size)
{
	(void)dev;
	(void)buf;
	return size ? -EINVAL : 0;
}

static void write_syscon_node(struct dt_writer *w, const char *name, const char *compatible,
			      uint32_t value)
{
	dt_begin(w, name);
	dt_put_text(w, "compatible", compatible);
	dt_put_u32(w, "regmap", FINISHER_PHANDLE);
	dt_put_u32(w, "offset", 0);
	dt_put_u32(w, "value", value);
	dt_end(w);
}

/* The two that use it stand in /soc, too, not beside it as in QEMU's tree: no other node is open here. */
static void vfinisher_write_node(struct vdev *dev, struct dt_writer *w, uint32_t intc)
{
	static const char compatible[] = "sifive,test1\0sifive,test0\0syscon";

	(void)intc;
	vdev_begin_node(w, "test", compatible, sizeof(compatible), dev->type->base, FINISHER_SIZE);
	dt_put_u32(w, "phandle", FINISHER_PHANDLE);
	dt_end(w);
	write_syscon_node(w, "poweroff", "syscon-poweroff", FINISHER_PASS);
	write_syscon_node(w, "reboot", "syscon-reboot", FINISHER_RESET);
}

VDEV_TYPE(vfinisher_type) = {
	.name = "finisher",
	.base = GUEST_FINISHER_BASE,
	.size = FINISHER_SIZE,
	.ops = { .name = "finisher", .read = vfinisher_read, .write = vfinisher_write },
	.create = vfinisher_create,
	.destroy = vfinisher_destroy,
	.reset = vfinisher_reset,
	.save = vfinisher_save,
	.restore = vfinisher_restore,
	.write_node = vfinisher_write_node,
};
