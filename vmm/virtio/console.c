/*
 * The virtio console of a VM (virtio 1.2, 5.3): one port, with the terminal's size and with emergency writing.
 *
 * Output goes straight to the VM's console. When that is slow, what is left of a chain stays in the queue, and the
 * guest's kick is repeated. Input waits here until the driver offers room.
 */
#include <vmm/virtio_console.h>

#include <errno.h>
#include <string.h>

#include <caisson/mm.h>

#define RECEIVE 0
#define TRANSMIT 1
#define INPUT_ROOM 4096u /* a power of two: the indices run freely */
#define PIECE 256        /* bytes of output at a time, copied out of the guest's memory */
#define KICK_PIECES 4    /* and how many of those until others may have the hart */

enum { F_SIZE = 0, F_EMERG_WRITE = 2 };

/* Section 5.3.4. */
struct layout {
	uint16_t columns, rows;
	uint32_t max_ports;       /* without F_MULTIPORT it means nothing */
	uint32_t emergency;
};

struct console {
	bool listening;           /* atomic */
	/* With the transmit queue's lock. */
	bool sending;             /* a vCPU is at it */
	uint32_t sent;            /* of the next chain: the line had no room for the rest */
	/* With the receive queue's lock. */
	bool starved;             /* input was refused: tell the host when there is room */
	uint32_t head, tail;      /* bytes ever typed, and ever given to the driver */
	char typed[INPUT_ROOM];
};

/* The next chain that the driver has offered; after the last one, a kick is asked for. Lock held. */
static bool next_chain(struct vio_queue *q)
{
	return vio_pop(q) || (vio_want_kick(q, true) && vio_pop(q));
}

/* --- output --- */

/*
 * The next piece of the chain. While the console has it, the lock is not held: the console takes locks of its own, with
 * which it gives us input. @return does it take more?
 */
static bool send_piece(struct vio_queue *q, struct console *c)
{
	const struct vdev_host *host = q->dev->vdev->host;
	uint32_t want = MIN(PIECE, q->chain.read_len - c->sent), n;
	char piece[PIECE];
	size_t taken;

	n = vio_copy_out(q, c->sent, piece, want);
	vio_unlock(q, 0);
	taken = host->console_write(host->vm, piece, n);
	(void)vio_lock(q);
	c->sent += n < want ? want : (uint32_t)taken; /* what stands in memory that cannot be had is left out */
	return taken == n;
}

/* @return is all of it out? */
static bool send_chain(struct vio_queue *q, struct console *c, unsigned *pieces)
{
	while (c->sent < q->chain.read_len) {
		if (*pieces == 0)
			return false;
		--*pieces;
		if (!send_piece(q, c))
			return false;
	}
	c->sent = 0;
	return true;
}

/* @return 0: all is out; -EAGAIN: there may be more */
static int send_chains(struct vio_queue *q, struct console *c)
{
	unsigned pieces = KICK_PIECES;

	for (unsigned i = 0; i < VIO_KICK_MAX; i++) {
		if (!next_chain(q))
			return 0;
		if (q->chain.n_write) {
			vio_fail(q->dev, "queue %u: a buffer that is not for reading", q->index);
		} else if (!send_chain(q, c, &pieces)) {
			vio_unpop(q, 1);
			return -EAGAIN;
		}
		vio_push(q, q->chain.head, 0);
	}
	return -EAGAIN;
}

static int transmit(struct vio_queue *q, struct console *c)
{
	int result = -EAGAIN;

	(void)vio_lock(q);
	if (!c->sending) {
		c->sending = true;
		result = send_chains(q, c);
		vio_publish(q);
		c->sending = false;
	}
	vio_unlock(q, 0);
	return result;
}

/* --- input --- */

static uint32_t waiting(const struct console *c)
{
	return c->head - c->tail;
}

/* What was typed, to the driver. Lock held. @return 0, or -EAGAIN: there may be room for more of it */
static int deliver(struct vio_queue *q, struct console *c)
{
	int result = 0;

	for (unsigned i = 0; waiting(c) && next_chain(q); i++) {
		uint32_t at = c->tail % INPUT_ROOM, n = MIN(waiting(c), INPUT_ROOM - at);

		if (q->chain.n_read || !q->chain.write_len) {
			vio_fail(q->dev, "queue %u: a buffer that is not for writing", q->index);
			n = 0;
		} else {
			n = vio_copy_in(q, 0, c->typed + at, n);
		}
		c->tail += n;
		vio_push(q, q->chain.head, n);
		if (n == 0 || i + 1 == VIO_KICK_MAX) {
			result = -EAGAIN;
			break;
		}
	}
	vio_publish(q);
	return result;
}

static void listen(struct vio_queue *q, struct console *c)
{
	if (vio_want_kick(q, true) || !vio_is_empty(q))
		__atomic_store_n(&c->listening, true, __ATOMIC_RELAXED);
}

/* Half of the room at once, so that a fast sender is not called back for each byte. Lock held. */
static bool is_ready(struct console *c)
{
	bool ready = c->starved && waiting(c) <= INPUT_ROOM / 2;

	if (ready)
		c->starved = false;
	return ready;
}

static void tell_host(struct vio *dev, bool ready)
{
	if (ready)
		dev->vdev->host->console_ready(dev->vdev->host->vm);
}

static int receive(struct vio_queue *q, struct console *c)
{
	int result;
	bool ready;

	(void)vio_lock(q);
	listen(q, c);
	result = deliver(q, c);
	ready = is_ready(c);
	vio_unlock(q, 0);
	tell_host(q->dev, ready);
	return result;
}

bool vio_console_listens(const struct vio *dev)
{
	const struct console *c = dev->state;

	return __atomic_load_n(&c->listening, __ATOMIC_RELAXED) && vio_runs(dev);
}

size_t vio_console_input(struct vio *dev, const char *buf, size_t n)
{
	struct vio_queue *q = &dev->queues[RECEIVE];
	struct console *c = dev->state;
	irqflags_t flags = vio_lock(q);
	size_t taken = 0;

	while (taken < n && waiting(c) < INPUT_ROOM)
		c->typed[c->head++ % INPUT_ROOM] = buf[taken++];
	c->starved |= taken < n;
	(void)deliver(q, c); /* what is left goes with the driver's next kick */
	vio_unlock(q, flags);
	return taken;
}

/* --- configuration --- */

static void tell_size(struct vio *dev, const uint16_t size[2])
{
	vio_set_config(dev, offsetof(struct layout, columns), size, 2 * sizeof(size[0]));
}

void vio_console_resize(struct vio *dev, unsigned columns, unsigned rows)
{
	const uint16_t size[] = { (uint16_t)columns, (uint16_t)rows };

	if (memcmp(dev->config + offsetof(struct layout, columns), size, sizeof(size)) != 0)
		tell_size(dev, size);
}

static int config_written(struct vio *dev, unsigned off, unsigned n)
{
	const struct vdev_host *host = dev->vdev->host;
	unsigned at = offsetof(struct layout, emergency);

	if (off + n <= at)
		return 0;
	return host->console_put(host->vm, (char)dev->config[at]) == VDEV_FULL ? -EAGAIN : 0;
}

/* --- life --- */

static int kick(struct vio *dev, struct vio_queue *q)
{
	return q->index == TRANSMIT ? transmit(q, dev->state) : receive(q, dev->state);
}

/* Some drivers look at the size only when they are told that it has changed. */
static void start(struct vio *dev)
{
	uint16_t size[2];

	(void)vio_lock(&dev->queues[RECEIVE]);
	listen(&dev->queues[RECEIVE], dev->state);
	vio_unlock(&dev->queues[RECEIVE], 0);
	memcpy(size, dev->config + offsetof(struct layout, columns), sizeof(size));
	if (size[0])
		tell_size(dev, size);
}

static void reset(struct vio *dev)
{
	struct vio_queue *q = &dev->queues[RECEIVE];
	struct console *c = dev->state;
	irqflags_t flags = vio_lock(q);
	bool ready;

	__atomic_store_n(&c->listening, false, __ATOMIC_RELAXED);
	c->tail = c->head;
	ready = is_ready(c);
	vio_unlock(q, flags);
	c->sent = 0;
	tell_host(dev, ready);
}

static int create(struct vio *dev)
{
	dev->state = kzalloc(sizeof(struct console));
	if (!dev->state)
		return -ENOMEM;
	dev->offered = BIT(F_SIZE) | BIT(F_EMERG_WRITE);
	dev->config_size = sizeof(struct layout);
	dev->config_writable = BITS(sizeof(struct layout) - 1, offsetof(struct layout, emergency));
	return 0;
}

static void destroy(struct vio *dev)
{
	kfree(dev->state);
	dev->state = NULL;
}

const struct vio_type vio_console_type = {
	.name = "virtio-console",
	.id = VIO_ID_CONSOLE,
	.n_queues = 2,
	.create = create,
	.destroy = destroy,
	.kick = kick,
	.start = start,
	.reset = reset,
	.config_written = config_written,
};
