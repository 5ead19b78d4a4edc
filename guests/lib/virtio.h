/*
 * A driver of virtio-mmio devices and their split queues (virtio 1.2, sections 2.7 and 4.2), for one hart.
 *
 * Without event index, indirect descriptors and trap handler: who has nothing else to do waits in
 * virtio_wait(), where the interrupt wakes the hart without being taken.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Registers, 4.2.2. */
enum {
	VIRTIO_MAGIC = 0x000, VIRTIO_VERSION = 0x004, VIRTIO_DEVICE_ID = 0x008,
	VIRTIO_DEVICE_FEATURES = 0x010, VIRTIO_DEVICE_FEATURES_SEL = 0x014,
	VIRTIO_DRIVER_FEATURES = 0x020, VIRTIO_DRIVER_FEATURES_SEL = 0x024,
	VIRTIO_QUEUE_SEL = 0x030, VIRTIO_QUEUE_SIZE_MAX = 0x034, VIRTIO_QUEUE_SIZE = 0x038, VIRTIO_QUEUE_READY = 0x044,
	VIRTIO_QUEUE_NOTIFY = 0x050, VIRTIO_INTERRUPT_STATUS = 0x060, VIRTIO_INTERRUPT_ACK = 0x064, VIRTIO_STATUS = 0x070,
	VIRTIO_QUEUE_DESC = 0x080, VIRTIO_QUEUE_DRIVER = 0x090, VIRTIO_QUEUE_DEVICE = 0x0a0, VIRTIO_CONFIG = 0x100,
};

/* Device ids, section 5. */
enum { VIRTIO_NET = 1, VIRTIO_BLOCK = 2, VIRTIO_CONSOLE = 3, VIRTIO_ENTROPY = 4 };

#define VIRTIO_F_VERSION_1	(1ull << 32)
#define VIRTQ_SIZE		128u

struct virtio {
	uint64_t registers;
	unsigned interrupt;	/* source at the PLIC */
	uint64_t features;	/* agreed on */
};

struct virtq_desc {
	uint64_t address;
	uint32_t len;
	uint16_t flags, next;
};

/** A queue, shared with the device from virtq_set_up() until the device is reset. */
struct virtq {
	struct virtq_desc desc[VIRTQ_SIZE] __attribute__((aligned(16)));
	struct {
		uint16_t flags, index, ring[VIRTQ_SIZE], event;
	} avail __attribute__((aligned(2)));
	struct {
		uint16_t flags, index;
		struct {
			uint32_t id, len;
		} ring[VIRTQ_SIZE];
		uint16_t event;
	} used __attribute__((aligned(4)));
	const struct virtio *dev;
	unsigned number;
	uint16_t free, n_free;	/* descriptors, linked by their next */
	uint16_t seen;		/* used entries taken */
	void *cookies[VIRTQ_SIZE];
};

/** A part of a request, for the device to read, or behind all those: to write. */
struct virtq_part {
	const volatile void *data;
	uint32_t len;
};

static inline uint32_t virtio_read(const struct virtio *dev, unsigned reg)
{
	return *(volatile uint32_t *)(dev->registers + reg);
}

static inline void virtio_write(const struct virtio *dev, unsigned reg, uint32_t value)
{
	*(volatile uint32_t *)(dev->registers + reg) = value;
}

/** Find the nth (0 ...) device of that id, by rising addresses. @return whether there is one. */
bool virtio_find(unsigned id, unsigned nth, struct virtio *out);

/** Reset the device and agree on those of the wanted features that it offers, and version 1. @return whether it agreed. */
bool virtio_begin(struct virtio *dev, uint64_t wanted);

/** Between virtio_begin() and virtio_ready(). @return whether the device has such a queue. */
bool virtq_set_up(struct virtq *vq, const struct virtio *dev, unsigned number);

/** All queues are there: the device may start. Its interrupt is enabled at the PLIC, but not taken. */
void virtio_ready(const struct virtio *dev);

/** Offer a request, n_out parts to be read and n_in to be written. @return false: no room for it now. */
bool virtq_add(struct virtq *vq, const struct virtq_part *parts, unsigned n_out, unsigned n_in, void *cookie);

void virtq_kick(const struct virtq *vq);

/** @return the cookie of a request that the device is done with, and the bytes it wrote; NULL: there is none now. */
void *virtq_take(struct virtq *vq, uint32_t *len);

/** Sleep until the device, or anything else that is enabled, interrupts. */
void virtio_wait(const struct virtio *dev);
