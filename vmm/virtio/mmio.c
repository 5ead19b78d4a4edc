/* The registers of a virtio device of a VM: virtio-mmio, version 2 (virtio 1.2, 4.2). */
#include <errno.h>
#include <string.h>

#include <caisson/mm.h>
#include <vmm/dt_writer.h>
#include <vmm/memory.h>
#include <vmm/virtio.h>

#include "virtio_bits.h"

#define MAGIC 0x74726976u /* "virt" */
#define VERSION 2
#define VENDOR 0x53534943u /* "CISS" */
#define REG_WIDTH 4

enum {
	R_MAGIC = 0x000, R_VERSION = 0x004, R_DEVICE_ID = 0x008, R_VENDOR_ID = 0x00c,
	R_OFFERED = 0x010, R_OFFERED_SELECT = 0x014, R_ACCEPTED = 0x020, R_ACCEPTED_SELECT = 0x024,
	R_QUEUE_SELECT = 0x030, R_QUEUE_SIZE_MAX = 0x034, R_QUEUE_SIZE = 0x038, R_QUEUE_READY = 0x044,
	R_NOTIFY = 0x050, R_ISR = 0x060, R_ACKNOWLEDGE = 0x064, R_STATUS = 0x070,
	R_QUEUE_DESC = 0x080, R_QUEUE_DRIVER = 0x090, R_QUEUE_DEVICE = 0x0a0, R_QUEUE_END = 0x0a8,
	R_SHM_LENGTH = 0x0b0, R_SHM_BASE_END = 0x0c0, R_GENERATION = 0x0fc, R_CONFIG = 0x100,
};

/* @return the queue that the guest has selected, or NULL: there is none of that number */
static struct vio_queue *selected(struct vio *dev)
{
	uint32_t i = __atomic_load_n(&dev->queue_select, __ATOMIC_RELAXED);

	return i < dev->type->n_queues ? &dev->queues[i] : NULL;
}

static uint32_t read_queue(struct vio *dev, unsigned reg)
{
	const struct vio_queue *q = selected(dev);

	if (!q)
		return 0;
	return reg == R_QUEUE_SIZE_MAX ? VIO_QUEUE_SIZE : q->ready;
}

static uint32_t half(uint64_t features, uint32_t select)
{
	return select < 2 ? (uint32_t)(features >> (32 * select)) : 0;
}

static uint32_t read_register(struct vio *dev, unsigned reg)
{
	switch (reg) {
	case R_MAGIC:
		return MAGIC;
	case R_VERSION:
		return VERSION;
	case R_DEVICE_ID:
		return dev->type->id;
	case R_VENDOR_ID:
		return VENDOR;
	case R_OFFERED:
		return half(dev->offered, dev->offered_select);
	case R_QUEUE_SIZE_MAX:
	case R_QUEUE_READY:
		return read_queue(dev, reg);
	case R_ISR:
		return dev->isr;
	case R_STATUS:
		return dev->status;
	case R_GENERATION:
		return dev->generation;
	default: /* a shared memory region that is not there has length and base -1 (4.2.2) */
		return reg >= R_SHM_LENGTH && reg < R_SHM_BASE_END ? UINT32_MAX : 0;
	}
}

static void set_half(uint64_t *value, unsigned high, uint32_t half)
{
	*value = high ? (uint64_t)half << 32 | (uint32_t)*value : (*value >> 32) << 32 | half;
}

/* The addresses of a queue's parts stand 16 bytes apart, low half first. */
static void write_queue_address(struct vio_queue *q, unsigned reg, uint32_t value)
{
	unsigned off = reg - R_QUEUE_DESC;

	if (!q->ready && off % 16 < 8)
		set_half(&q->gpa[off / 16], off % 16 / 4, value);
}

/*
 * A queue that is made ready with nonsense stays as it is, and the device needs a reset. @return 0, or -EAGAIN: chains
 * of it are under way, or the machine has no memory under it now, which is not the guest's fault
 */
static int write_queue_ready(struct vio_queue *q, bool ready)
{
	int error;

	if (ready == q->ready)
		return 0;
	if (!ready) {
		if (q->held)
			return -EAGAIN;
		q->ready = false;
		return 0;
	}
	error = vio_queue_start(q);
	if (error == -ENOMEM)
		return -EAGAIN;
	if (error)
		vio_fail(q->dev, "queue %u: made ready with a size or an address that cannot be", q->index);
	return 0;
}

static int write_queue(struct vio *dev, unsigned reg, uint32_t value)
{
	struct vio_queue *q = selected(dev);
	irqflags_t flags;
	int error = 0;

	if (!q)
		return 0;
	flags = vio_lock(q);
	if (reg == R_QUEUE_READY)
		error = write_queue_ready(q, value & 1);
	else if (reg != R_QUEUE_SIZE)
		write_queue_address(q, reg, value);
	else if (!q->ready)
		q->size = value;
	vio_unlock(q, flags);
	return error;
}

static int notify(struct vio *dev, uint32_t index)
{
	struct vio_queue *q;
	int error;

	if (index >= dev->type->n_queues || !vio_runs(dev))
		return 0;
	q = &dev->queues[index];
	__atomic_fetch_add(&q->kicks, 1, __ATOMIC_RELAXED);
	__atomic_store_n(&q->starved, false, __ATOMIC_RELAXED);
	error = dev->type->kick(dev, q);
	if (!error && unlikely(__atomic_load_n(&q->starved, __ATOMIC_RELAXED)))
		error = -EAGAIN;
	return error;
}

static void write_accepted(struct vio *dev, uint32_t value)
{
	irqflags_t flags = spin_lock_irqsave(&dev->lock);

	if (!(dev->status & STATUS_FEATURES_OK) && dev->accepted_select < 2)
		set_half(&dev->accepted, dev->accepted_select, value);
	spin_unlock_irqrestore(&dev->lock, flags);
}

static int write_register(struct vio *dev, unsigned reg, uint32_t value)
{
	switch (reg) {
	case R_NOTIFY:
		return notify(dev, value);
	case R_ACKNOWLEDGE:
		vio_acknowledge(dev, value);
		return 0;
	case R_STATUS:
		return vio_set_status(dev, value);
	case R_OFFERED_SELECT:
		dev->offered_select = value;
		return 0;
	case R_ACCEPTED_SELECT:
		dev->accepted_select = value;
		return 0;
	case R_ACCEPTED:
		write_accepted(dev, value);
		return 0;
	case R_QUEUE_SELECT:
		__atomic_store_n(&dev->queue_select, value, __ATOMIC_RELAXED);
		return 0;
	case R_QUEUE_SIZE:
	case R_QUEUE_READY:
		return write_queue(dev, reg, value);
	default:
		return reg >= R_QUEUE_DESC && reg < R_QUEUE_END ? write_queue(dev, reg, value) : 0;
	}
}

/* Configuration: bytes, in any width. What lies beyond it reads as zero. */

static void config_read(struct vio *dev, unsigned off, unsigned size, uint64_t *value)
{
	uint8_t bytes[8] = { 0 };
	irqflags_t flags = spin_lock_irqsave(&dev->lock);

	for (unsigned i = 0; i < size && off + i < dev->config_size; i++)
		bytes[i] = dev->config[off + i];
	spin_unlock_irqrestore(&dev->lock, flags);
	memcpy(value, bytes, sizeof(*value));
}

static int config_write(struct vio *dev, unsigned off, unsigned size, uint64_t value)
{
	irqflags_t flags = spin_lock_irqsave(&dev->lock);

	for (unsigned i = 0; i < size && off + i < dev->config_size; i++)
		if (dev->config_writable >> (off + i) & 1)
			dev->config[off + i] = (uint8_t)(value >> (8 * i));
	spin_unlock_irqrestore(&dev->lock, flags);
	if (off >= dev->config_size || !dev->type->config_written)
		return 0;
	return dev->type->config_written(dev, off, MIN(size, dev->config_size - off));
}

/* Below the configuration a driver has to use whole registers (4.2.2.2): anything else does nothing. */
static int mmio_read(void *state, uint64_t off, unsigned size, uint64_t *value)
{
	struct vio *dev = state;

	*value = 0;
	if (off >= R_CONFIG)
		config_read(dev, (unsigned)(off - R_CONFIG), size, value);
	else if (size == REG_WIDTH && IS_ALIGNED(off, REG_WIDTH))
		*value = read_register(dev, (unsigned)off);
	return 0;
}

static int mmio_write(void *state, uint64_t off, unsigned size, uint64_t value)
{
	struct vio *dev = state;

	if (off >= R_CONFIG)
		return config_write(dev, (unsigned)(off - R_CONFIG), size, value);
	if (size == REG_WIDTH && IS_ALIGNED(off, REG_WIDTH))
		return write_register(dev, (unsigned)off, (uint32_t)value);
	return 0;
}

/* As a device of the VM. */

static int mmio_create(struct vdev *vdev)
{
	struct vio *dev = vdev->backend;
	int error;

	dev->vdev = vdev;
	error = dev->type->create(dev);
	if (error)
		return error;
	dev->offered |= BIT(F_VERSION_1) | BIT(F_INDIRECT_DESC) | BIT(F_EVENT_IDX);
	vdev->state = dev;
	return 0;
}

static void mmio_destroy(struct vdev *vdev)
{
	struct vio *dev = vdev->state;

	dev->type->destroy(dev);
	kfree(dev);
	vdev->state = vdev->backend = NULL;
}

static void mmio_reset(struct vdev *vdev)
{
	vio_power_on(vdev->state);
}

static void mmio_stop(struct vdev *vdev)
{
	vio_drain(vdev->state);
}

static void mmio_write_node(struct vdev *vdev, struct dt_writer *w, uint32_t intc)
{
	static const char compatible[] = "virtio,mmio";

	vdev_begin_node(w, "virtio_mmio", compatible, sizeof(compatible), vdev->base, vdev->type->size);
	vdev_node_interrupt(w, intc, vdev->irq);
	dt_end(w);
}

const struct vdev_type vio_mmio_type = {
	.name = "virtio-mmio",
	.base = GUEST_VIRTIO_BASE,
	.size = PAGE_SIZE,
	.ops = { .name = "virtio-mmio", .read = mmio_read, .write = mmio_write },
	.create = mmio_create,
	.destroy = mmio_destroy,
	.reset = mmio_reset,
	.stop = mmio_stop,
	.write_node = mmio_write_node,
};
