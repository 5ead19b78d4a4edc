/*
 * Network device of a VM (virtio 1.2, 5.1): a port of a switch. What its guest sends is given to the switch while the
 * guest's kick lasts; what the switch has for it is copied into buffers that the guest has posted, by the sender. A chain
 * whose receiver has no buffers stays in its ring, and all behind it, until the switch calls back.
 */
#include <errno.h>
#include <string.h>

#include <caisson/mm.h>
#include <vmm/net.h>
#include <vmm/offload.h>
#include <vmm/switch.h>
#include <vmm/virtio.h>

enum { RX, TX, QUEUES };

enum {
	F_CSUM = 0, F_GUEST_CSUM = 1, F_MTU = 3, F_MAC = 5, F_GUEST_TSO4 = 7, F_GUEST_TSO6 = 8, F_GUEST_ECN = 9,
	F_HOST_TSO4 = 11, F_HOST_TSO6 = 12, F_HOST_ECN = 13, F_MRG_RXBUF = 15, F_STATUS = 16,
};

#define ALWAYS (BIT(F_MTU) | BIT(F_MAC) | BIT(F_MRG_RXBUF) | BIT(F_STATUS))
#define OFFLOADS                                                                                       \
	(BIT(F_CSUM) | BIT(F_GUEST_CSUM) | BIT(F_GUEST_TSO4) | BIT(F_GUEST_TSO6) | BIT(F_GUEST_ECN) | \
	 BIT(F_HOST_TSO4) | BIT(F_HOST_TSO6) | BIT(F_HOST_ECN))

/* Configuration, 5.1.4. */
struct config {
	uint8_t mac[NET_MAC_SIZE];
	uint16_t status, pairs, mtu;
};

#define STATUS_LINK_UP 1

/* What stands before each frame, 5.1.6. */
struct header {
	uint8_t flags, gso;
	uint16_t header_len, gso_size, csum_start, csum_offset, buffers;
};

enum { NEEDS_CSUM = 1, DATA_VALID = 2 };
enum { GSO_NONE = 0, GSO_TCPV4 = 1, GSO_TCPV6 = 4, GSO_ECN = 0x80 };

#define KICK_BYTES (256 * KiB)   /* given away in one kick at most; then others get the hart */
#define ATTEMPTS 3               /* at filling buffers that come just now */
#define WINDOW 8                 /* pieces of a buffer that are looked up at a time */

/* A buffer that was filled and is not shown to the guest yet. */
struct filled {
	uint16_t head;
	uint32_t len;
};

struct net {
	struct vio *dev;
	struct switch_port port;
	uint16_t mtu;
	uint32_t can;            /* enum net_feature: what the guest takes */
	unsigned n_filled;       /* this and the next: the receive queue's lock */
	struct filled filled[VIO_QUEUE_SIZE];
	uint8_t header[sizeof(struct header) + NET_HEADER_SIZE]; /* the transmit queue's lock, as the following */
	struct segment segs[1 + OFFLOAD_SEGMENTS_MAX];
};

/* --- from the guest --- */

static int read_offload(const struct net *s, const struct header *h, struct net_offload *o)
{
	static const struct { uint8_t gso; unsigned feature; enum net_gso means; } kinds[] = {
		{ GSO_TCPV4, F_HOST_TSO4, NET_GSO_TCPV4 }, { GSO_TCPV6, F_HOST_TSO6, NET_GSO_TCPV6 },
	};

	*o = (struct net_offload){ .needs_csum = h->flags & NEEDS_CSUM };
	if (!o->needs_csum)
		return h->gso == GSO_NONE ? 0 : -EINVAL;
	if (!vio_has(s->dev, F_CSUM))
		return -EINVAL;
	o->csum_start = h->csum_start;
	o->csum_offset = h->csum_offset;
	if (likely(h->gso == GSO_NONE))
		return 0;
	o->ecn = h->gso & GSO_ECN;
	if (o->ecn && !vio_has(s->dev, F_HOST_ECN))
		return -EINVAL;
	o->gso_size = h->gso_size;
	o->header_len = h->header_len;
	for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++)
		if ((h->gso & ~GSO_ECN) == kinds[i].gso && vio_has(s->dev, kinds[i].feature))
			o->gso = (uint8_t)kinds[i].means;
	return o->gso == NET_GSO_NONE ? -EINVAL : 0;
}

/*
 * The frame that stands in the chain. Its Ethernet header is copied, so that the addresses which the switch has
 * looked at are those that arrive; the rest stays where it is until the receiver has it.
 */
static int read_frame(struct net *s, struct vio_queue *q, struct net_frame *f)
{
	const uint32_t all = q->chain.read_len;
	struct header h;
	uint32_t covered;
	int n;

	if (all < sizeof(s->header) || all > sizeof(h) + NET_FRAME_MAX)
		return -EINVAL;
	if (vio_copy_out(q, 0, s->header, sizeof(s->header)) < sizeof(s->header))
		return -ENOMEM;
	memcpy(&h, s->header, sizeof(h));
	f->len = all - sizeof(h);
	if (read_offload(s, &h, &f->offload))
		return -EINVAL;
	if (f->offload.gso == NET_GSO_NONE && f->len > (uint32_t)s->mtu + NET_HEADER_SIZE + NET_VLAN_SIZE)
		return -EINVAL;
	s->segs[0] = (struct segment){ s->header + sizeof(h), NET_HEADER_SIZE };
	n = vio_segments(q, VIO_READS, sizeof(s->header), all - sizeof(s->header), s->segs + 1, OFFLOAD_SEGMENTS_MAX - 1,
			 &covered);
	if (n < 0)
		return n;
	f->segs = s->segs;
	f->n = 1 + (unsigned)n;
	return covered == all - sizeof(s->header) ? 0 : -EMSGSIZE;
}

/* A frame in very many pieces: in one piece of our own. */
static int send_scattered(struct net *s, struct vio_queue *q, struct net_frame *f)
{
	uint32_t n = f->len - NET_HEADER_SIZE;
	void *copy = kalloc(n);
	int error = -ENOMEM;

	if (copy && vio_copy_out(q, sizeof(s->header), copy, n) == n) {
		s->segs[1] = (struct segment){ copy, n };
		f->segs = s->segs;
		f->n = 2;
		error = switch_send(&s->port, f);
	}
	kfree(copy);
	return error;
}

/* @return 0: it is gone one way or another; -EAGAIN: its receiver has no buffers */
static int transmit(struct net *s, struct vio_queue *q, uint32_t *len)
{
	struct net_frame f = { .len = 0 };
	int error = read_frame(s, q, &f);

	if (likely(!error))
		error = switch_send(&s->port, &f);
	else if (error == -EMSGSIZE)
		error = send_scattered(s, q, &f);
	*len = f.len;
	if (likely(!error) || error == -EAGAIN)
		return error;
	switch_port_drop(&s->port, error == -ENOMEM ? DROP_FAILED : DROP_BAD);
	return 0;
}

/* What stands in the ring. @return is there more than should be done at once? */
static bool transmit_some(struct net *s, struct vio_queue *q)
{
	unsigned left = VIO_KICK_MAX;
	uint64_t bytes = 0;

	do {
		while (vio_pop(q)) {
			uint32_t len, cost;

			if (unlikely(transmit(s, q, &len))) {
				vio_unpop(q, 1);
				return false;
			}
			vio_push(q, q->chain.head, 0);
			cost = MAX(s->port.copies, 1u);
			bytes += (uint64_t)len * cost;
			left -= MIN(left, cost);
			if (left == 0 || bytes > KICK_BYTES)
				return true;
		}
	} while (vio_want_kick(q, true));
	return false;
}

static bool transmit_all(struct net *s)
{
	struct vio_queue *q = &s->dev->queues[TX];
	irqflags_t flags = vio_lock(q);
	bool more;

	(void)vio_want_kick(q, false);
	more = transmit_some(s, q);
	vio_publish(q);
	vio_unlock(q, flags);
	return more;
}

static bool resume(struct switch_port *port)
{
	return transmit_all(port->arg);
}

/* New buffers: that is only of interest to those who wait for them. */
static bool buffers_came(struct net *s)
{
	struct vio_queue *q = &s->dev->queues[RX];
	irqflags_t flags = vio_lock(q);

	(void)vio_want_kick(q, false);
	vio_unlock(q, flags);
	return switch_port_ready(&s->port);
}

static int net_kick(struct vio *dev, struct vio_queue *q)
{
	struct net *s = dev->state;

	return (q->index == TX ? transmit_all(s) : buffers_came(s)) ? -EAGAIN : 0;
}

/* --- to the guest --- */

/* Where copying out of a frame has got to. */
struct cursor {
	const struct segment *seg;
	uint32_t off;
};

static void copy_from(struct cursor *c, char *to, uint32_t n)
{
	while (n) {
		uint32_t part = MIN(n, c->seg->len - c->off);

		memcpy(to, (const char *)c->seg->data + c->off, part);
		to += part;
		n -= part;
		c->off += part;
		if (c->off == c->seg->len) {
			c->seg++;
			c->off = 0;
		}
	}
}

/* Bytes off to off + n of the buffer in q->chain. */
static int fill(struct vio_queue *q, uint32_t off, uint32_t n, struct cursor *c)
{
	while (n) {
		struct segment segs[WINDOW];
		uint32_t covered;
		int used = vio_segments(q, VIO_WRITES, off, n, segs, WINDOW, &covered);

		if (used <= 0)
			return used ? used : -EMSGSIZE;
		for (int i = 0; i < used; i++)
			copy_from(c, segs[i].data, segs[i].len);
		off += covered;
		n -= covered;
	}
	return 0;
}

static void write_header(const struct net *s, const struct net_offload *o, struct header *h)
{
	*h = (struct header){ .buffers = 1 };
	if (o->needs_csum) {
		h->flags = NEEDS_CSUM;
		h->csum_start = o->csum_start;
		h->csum_offset = o->csum_offset;
	} else if (o->csum_valid && (s->can & NET_CSUM)) {
		h->flags = DATA_VALID;
	}
	if (o->gso == NET_GSO_NONE)
		return;
	h->gso = (uint8_t)((o->gso == NET_GSO_TCPV4 ? GSO_TCPV4 : GSO_TCPV6) | (o->ecn ? GSO_ECN : 0));
	h->gso_size = o->gso_size;
	h->header_len = o->header_len;
}

/* The number of buffers stands in the first one, and is known after the last. */
static void set_buffers(const struct segment *place, unsigned n)
{
	uint8_t bytes[2] = { (uint8_t)n, (uint8_t)(n >> 8) };

	((uint8_t *)place[0].data)[0] = bytes[0];
	*(uint8_t *)(place[0].len > 1 ? (char *)place[0].data + 1 : place[1].data) = bytes[1];
}

/* Take a buffer and fill it. left: what there is still to copy. @return bytes copied, or negative errno */
static int64_t put_piece(struct net *s, struct vio_queue *q, struct cursor *c, uint32_t left)
{
	uint32_t n;
	int error;

	if (!vio_pop(q))
		return vio_runs(s->dev) ? -EAGAIN : -ENOTCONN;
	n = MIN(left, q->chain.write_len);
	s->filled[s->n_filled++] = (struct filled){ q->chain.head, n };
	if (n == 0)
		return -EMSGSIZE;
	error = fill(q, 0, n, c);
	return error ? error : (int64_t)n;
}

/* What does not fit the first buffer. */
static int put_rest(struct net *s, struct vio_queue *q, struct cursor *c, uint32_t left)
{
	const unsigned first = s->n_filled - 1;
	struct segment place[2];
	uint32_t covered;

	if (!vio_has(s->dev, F_MRG_RXBUF))
		return -EMSGSIZE;
	if (vio_segments(q, VIO_WRITES, offsetof(struct header, buffers), 2, place, 2, &covered) < 0)
		return -ENOMEM;
	if (covered < 2) /* the header alone does not fit */
		return -EMSGSIZE;
	while (left) {
		int64_t n = s->n_filled < ARRAY_SIZE(s->filled) ? put_piece(s, q, c, left) : -EMSGSIZE;

		if (n < 0)
			return (int)n;
		left -= (uint32_t)n;
	}
	set_buffers(place, s->n_filled - first);
	return 0;
}

/* A frame into the guest's buffers; they are shown to it later. The receive queue's lock is held. */
static int put(const struct net_frame *f, void *arg)
{
	struct net *s = arg;
	struct vio_queue *q = &s->dev->queues[RX];
	struct segment segs[2 + OFFLOAD_SEGMENTS_MAX + 1];
	struct cursor c = { .seg = segs };
	struct header h;
	int64_t n;

	if (f->n > ARRAY_SIZE(segs) - 1 || s->n_filled == ARRAY_SIZE(s->filled))
		return -EMSGSIZE;
	write_header(s, &f->offload, &h);
	segs[0] = (struct segment){ &h, sizeof(h) };
	memcpy(segs + 1, f->segs, f->n * sizeof(*segs));
	n = put_piece(s, q, &c, sizeof(h) + f->len);
	if (n < 0 || n == (int64_t)(sizeof(h) + f->len))
		return n < 0 ? (int)n : 0;
	return put_rest(s, q, &c, (uint32_t)(sizeof(h) + f->len - n));
}

/*
 * Fill buffers: all that it takes, or none. When there are too few, more of them will come with a kick; *more says that
 * some came before that was asked for.
 */
static int fill_buffers(struct net *s, struct vio_queue *q, const struct net_frame *f, bool *more)
{
	int error;

	*more = false;
	s->n_filled = 0;
	error = likely(offload_fits(&f->offload, s->can)) ? put(f, s) : offload_finish(f, put, s);
	if (unlikely(error)) {
		*more = error == -EAGAIN && vio_want_kick(q, true);
		vio_unpop(q, s->n_filled);
	}
	return error;
}

static int deliver_locked(struct net *s, struct vio_queue *q, const struct net_frame *f)
{
	bool more = false;
	int error;

	if (!vio_runs(s->dev))
		return -ENOTCONN;
	error = fill_buffers(s, q, f, &more);
	for (unsigned i = 0; unlikely(more) && i < ATTEMPTS; i++)
		error = fill_buffers(s, q, f, &more);
	if (error)
		return error;
	for (unsigned i = 0; i < s->n_filled; i++)
		vio_push(q, s->filled[i].head, s->filled[i].len);
	vio_publish(q);
	return 0;
}

static int deliver(struct switch_port *port, const struct net_frame *f)
{
	struct net *s = port->arg;
	struct vio_queue *q = &s->dev->queues[RX];
	irqflags_t flags = vio_lock(q);
	int error = deliver_locked(s, q, f);

	vio_unlock(q, flags);
	return error;
}

static const struct switch_port_ops port_ops = { .deliver = deliver, .resume = resume };

/* --- its life --- */

/* What the guest takes: without its own checksums it can have no packets that are to be cut (5.1.3.1). */
static void net_start(struct vio *dev)
{
	static const struct { unsigned feature; uint32_t can; } all[] = {
		{ F_GUEST_CSUM, NET_CSUM }, { F_GUEST_TSO4, NET_TSO4 }, { F_GUEST_TSO6, NET_TSO6 }, { F_GUEST_ECN, NET_TSO_ECN },
	};
	struct net *s = dev->state;

	s->can = 0;
	for (unsigned i = 0; i < ARRAY_SIZE(all); i++)
		if (vio_has(dev, all[i].feature) && vio_has(dev, F_GUEST_CSUM))
			s->can |= all[i].can;
}

static void net_reset(struct vio *dev)
{
	((struct net *)dev->state)->can = 0;
}

void vio_net_set_link(struct vio *dev, bool up)
{
	struct net *s = dev->state;
	uint16_t status = up ? STATUS_LINK_UP : 0;

	if (switch_port_has_link(&s->port) == up)
		return;
	switch_port_set_link(&s->port, up);
	vio_set_config(dev, offsetof(struct config, status), &status, sizeof(status));
}

static void set_up_port(struct net *s, const struct vio_net_backend *b)
{
	s->port.ops = &port_ops;
	s->port.arg = s;
	s->port.owner = b->owner;
	s->port.number = b->number;
	s->port.has_address = true;
	memcpy(s->port.address, b->config->mac, NET_MAC_SIZE);
	s->port.isolated = b->config->isolated;
}

static void set_up_device(struct vio *dev, const struct net_config *c)
{
	struct config config = { .status = STATUS_LINK_UP, .pairs = 1, .mtu = c->mtu };

	memcpy(config.mac, c->mac, NET_MAC_SIZE);
	memcpy(dev->config, &config, sizeof(config));
	dev->config_size = sizeof(config);
	dev->offered = ALWAYS | (c->plain ? 0 : OFFLOADS);
	/* A sender's queue is locked when a receiver's is taken: for the check they are locks of two kinds. */
	dev->queues[RX].lock = (spinlock_t)SPINLOCK_INIT;
	dev->queues[TX].lock = (spinlock_t)SPINLOCK_INIT;
}

static int net_create(struct vio *dev)
{
	struct vio_net_backend *b = dev->backend;
	struct net *s = kzalloc(sizeof(*s));
	int error;

	b->why[0] = '\0';
	if (!s)
		return -ENOMEM;
	s->dev = dev;
	s->mtu = b->config->mtu;
	dev->state = s;
	set_up_device(dev, b->config);
	set_up_port(s, b);
	error = switch_port_add(b->config->net_switch, &s->port, b->why, sizeof(b->why));
	if (error)
		kfree(s);
	return error;
}

static void net_destroy(struct vio *dev)
{
	struct net *s = dev->state;

	switch_port_remove(&s->port);
	kfree(s);
}

const struct vio_type vio_net_type = {
	.name = "virtio-net",
	.id = VIO_ID_NET,
	.n_queues = QUEUES,
	.create = net_create,
	.destroy = net_destroy,
	.kick = net_kick,
	.start = net_start,
	.reset = net_reset,
};
