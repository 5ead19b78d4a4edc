/*
 * Switches between VMs: each learns which addresses are behind which of its ports and hands frames from one to another.
 *
 *     vmm/net/switch.c    ports, forwarding, counters
 *     vmm/net/mac.c       the table of addresses
 *     vmm/net/offload.c   checksums and cutting for those who cannot do it themselves
 *     vmm/net/uplink.c    the port to the machine's own network device
 *     vmm/virtio/net.c    the port of a guest
 *
 * A frame is handed over by its sender, in the sender's time: from where it stands right into the receiver's buffers.
 * There are no queues in between. When the receiver has no buffers, the frame stays where it is, and the sender is
 * called back when there are some (resume). A receiver that goes on having none, or too few, misses frames, so it cannot
 * hold up others.
 *
 * Ports are added and removed by the manager task only. Everything else is any context, with interrupts off.
 * Lock order: what the sender holds -> switch (not held while a frame is handed over); sender -> receiver's queue.
 */
#pragma once

#include <caisson/net.h>
#include <caisson/spinlock.h>
#include <caisson/time.h>
#include <caisson/types.h>
#include <vmm/config.h>

#define SWITCHES_MAX 8
#define SWITCH_PORTS_MAX 32
#define SWITCH_LEARNED_MAX 32  /* addresses that are learned of a port: one more replaces that port's oldest */
#define SWITCH_BUCKETS 64
#define SWITCH_AGE_S 300       /* an address that was not seen for so long is forgotten */
#define SWITCH_STICKY_S 5      /* one that was seen behind a port in this time is not another's */
#define SWITCH_RETRY_US 1000
#define SWITCH_PATIENCE_US 50000 /* how long frames wait for a receiver without buffers */
#define SWITCH_EARNED_US 1000  /* of that a receiver gets back with each frame that it takes */

struct net_switch;
struct switch_port;

/** Why a frame went nowhere. The first group is counted at its sender, the second at its receiver. */
enum switch_drop {
	DROP_BAD,       /* its header, length or what is to be done to it makes no sense */
	DROP_SPOOFED,   /* its source is another port's address */
	DROP_ISOLATED,  /* neither port may talk to the other */
	DROP_LOCAL,     /* its destination is where it came from, or is for switches only */
	DROP_FULL,      /* no buffers */
	DROP_DOWN,      /* the link is down, or no driver listens */
	DROP_TOO_LONG,  /* it does not fit the buffers */
	DROP_FAILED,    /* no memory, or the device has failed */
	DROP_REASONS
};

struct switch_counters {
	uint64_t sent, sent_bytes;         /* by the port's owner into the switch */
	uint64_t received, received_bytes; /* handed to the port's owner */
	uint64_t waits;                    /* how often a sender began to wait for it */
	uint64_t drops[DROP_REASONS];
};

/** An address and where it is. */
struct switch_mac {
	uint64_t mac;              /* its six bytes, the first one lowest */
	uint64_t seen;             /* last time as a source, ticks; 0: this entry is free */
	struct switch_port *port;
	struct switch_mac *next;   /* in its bucket */
};

struct switch_port_ops {
	/**
	 * Take a frame, of which nothing may be looked at after this. Frames of several senders come at the same time.
	 * What is to be done to it (frame->offload) was checked with offload_check.
	 * @return 0; -EAGAIN: no buffers now; -ENOTCONN: nobody listens; -EMSGSIZE: it does not fit; another: failed
	 */
	int (*deliver)(struct switch_port *port, const struct net_frame *frame);
	/**
	 * switch_send said -EAGAIN, and now it is worth sending again. Any context, interrupts off, no lock held.
	 * @return is there more to send than should be done at once? Then it is called again. NULL: it cannot wait
	 */
	bool (*resume)(struct switch_port *port);
};

/** A port. Its owner has the memory and fills in the first group, then calls switch_port_add. */
struct switch_port {
	const struct switch_port_ops *ops;
	void *arg;
	const char *owner;         /* "debian": the VM; or "net0" */
	unsigned number;           /* the owner's n-th port */
	bool has_address;
	uint8_t address[NET_MAC_SIZE]; /* its owner's for ever: nobody else may use it */
	bool isolated;             /* it may talk to ports that are not isolated, and they to it */
	bool uplink;
	bool down;                 /* atomic: switch_port_set_link */

	struct net_switch *net_switch;
	struct switch_mac fixed, learned[SWITCH_LEARNED_MAX]; /* guarded by the switch */
	unsigned index;            /* in the switch */
	unsigned copies;           /* made of the last frame that it has sent: what that has cost. The sender's */
	uint32_t users;            /* atomic: who hands it a frame just now */
	uint64_t full_since;       /* atomic: ticks, later by what it has earned since; 0: it has its senders' patience */
	uint32_t waiters;          /* by index, who waits for it; atomic to read. This and the next: guarded by the switch */
	unsigned served;           /* who was called back last */
	bool armed;
	struct timer patience;
	struct switch_counters counters; /* atomic */
};

/**
 * Add a port to the switch of that name, which is made if there is none. Task context.
 * @param[out] err  on failure why
 * @return 0; -ENOSPC: too many switches or ports; -EEXIST: its address is another port's
 */
int switch_port_add(const char *name, struct switch_port *port, char *err, size_t err_size) __must_check;
/** Remove it: when this returns, nobody looks at it any more. Task context. */
void switch_port_remove(struct switch_port *port);

/**
 * Send a frame into the switch. Its first segment has at least the Ethernet header, where the sender cannot change it.
 * @return 0: it was handed on, or dropped and counted; -EAGAIN: its receiver has no buffers, and resume will be
 * called. Not for frames to many, nor from a port without resume.
 */
int switch_send(struct switch_port *from, const struct net_frame *frame);

/** The port has buffers again, after its deliver said -EAGAIN. No lock held. @return call it again: somebody still waits */
bool switch_port_ready(struct switch_port *port);

/** Count a frame of this port that was dropped before it came to switch_send. */
void switch_port_drop(struct switch_port *port, enum switch_drop why);
/** Pull the cable, or put it in. */
void switch_port_set_link(struct switch_port *port, bool up);
bool switch_port_has_link(const struct switch_port *port);
/** Is it a port of the switch of that name? */
bool switch_port_is_of(const struct switch_port *port, const char *name);

/* The table of addresses (vmm/net/mac.c). The switch's lock is held. */

struct mac_table {
	struct switch_mac *buckets[SWITCH_BUCKETS];
};

static inline uint64_t mac_number(const uint8_t *bytes)
{
	return (uint64_t)bytes[0] | (uint64_t)bytes[1] << 8 | (uint64_t)bytes[2] << 16 | (uint64_t)bytes[3] << 24 |
	       (uint64_t)bytes[4] << 32 | (uint64_t)bytes[5] << 40;
}

/** Is it an address of many? */
static inline bool mac_is_group(uint64_t mac)
{
	return mac & 1;
}

/** @return the port behind which it is, or NULL: not known, or not any more */
struct switch_port *mac_find(struct mac_table *t, uint64_t mac, uint64_t now);
/** A frame came from there. @return false: the address is another port's */
bool mac_learn(struct mac_table *t, struct switch_port *port, uint64_t mac, uint64_t now) __must_check;
/** An address for ever. @return false: it is another port's */
bool mac_fix(struct mac_table *t, struct switch_port *port, uint64_t mac) __must_check;
/** Forget all of a port. */
void mac_forget(struct mac_table *t, struct switch_port *port);

/* For the monitor. Task context. */

struct switch_port_state {
	char net_switch[VM_NAME_MAX], owner[VM_NAME_MAX];
	unsigned number;
	bool has_address, isolated, uplink, up;
	uint8_t address[NET_MAC_SIZE];
	struct switch_counters counters;
};

struct switch_mac_state {
	char net_switch[VM_NAME_MAX], owner[VM_NAME_MAX];
	unsigned number;
	uint8_t address[NET_MAC_SIZE];
	bool fixed;
	uint64_t age_ns;
};

/** Call fn for each port, switch by switch. */
void switch_for_each_port(void (*fn)(const struct switch_port_state *s, void *arg), void *arg);
/** Call fn for each address that is known, port by port. */
void switch_for_each_mac(void (*fn)(const struct switch_mac_state *s, void *arg), void *arg);
