/*
 * The virtio network device, between its files: virtio_net.c meets the device and ends with it, virtio_net_rx.c has
 * the frames that come, virtio_net_tx.c those that go.
 */
#pragma once

#include <caisson/net.h>
#include <caisson/spinlock.h>
#include <caisson/time.h>
#include <caisson/virtio.h>

#define LOOK_US 1250000          /* how often is looked whether the device still sends */
#define POLL_US 10000            /* how often a device without an interrupt is looked at */

/* Section 5.1.3 */
enum {
	F_CSUM = 0, F_GUEST_CSUM = 1, F_MTU = 3, F_MAC = 5, F_GUEST_TSO4 = 7, F_GUEST_TSO6 = 8, F_GUEST_ECN = 9,
	F_HOST_TSO4 = 11, F_HOST_TSO6 = 12, F_HOST_ECN = 13, F_MRG_RXBUF = 15, F_STATUS = 16, F_HOST_USO = 56,
};
/* Section 5.1.6 */
enum { H_NEEDS_CSUM = 1, H_DATA_VALID = 2 };
enum { GSO_NONE = 0, GSO_TCPV4 = 1, GSO_TCPV6 = 4, GSO_UDP_L4 = 5, GSO_ECN = 0x80 };

/* In front of each frame, both ways. */
struct header {
	uint8_t flags, gso_type;
	uint16_t hdr_len, gso_size, csum_start, csum_offset, num_buffers;
};
_Static_assert(sizeof(struct header) == 12, "as the device reads it");

/* What a frame needs besides its data while the device sends it. */
struct slot {
	struct header header;
	net_sent_t done;
	void *arg;
	int status;
	unsigned n;              /* descriptors */
	void *copy;              /* in place of data that the device cannot reach, or NULL */
	unsigned copy_order;
	struct slot *next;       /* free list, or finished */
};

struct nic {
	struct net_device dev;
	struct virtio_device *vdev;
	struct virtq *rx, *tx;
	char name[8];
	spinlock_t rx_lock;      /* guards what comes; held while the user receives. Inside it: the user's locks, tx_lock */
	spinlock_t tx_lock;      /* guards what goes, and the timer; inside it: heap, frames, timers */
	void *pages[VIRTQ_MAX];  /* for frames that come, while the device has them not */
	unsigned n_pages;
	struct slot *free;
	unsigned n_tx;           /* descriptors under way */
	bool full;               /* somebody was told so */
	struct timer timer;
	bool timer_armed;
	bool moved;              /* the device has finished something since the last look */
	unsigned looks;          /* in vain, since it has */
	struct slot slots[];
};

static inline struct nic *nic_of(struct net_device *dev)
{
	return container_of(dev, struct nic, dev);
}

/* virtio_net_rx.c; the first three with rx_lock held */

/** Get pages for frames that come, so many as the queue has entries. @return 0 or -ENOMEM. */
int nic_allocate_pages(struct nic *nic) __must_check;
/** Give the device all pages that we have. */
void nic_refill(struct nic *nic);
/** The device was reset: its pages are ours again. */
void nic_reclaim_pages(struct nic *nic);
void nic_free_pages(struct nic *nic);
/** Hand over all that has come. */
void nic_receive(struct nic *nic);

/* virtio_net_tx.c */

int nic_send(struct net_device *dev, const struct net_frame *frame, net_sent_t done, void *arg) __must_check;
/** Finish what the device has sent. */
void nic_sent(struct nic *nic);
/** The device was reset, tx_lock is held. @return what it will not send any more. */
struct slot *nic_take_back(struct nic *nic, int status);
/** Put it into the free list. tx_lock is held. */
void nic_free_slot(struct nic *nic, struct slot *s);
/** Call done() of each. */
void nic_finish(struct nic *nic, struct slot *finished);
/** Who was told that the device is full hears of room, if there is any. */
void nic_tell_of_room(struct nic *nic);
/** With tx_lock held: look at the device again after a while, if that is needed. */
void nic_arm_timer(struct nic *nic);
