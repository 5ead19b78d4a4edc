/*
 * virtio over memory-mapped registers (virtio 1.2, section 4.2), modern devices
 * only: those of register layout version 2.
 */
#include <errno.h>

#include <arch/cpu.h>
#include <caisson/dt.h>
#include <caisson/init.h>
#include <caisson/irq.h>
#include <caisson/kspace.h>
#include <caisson/log.h>
#include <caisson/mm.h>

#include "transport.h"

#define LOG_NAME "virtio"

#define MAGIC 0x74726976u /* "virt" */
#define LEGACY 1u
#define MODERN 2u

enum {
	REG_MAGIC = 0x00,
	REG_VERSION = 0x04,
	REG_DEVICE_ID = 0x08,
	REG_DEVICE_FEATURES = 0x10,
	REG_DEVICE_FEATURES_SEL = 0x14,
	REG_DRIVER_FEATURES = 0x20,
	REG_DRIVER_FEATURES_SEL = 0x24,
	REG_QUEUE_SEL = 0x30,
	REG_QUEUE_MAX = 0x34,
	REG_QUEUE_SIZE = 0x38,
	REG_QUEUE_READY = 0x44,
	REG_NOTIFY = 0x50,
	REG_INTERRUPT_STATUS = 0x60,
	REG_INTERRUPT_ACK = 0x64,
	REG_STATUS = 0x70,
	REG_QUEUE_DESC = 0x80, /* low, then high */
	REG_QUEUE_AVAIL = 0x90,
	REG_QUEUE_USED = 0xa0,
	REG_GENERATION = 0xfc,
	REG_CONFIG = 0x100,
};

struct mmio {
	struct virtio_device dev;
	volatile char *regs;
	uint64_t size;
};

static struct mmio *mmio_of(struct virtio_device *dev)
{
	return container_of(dev, struct mmio, dev);
}

static uint32_t reg_read(struct virtio_device *dev, unsigned reg)
{
	return mmio_read32(mmio_of(dev)->regs + reg);
}

static void reg_write(struct virtio_device *dev, unsigned reg, uint32_t value)
{
	mmio_write32(mmio_of(dev)->regs + reg, value);
}

static void reg_write64(struct virtio_device *dev, unsigned reg, uint64_t value)
{
	reg_write(dev, reg, (uint32_t)value);
	reg_write(dev, reg + 4, (uint32_t)(value >> 32));
}

static uint8_t mmio_status(struct virtio_device *dev)
{
	return (uint8_t)reg_read(dev, REG_STATUS);
}

/* What was written to memory before is there when the device learns of the new state, and the other way round. */
static void mmio_set_status(struct virtio_device *dev, uint8_t status)
{
	cpu_mb();
	reg_write(dev, REG_STATUS, status);
	cpu_mb();
}

static uint64_t mmio_features(struct virtio_device *dev)
{
	uint64_t low;

	reg_write(dev, REG_DEVICE_FEATURES_SEL, 0);
	low = reg_read(dev, REG_DEVICE_FEATURES);
	reg_write(dev, REG_DEVICE_FEATURES_SEL, 1);
	return low | (uint64_t)reg_read(dev, REG_DEVICE_FEATURES) << 32;
}

static void mmio_set_features(struct virtio_device *dev, uint64_t features)
{
	reg_write(dev, REG_DRIVER_FEATURES_SEL, 0);
	reg_write(dev, REG_DRIVER_FEATURES, (uint32_t)features);
	reg_write(dev, REG_DRIVER_FEATURES_SEL, 1);
	reg_write(dev, REG_DRIVER_FEATURES, (uint32_t)(features >> 32));
}

static uint32_t mmio_generation(struct virtio_device *dev)
{
	return reg_read(dev, REG_GENERATION);
}

/* A field that the device's window does not reach reads as zero. */
static uint32_t mmio_config(struct virtio_device *dev, unsigned offset, unsigned size)
{
	const volatile char *at = mmio_of(dev)->regs + REG_CONFIG + offset;

	if (REG_CONFIG + (uint64_t)offset + size > mmio_of(dev)->size)
		return 0;
	return size == 1 ? mmio_read8(at) : size == 2 ? mmio_read16(at) : mmio_read32(at);
}

static unsigned mmio_queue_max(struct virtio_device *dev, unsigned index)
{
	reg_write(dev, REG_QUEUE_SEL, index);
	return reg_read(dev, REG_QUEUE_MAX);
}

static int mmio_queue_start(struct virtio_device *dev, unsigned index, const struct virtq_place *place)
{
	reg_write(dev, REG_QUEUE_SEL, index);
	if (reg_read(dev, REG_QUEUE_READY))
		return -EIO;
	reg_write(dev, REG_QUEUE_SIZE, place->size);
	reg_write64(dev, REG_QUEUE_DESC, place->desc.v);
	reg_write64(dev, REG_QUEUE_AVAIL, place->avail.v);
	reg_write64(dev, REG_QUEUE_USED, place->used.v);
	cpu_mb(); /* the rings are empty before it looks */
	reg_write(dev, REG_QUEUE_READY, 1);
	return 0;
}

static void mmio_notify(struct virtio_device *dev, unsigned index)
{
	cpu_mb(); /* the buffers are in memory before it looks */
	reg_write(dev, REG_NOTIFY, index);
}

static const struct virtio_transport mmio_transport = {
	.status = mmio_status,
	.set_status = mmio_set_status,
	.features = mmio_features,
	.set_features = mmio_set_features,
	.generation = mmio_generation,
	.config = mmio_config,
	.queue_max = mmio_queue_max,
	.queue_start = mmio_queue_start,
	.notify = mmio_notify,
};

static void mmio_interrupt(void *arg)
{
	struct mmio *m = arg;
	uint32_t reasons = reg_read(&m->dev, REG_INTERRUPT_STATUS);

	reg_write(&m->dev, REG_INTERRUPT_ACK, reasons);
	cpu_mb(); /* acknowledged before the rings are read: what comes later interrupts again */
	virtio_interrupt(&m->dev, reasons);
}

/* @return 0: there is a device that we can speak to, and a driver for it. */
static int identify(struct mmio *m, const void *fdt, int node)
{
	const char *name;
	uint32_t version;

	if (reg_read(&m->dev, REG_MAGIC) != MAGIC)
		return -EINVAL;
	m->dev.id = reg_read(&m->dev, REG_DEVICE_ID);
	if (m->dev.id == 0)
		return -ENODEV; /* an empty slot: most are, and libfdt takes long for a name */
	name = fdt_get_name(fdt, node, NULL);
	m->dev.name = name ? name : "virtio";
	version = reg_read(&m->dev, REG_VERSION);
	if (version == LEGACY)
		log_warn("%s: a legacy device, left alone (QEMU makes modern ones with "
			 "-global virtio-mmio.force-legacy=false)", m->dev.name);
	else if (version != MODERN)
		log_warn("%s: register layout version %u is not known, left alone", m->dev.name, version);
	return version == MODERN ? virtio_find_driver(&m->dev) : -ENODEV;
}

static int map_registers(struct mmio *m, const void *fdt, int node)
{
	uint64_t base;
	int error = dt_reg(fdt, node, 0, &base, &m->size);

	if (error)
		return error;
	if (m->size < REG_CONFIG || base % sizeof(uint32_t))
		return -EINVAL;
	m->regs = io_map(HPA(base), m->size);
	return m->regs ? 0 : -ENOMEM;
}

static int connect_interrupt(struct mmio *m, const void *fdt, int node)
{
	unsigned irq;
	int error = IS_ENABLED(CONFIG_IRQ) ? irq_find(fdt, node, 0, &irq) : -ENODEV;

	return error ? error : irq_register(irq, fdt_get_name(fdt, node, NULL), mmio_interrupt, m);
}

/* Its interrupt comes first, while the device is still silent: a driver learns whether there is one. */
static int attach(struct mmio *m, const void *fdt, int node)
{
	int error = connect_interrupt(m, fdt, node);

	m->dev.polled = error != 0;
	if (error && IS_ENABLED(CONFIG_IRQ))
		log_warn("%s: no interrupt (error %d): polled", m->dev.name, error);
	return virtio_attach(&m->dev);
}

/* A device that its driver gave up keeps its memory: its interrupt stays registered. */
static int mmio_probe(const void *fdt, int node)
{
	struct mmio *m = kzalloc(sizeof(*m));
	int error;

	if (!m)
		return -ENOMEM;
	m->dev.transport = &mmio_transport;
	list_init(&m->dev.queues);
	error = map_registers(m, fdt, node);
	if (!error)
		error = identify(m, fdt, node);
	if (error) {
		kfree(m);
		return error;
	}
	return attach(m, fdt, node);
}

static const char *const mmio_compatible[] = { "virtio,mmio", NULL };

DRIVER(virtio_mmio) = {
	.name = "virtio-mmio",
	.compatible = mmio_compatible,
	.probe = mmio_probe,
	.order = 1,
};
