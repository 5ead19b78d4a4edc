/* The life of a virtio device of a VM: status and features (virtio 1.2, 2.1 and 2.2), configuration (2.5), interrupts. */
#include <vmm/virtio.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <caisson/mm.h>
#include <caisson/task.h>
#include <caisson/time.h>

#include "virtio_bits.h"

#define LOG_NAME "virtio"
#include <caisson/log.h>

#define COMPLAINTS_MAX 8       /* in the log: a guest could go on for ever */
#define DRAIN_POLL_US 1000
#define STATUS_DRIVERS (STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_DRIVER_OK | STATUS_FEATURES_OK | STATUS_FAILED)

struct vio *vio_new(const struct vio_type *type, void *backend)
{
	struct vio *dev = kzalloc(sizeof(*dev) + type->n_queues * sizeof(dev->queues[0]));

	if (!dev)
		return NULL;
	dev->type = type;
	dev->backend = backend;
	for (unsigned i = 0; i < type->n_queues; i++) {
		dev->queues[i].dev = dev;
		dev->queues[i].index = i;
		dev->queues[i].size = VIO_QUEUE_SIZE;
	}
	return dev;
}

static void set_live(struct vio *dev, bool live)
{
	__atomic_store_n(&dev->live, live, __ATOMIC_RELEASE);
}

/* Interrupts. */

static void drive_line(struct vio *dev, bool level)
{
	const struct vdev_host *host = dev->vdev->host;

	host->irq_level(host->vm, dev->vdev->irq, level);
}

static void raise_locked(struct vio *dev, uint32_t causes)
{
	bool was = dev->isr;

	dev->isr |= causes;
	if (!was)
		drive_line(dev, true);
}

void vio_interrupt(struct vio *dev, uint32_t causes)
{
	irqflags_t flags = spin_lock_irqsave(&dev->lock);

	if (dev->status & STATUS_DRIVER_OK)
		raise_locked(dev, causes);
	spin_unlock_irqrestore(&dev->lock, flags);
}

void vio_acknowledge(struct vio *dev, uint32_t causes)
{
	irqflags_t flags = spin_lock_irqsave(&dev->lock);
	bool was = dev->isr;

	dev->isr &= ~causes;
	if (was && !dev->isr)
		drive_line(dev, false);
	spin_unlock_irqrestore(&dev->lock, flags);
}

/* Configuration. */

void vio_set_config(struct vio *dev, unsigned off, const void *data, unsigned n)
{
	irqflags_t flags = spin_lock_irqsave(&dev->lock);

	memcpy(dev->config + off, data, n);
	dev->generation++;
	if (dev->status & STATUS_DRIVER_OK)
		raise_locked(dev, VIO_CONFIG_CHANGE);
	spin_unlock_irqrestore(&dev->lock, flags);
}

/* Status. */

void vio_fail(struct vio *dev, const char *fmt, ...)
{
	irqflags_t flags;
	unsigned nth;
	va_list args;
	char why[96];

	flags = spin_lock_irqsave(&dev->lock);
	set_live(dev, false);
	nth = ++dev->broken;
	dev->status |= STATUS_NEEDS_RESET;
	if (dev->status & STATUS_DRIVER_OK)
		raise_locked(dev, VIO_CONFIG_CHANGE);
	spin_unlock_irqrestore(&dev->lock, flags);
	if (nth > COMPLAINTS_MAX)
		return;
	va_start(args, fmt);
	vsnprintf(why, sizeof(why), fmt, args);
	va_end(args);
	log_warn("%s: the guest's driver breaks the rules: %s%s", dev->label, why,
		 nth == COMPLAINTS_MAX ? " (that is the last that is said of it)" : "");
}

static bool any_held(struct vio *dev)
{
	bool held = false;

	for (unsigned i = 0; i < dev->type->n_queues; i++) {
		irqflags_t flags = vio_lock(&dev->queues[i]);

		held |= dev->queues[i].held != 0;
		vio_unlock(&dev->queues[i], flags);
	}
	return held;
}

/* No chain is popped after this. @return are there any under way? */
static bool halt(struct vio *dev)
{
	set_live(dev, false);
	if (dev->type->halt)
		dev->type->halt(dev);
	return any_held(dev);
}

void vio_power_on(struct vio *dev)
{
	irqflags_t flags;

	set_live(dev, false);
	for (unsigned i = 0; i < dev->type->n_queues; i++) {
		flags = vio_lock(&dev->queues[i]);
		vio_queue_clear(&dev->queues[i]);
		vio_unlock(&dev->queues[i], flags);
	}
	if (dev->type->reset)
		dev->type->reset(dev);
	flags = spin_lock_irqsave(&dev->lock);
	dev->status = dev->isr = 0;
	dev->offered_select = dev->accepted_select = dev->queue_select = 0;
	dev->accepted = dev->features = 0;
	dev->resetting = false;
	drive_line(dev, false);
	spin_unlock_irqrestore(&dev->lock, flags);
}

/* Go on with a reset. One vCPU at a time; those beside it come again. */
static int finish_reset(struct vio *dev)
{
	bool held;

	if (__atomic_exchange_n(&dev->finishing, 1, __ATOMIC_ACQUIRE))
		return -EAGAIN;
	held = halt(dev);
	if (!held)
		vio_power_on(dev);
	__atomic_store_n(&dev->finishing, 0, __ATOMIC_RELEASE);
	return held ? -EAGAIN : 0;
}

/* What the driver may set now of what it sets (3.1.1). Lock held. */
static uint32_t acceptable(struct vio *dev, uint32_t set)
{
	if (set & STATUS_FEATURES_OK) {
		bool good = !(dev->accepted & ~dev->offered) && (dev->accepted & BIT(F_VERSION_1));

		if (good)
			dev->features = dev->accepted;
		else
			set &= ~(uint32_t)STATUS_FEATURES_OK;
	}
	if (!((dev->status | set) & STATUS_FEATURES_OK))
		set &= ~(uint32_t)STATUS_DRIVER_OK;
	return set;
}

/*
 * The device comes to life with the lock held, and never during a reset: what that has found given back stays so.
 * @return 0, or -EAGAIN: a reset has begun meanwhile
 */
static int add_status(struct vio *dev, uint32_t status, bool *begins)
{
	irqflags_t flags = spin_lock_irqsave(&dev->lock);
	int error = dev->resetting ? -EAGAIN : 0;
	uint32_t set = error ? 0 : acceptable(dev, status & STATUS_DRIVERS & ~dev->status);

	*begins = (set & STATUS_DRIVER_OK) && !(dev->status & STATUS_NEEDS_RESET);
	dev->status |= set;
	if (*begins)
		set_live(dev, true);
	spin_unlock_irqrestore(&dev->lock, flags);
	return error;
}

static int reset(struct vio *dev)
{
	irqflags_t flags = spin_lock_irqsave(&dev->lock);

	dev->resetting = true;
	spin_unlock_irqrestore(&dev->lock, flags);
	return finish_reset(dev);
}

int vio_set_status(struct vio *dev, uint32_t status)
{
	bool begins;
	int error = status == 0 || __atomic_load_n(&dev->resetting, __ATOMIC_RELAXED) ? reset(dev) : 0;

	if (error || status == 0)
		return error;
	error = add_status(dev, status, &begins);
	if (begins && dev->type->start)
		dev->type->start(dev);
	return error;
}

void vio_drain(struct vio *dev)
{
	while (halt(dev))
		task_sleep_until(time_now() + time_from_us(DRAIN_POLL_US));
}
