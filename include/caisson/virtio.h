/*
 * virtio devices (virtio 1.2, modern only): what a driver of one sees.
 *
 * A transport (virtio-mmio) finds a device, virtio.c agrees with it on features
 * and hands it to the driver of its device id: put one const per driver in the
 * table with VIRTIO_DRIVER(). A driver moves data through virtqueues, which
 * check whatever the device says in them. docs/drivers.md is a walk-through.
 *
 * A device that breaks the rules, or asks to be reset, is reset and never used
 * again: its driver's broken() ends what was under way.
 */
#pragma once

#include <caisson/list.h>
#include <caisson/types.h>

struct virtio_device;
struct virtio_transport;
struct virtq;

/** Device ids, section 5 of the specification. */
enum { VIRTIO_ID_NET = 1, VIRTIO_ID_BLOCK = 2, VIRTIO_ID_CONSOLE = 3, VIRTIO_ID_RNG = 4 };

struct virtio_driver {
	const char *name;
	uint32_t device_id;
	uint64_t features;     /* the device-specific ones that it can use */
	/** Which of these features, each offered and known, make sense together. NULL: all of them. */
	uint64_t (*choose)(uint64_t features);
	/**
	 * Features are agreed. Make the queues, then virtio_ready(). At boot, interrupts off.
	 * @return 0, or negative errno: the device is told that it was given up.
	 */
	int (*probe)(struct virtio_device *dev) __must_check;
	/** The device was reset for good: end everything under way. Interrupt context or a caller of virtio_fail. */
	void (*broken)(struct virtio_device *dev);
	/** Its configuration has changed. Interrupt context. NULL: not interested. */
	void (*config_changed)(struct virtio_device *dev);
};

#define VIRTIO_DRIVER(name) \
	static const struct virtio_driver name IN_SECTION(".virtio_drivers") ALIGNED_TO(8)

/** A device. The transport fills in the first group before virtio_attach. */
struct virtio_device {
	const struct virtio_transport *transport;
	const char *name;      /* for messages: the node's */
	uint32_t id;
	bool polled;           /* there is no interrupt: the driver has to look */

	const struct virtio_driver *driver;
	void *priv;            /* the driver's */
	uint64_t features;     /* agreed on */
	struct list queues;
	uint32_t broken;       /* atomic: 0 or 1 */
	bool quiet;            /* the driver's: do not log now why it is broken (a console's cannot) */
	const char *why;       /* it is broken */
	bool loose;            /* it did not answer a reset: it may still write to what it was given */
};

/** Has the device (and the driver) this feature bit? */
static inline bool virtio_has(const struct virtio_device *dev, unsigned feature)
{
	return dev->features & BIT(feature);
}

/** Was the device given up? Any context. */
static inline bool virtio_is_broken(const struct virtio_device *dev)
{
	return __atomic_load_n(&dev->broken, __ATOMIC_ACQUIRE);
}

/**
 * Read a field of the device's configuration, undisturbed by a change.
 * @param offset  of the field, naturally aligned (8 bytes: to 4)
 * @param size    1, 2, 4 or 8 bytes
 * @return 0, or -EIO: it never stands still
 */
int virtio_config(struct virtio_device *dev, unsigned offset, unsigned size, uint64_t *out) __must_check;

/** The queues are there: the device may begin. Only now may buffers be kicked. */
void virtio_ready(struct virtio_device *dev);

/**
 * The device did what it must not: say so, reset it for good. The caller then ends what was under way (broken() is
 * not called). Any context, also with the driver's lock held.
 */
void virtio_fail(struct virtio_device *dev, const char *why);

/**
 * Reset a device for a new start: when this returns 0 it touches no memory of ours any more, and the driver takes
 * back what was under way (virtq_reclaim), then calls virtio_restart. With the driver's lock held.
 * @return 0, or -ETIMEDOUT: it is broken now
 */
int virtio_reset(struct virtio_device *dev) __must_check;
/**
 * Set a device up again after virtio_reset, with the same features and its queues empty. With the driver's lock held.
 * @return 0; negative errno: it is broken now
 */
int virtio_restart(struct virtio_device *dev) __must_check;

/* Virtqueues. One caller at a time for each: the driver has a lock. */

#define VIRTQ_MAX 128u /* entries: all three parts fit a page */

/** A driver that wants it names it among its features: a table then takes one entry of a queue. */
enum { VIRTIO_F_INDIRECT_DESC = 28 };

/** A descriptor, 2.7.5: an entry of a table for virtq_add_table. */
struct virtq_desc {
	uint64_t addr;         /* physical */
	uint32_t len;
	uint16_t flags, next;
};

enum { VIRTQ_DESC_NEXT = 1, VIRTQ_DESC_WRITE = 2, VIRTQ_DESC_INDIRECT = 4 };

/** A piece of a buffer: kva_has_hpa(data, len) holds. */
struct virtq_buf {
	void *data;
	uint32_t len;
	bool device_writes;
};

/**
 * Make queue `index` of a device, of at most `size` entries (VIRTQ_MAX). From probe; when that fails, the core
 * takes it away again.
 * @param used  called in interrupt context when there may be finished buffers; no lock is held
 * @return 0; -ENODEV no such queue; -ENOMEM; -EIO it is in use, or its size is nonsense
 */
int virtq_create(struct virtio_device *dev, unsigned index, unsigned size, void (*used)(struct virtq *q),
		 struct virtq **out) __must_check;
/** Entries that it has, and the device that it belongs to. */
unsigned virtq_size(const struct virtq *q);
struct virtio_device *virtq_device(const struct virtq *q);

/**
 * Offer a chain of n pieces, those that the device reads first. It sees them at the latest after virtq_kick.
 * @param token  not NULL: what virtq_take returns when the device has used them
 * @return 0; -ENOSPC not enough entries are free
 */
int virtq_add(struct virtq *q, const struct virtq_buf *bufs, unsigned n, void *token) __must_check;
/**
 * The same with a table that the driver has filled in: entry i goes on at i + 1, but the last one, which has no
 * VIRTQ_DESC_NEXT. It must stay as it is until the device has used it; kva_has_hpa holds for it.
 * @param writable  bytes that the device may write, in all
 */
int virtq_add_table(struct virtq *q, const struct virtq_desc *table, unsigned n, uint32_t writable,
		    void *token) __must_check;
/** Tell the device, if it wants to know. */
void virtq_kick(struct virtq *q);
/**
 * The next chain that the device has used.
 * @param[out] written  bytes that the device says it wrote: never more than it could
 * @return its token, or NULL: no more for now (an interrupt tells of the next), or the device has lied and is broken
 */
void *virtq_take(struct virtq *q, uint32_t *written);
/** After a reset: take back any chain that was under way. @return its token, or NULL: none is left. */
void *virtq_reclaim(struct virtq *q);
