/*
 * Network devices: Ethernet frames in pieces, out and in.
 *
 * A driver registers a struct net_device; its one user finds it by name ("net0",
 * "net1" ... in the order of the device tree) and opens it. Frames may be larger than
 * what goes over the wire: what the other side can do for them (checksums,
 * cutting into segments) is said with each frame.
 */
#pragma once

#include <caisson/list.h>
#include <caisson/segment.h>
#include <caisson/types.h>

#define NET_MAC_SIZE 6
#define NET_HEADER_SIZE 14        /* of an Ethernet frame: both addresses and the type */
#define NET_FRAME_MAX 65553u      /* bytes: 18 with a VLAN tag, and 65,535 */
#define NET_SEGMENTS_MAX 24       /* a frame of more is copied into one piece on its way out; none comes in */

/** What a frame is: whole, or one TCP (UDP) packet that is to be cut into many. */
enum net_gso { NET_GSO_NONE, NET_GSO_TCPV4, NET_GSO_TCPV6, NET_GSO_UDP_L4 };

/**
 * What is still to be done to a frame, and what need not be. Offsets are from the frame's first byte. All zero: a
 * frame as it is on the wire.
 */
struct net_offload {
	bool needs_csum;       /* sum from csum_start to the end goes to csum_start + csum_offset, which has the pseudo header's */
	bool csum_valid;       /* received: its checksum was found right */
	uint8_t gso;           /* enum net_gso; if not NONE, needs_csum is set */
	bool ecn;              /* TCP: it has ECN's bits, so CWR belongs into the first segment only */
	uint16_t gso_size;     /* payload of each segment but the last, bytes */
	uint16_t header_len;   /* all headers, bytes: a hint, 0 is unknown */
	uint16_t csum_start, csum_offset;
};

struct net_frame {
	const struct segment *segs;
	unsigned n;
	uint32_t len;          /* bytes of all segments together */
	struct net_offload offload;
};

struct net_device;

/** What a device does for frames; bits of net_device.features. The second group: what it may hand over. */
enum net_feature {
	NET_CSUM = 1 << 0,     /* needs_csum in frames sent */
	NET_TSO4 = 1 << 1,     /* NET_GSO_TCPV4, without ecn */
	NET_TSO6 = 1 << 2,
	NET_TSO_ECN = 1 << 3,
	NET_USO = 1 << 4,      /* NET_GSO_UDP_L4 */
	NET_RX_CSUM = 1 << 8,  /* needs_csum and csum_valid in frames received */
	NET_RX_TSO4 = 1 << 9,
	NET_RX_TSO6 = 1 << 10,
	NET_RX_TSO_ECN = 1 << 11,
};

/**
 * Who has a device open. All in interrupt context (or from net_poll); may send, must not poll. One hart at a
 * time receives from a device; the other callbacks, and done() of a frame, may run beside that.
 */
struct net_user {
	/** A frame came, of at least NET_HEADER_SIZE bytes. It and its data are the driver's again at return. */
	void (*receive)(struct net_device *dev, const struct net_frame *frame);
	/** Once after net_send said -ENOSPC: there is room for a frame. NULL: not interested. */
	void (*room)(struct net_device *dev);
	/** net_link() may be another. Also when the device died. NULL: not interested. */
	void (*link_changed)(struct net_device *dev);
};

/**
 * The frame's data are not looked at any more. Interrupt context or from net_poll, no lock held; may send.
 * status: 0; -ETIMEDOUT the device had to be reset; -EIO it died.
 */
typedef void (*net_sent_t)(void *arg, int status);

struct net_ops {
	/** Get ready for frames: dev->user is set. @return 0; -ENOMEM; -EIO the device is dead */
	int (*open)(struct net_device *dev);
	/** Take a frame that was checked. As net_send. */
	int (*send)(struct net_device *dev, const struct net_frame *frame, net_sent_t done, void *arg);
	/** Look at the device without an interrupt. */
	void (*poll)(struct net_device *dev);
};

struct net_device {
	const char *name;      /* "net0" */
	const struct net_ops *ops;
	uint8_t mac[NET_MAC_SIZE];
	uint16_t mtu;          /* bytes behind the header, of a frame that is not cut */
	uint32_t features;     /* enum net_feature */
	bool polled;           /* it has no interrupt */
	uint32_t link;         /* atomic, 0 or 1: use net_link */
	uint32_t dropped;      /* received frames that made no sense; atomic */
	uint32_t opened;       /* atomic, 0 or 1: somebody uses it */
	const struct net_user *user; /* atomic; NULL: nobody's */
	void *arg;             /* the user's */
	struct list node;      /* in the list of all devices */
};

/** Add a device, for ever. Boot. */
void net_register(struct net_device *dev);
/** @return the device of that name, or NULL. Any context. */
struct net_device *net_find(const char *name);
/** Call fn for each device, in order of registration, until it returns false. */
void net_for_each(bool (*fn)(struct net_device *dev, void *arg), void *arg);

/** Become a device's user, for ever: its callbacks come from now on. @return 0; -EBUSY it has one; -ENOMEM; -EIO. Boot or a task. */
int net_open(struct net_device *dev, const struct net_user *user, void *arg) __must_check;

/**
 * Send a frame. The frame and its segments' table are read before this returns; the data are read in place
 * until done(), which is never called from inside net_send. Any context.
 * @param done  NULL: the data are read before this returns, too (they are copied)
 * @return 0: done() follows, also when the device fails. Else it was not taken: -ENOSPC no room now, room() follows;
 * -EINVAL its length is 0, not that of its segments, above NET_FRAME_MAX, or above the MTU though it is not to be cut,
 * or its offload makes no sense; -ENOTSUP an offload that the device has not; -ENOMEM; -EIO the device is dead.
 */
int net_send(struct net_device *dev, const struct net_frame *frame, net_sent_t done, void *arg) __must_check;

/** Look at the device now: a user's callbacks may come. Boot, or a device without an interrupt. */
void net_poll(struct net_device *dev);

/** Is the cable in? Any context. */
static inline bool net_link(const struct net_device *dev)
{
	return __atomic_load_n(&dev->link, __ATOMIC_ACQUIRE);
}
