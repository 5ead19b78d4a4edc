/* Between the virtio core and the transports that find devices. */
#pragma once

#include <caisson/virtio.h>

/* Feature bits that are the transport's and the queues' own (section 6). */
enum { VIRTIO_F_EVENT_IDX = 29, VIRTIO_F_VERSION_1 = 32 };

/* Device status, section 2.1 */
enum {
	VIRTIO_ACKNOWLEDGE = 1,
	VIRTIO_DRIVER_FOUND = 2,
	VIRTIO_DRIVER_OK = 4,
	VIRTIO_FEATURES_OK = 8,
	VIRTIO_NEEDS_RESET = 64,
	VIRTIO_FAILED = 128,
};

/** Reasons of an interrupt, as bits. */
enum { VIRTIO_INT_QUEUE = 1, VIRTIO_INT_CONFIG = 2 };

/** Where the three parts of a queue are. */
struct virtq_place {
	hpa_t desc, avail, used;
	unsigned size;
};

struct virtio_transport {
	uint8_t (*status)(struct virtio_device *dev);
	void (*set_status)(struct virtio_device *dev, uint8_t status);
	uint64_t (*features)(struct virtio_device *dev);
	void (*set_features)(struct virtio_device *dev, uint64_t features);
	/** It differs after the configuration has changed. */
	uint32_t (*generation)(struct virtio_device *dev);
	/** One access of 1, 2 or 4 bytes. */
	uint32_t (*config)(struct virtio_device *dev, unsigned offset, unsigned size);
	/** Entries that a queue can have; 0: there is no such queue. */
	unsigned (*queue_max)(struct virtio_device *dev, unsigned index);
	/** Hand a queue over. @return 0, or -EIO: it is in use already. */
	int (*queue_start)(struct virtio_device *dev, unsigned index, const struct virtq_place *place);
	void (*notify)(struct virtio_device *dev, unsigned index);
};

/** Find the driver of dev->id. @return 0 or -ENODEV. */
int virtio_find_driver(struct virtio_device *dev) __must_check;
/**
 * Agree on features with a device and let its driver probe it. Boot.
 * @return 0; negative errno: the device was given up, and keeps its memory
 */
int virtio_attach(struct virtio_device *dev) __must_check;
/** An interrupt of the device, its reasons acknowledged. */
void virtio_interrupt(struct virtio_device *dev, unsigned reasons);

/* queue.c, for virtio.c */

/** The device was reset: empty the rings and hand the queue over again. @return 0 or negative errno. */
int virtq_restart(struct virtq *q) __must_check;
/** Tell the driver to look. Interrupt context. @return 0 */
int virtq_interrupt(struct virtq *q);
/** Call fn for each queue of a device until it returns not 0. @return that, or 0. */
int virtq_for_each(struct virtio_device *dev, int (*fn)(struct virtq *q));
/** Give back a device's queues. It was reset. */
void virtq_destroy_all(struct virtio_device *dev);
