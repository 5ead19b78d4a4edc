/*
 * The virtio core: which driver a device gets, what the two agree on, and what
 * happens to a device that breaks the rules (virtio 1.2, chapters 2 and 3).
 */
#include <errno.h>

#include <arch/cpu.h>
#include <caisson/log.h>
#include <caisson/time.h>

#include "transport.h"

#define LOG_NAME "virtio"

#define RESET_US 10000
#define CONFIG_TRIES 16
#define OUR_FEATURES (BIT(VIRTIO_F_VERSION_1) | BIT(VIRTIO_F_EVENT_IDX))

extern const struct virtio_driver __virtio_drivers_start[];
extern const struct virtio_driver __virtio_drivers_end[];

static const struct virtio_driver *driver_for(uint32_t id)
{
	for (const struct virtio_driver *drv = __virtio_drivers_start; drv < __virtio_drivers_end; drv++)
		if (drv->device_id == id)
			return drv;
	return NULL;
}

static void add_status(struct virtio_device *dev, uint8_t bits)
{
	dev->transport->set_status(dev, dev->transport->status(dev) | bits);
}

/* Sets dev->loose. When this returns 0 the device touches no memory of ours any more. */
static int reset(struct virtio_device *dev)
{
	uint64_t deadline = time_now() + time_from_us(RESET_US);

	dev->transport->set_status(dev, 0);
	while (dev->transport->status(dev) != 0 && time_now() <= deadline)
		cpu_relax();
	dev->loose = dev->transport->status(dev) != 0;
	return dev->loose ? -ETIMEDOUT : 0;
}

/* Steps 4 to 6 of section 3.1.1. */
static int agree(struct virtio_device *dev, uint64_t wanted)
{
	uint64_t offered = dev->transport->features(dev);

	if (!(offered & BIT(VIRTIO_F_VERSION_1))) {
		log_warn("%s: a legacy device behind modern registers", dev->name);
		return -ENOTSUP;
	}
	dev->features = offered & wanted;
	if (dev->driver->choose)
		dev->features = dev->driver->choose(dev->features);
	dev->transport->set_features(dev, dev->features);
	add_status(dev, VIRTIO_FEATURES_OK);
	if (dev->transport->status(dev) & VIRTIO_FEATURES_OK)
		return 0;
	log_warn("%s: does not accept features %lx", dev->name, (unsigned long)dev->features);
	return -ENOTSUP;
}

static int begin(struct virtio_device *dev, uint64_t wanted)
{
	int error = reset(dev);

	if (error) {
		log_warn("%s: does not answer a reset", dev->name);
		return error;
	}
	add_status(dev, VIRTIO_ACKNOWLEDGE);
	add_status(dev, VIRTIO_DRIVER_FOUND);
	return agree(dev, wanted);
}

int virtio_find_driver(struct virtio_device *dev)
{
	dev->driver = driver_for(dev->id);
	if (dev->driver)
		return 0;
	log_info("%s: no driver for device id %u", dev->name, dev->id);
	return -ENODEV;
}

int virtio_attach(struct virtio_device *dev)
{
	int error = begin(dev, dev->driver->features | OUR_FEATURES);

	if (!error)
		error = dev->driver->probe(dev);
	if (!error)
		return 0;
	__atomic_store_n(&dev->broken, 1, __ATOMIC_RELEASE);
	/* The queues' memory is safe only after a reset; a device that does not answer one keeps it. */
	if (reset(dev) == 0)
		virtq_destroy_all(dev);
	add_status(dev, VIRTIO_FAILED);
	return error;
}

void virtio_ready(struct virtio_device *dev)
{
	add_status(dev, VIRTIO_DRIVER_OK);
}

void virtio_fail(struct virtio_device *dev, const char *why)
{
	if (__atomic_exchange_n(&dev->broken, 1, __ATOMIC_ACQ_REL))
		return;
	dev->why = why;
	if (!dev->quiet)
		log_error("%s: the device %s: reset, and not used any more", dev->name, why);
	if (reset(dev) && !dev->quiet)
		log_error("%s: does not answer the reset: it may still write to memory", dev->name);
	add_status(dev, VIRTIO_FAILED);
}

int virtio_reset(struct virtio_device *dev)
{
	int error = reset(dev);

	if (error)
		virtio_fail(dev, "does not answer a reset");
	return error;
}

int virtio_restart(struct virtio_device *dev)
{
	uint64_t had = dev->features;
	int error = begin(dev, had);

	if (!error && dev->features != had)
		error = -ENOTSUP;
	if (!error)
		error = virtq_for_each(dev, virtq_restart);
	if (error)
		virtio_fail(dev, "cannot be started again");
	else
		virtio_ready(dev);
	return error;
}

static void config_interrupt(struct virtio_device *dev)
{
	if (dev->transport->status(dev) & VIRTIO_NEEDS_RESET) {
		virtio_fail(dev, "asks for a reset");
		dev->driver->broken(dev);
	} else if (dev->driver->config_changed) {
		dev->driver->config_changed(dev);
	}
}

void virtio_interrupt(struct virtio_device *dev, unsigned reasons)
{
	if (reasons & VIRTIO_INT_CONFIG && !virtio_is_broken(dev))
		config_interrupt(dev);
	if (reasons & VIRTIO_INT_QUEUE && !virtio_is_broken(dev))
		(void)virtq_for_each(dev, virtq_interrupt);
}

static uint64_t config_field(struct virtio_device *dev, unsigned offset, unsigned size)
{
	uint64_t low = dev->transport->config(dev, offset, MIN(size, sizeof(uint32_t)));

	if (size <= sizeof(uint32_t))
		return low;
	return low | (uint64_t)dev->transport->config(dev, offset + 4, sizeof(uint32_t)) << 32;
}

int virtio_config(struct virtio_device *dev, unsigned offset, unsigned size, uint64_t *out)
{
	for (unsigned n = 0; n < CONFIG_TRIES; n++) {
		uint32_t before = dev->transport->generation(dev);

		*out = config_field(dev, offset, size);
		if (dev->transport->generation(dev) == before)
			return 0;
	}
	log_warn("%s: its configuration never stands still", dev->name);
	return -EIO;
}
