/*
 * The entropy device of a VM (virtio 1.2, 5.4): fills the driver's buffers from our generator. It never has to wait, so
 * what a guest asks for costs the time of the vCPU that asks, and no one else's.
 */
#include <vmm/virtio_rng.h>

#include <errno.h>

#include <caisson/random.h>

#define PIECE 256       /* bytes for each buffer at most: the driver asks again (5.4.6) */
#define KICK_CHAINS 8   /* buffers for one kick, with interrupts off */

static void fill(struct vio_queue *q)
{
	uint32_t n = MIN(PIECE, q->chain.write_len);
	char bytes[PIECE];

	if (q->chain.n_read || n == 0) {
		vio_fail(q->dev, "queue %u: a buffer that is not for writing", q->index);
		n = 0;
	} else {
		random_bytes(bytes, n);
		n = vio_copy_in(q, 0, bytes, n);
	}
	vio_push(q, q->chain.head, n);
}

static int kick(struct vio *dev, struct vio_queue *q)
{
	irqflags_t flags = vio_lock(q);
	unsigned n = 0;

	(void)dev;
	do {
		while (n < KICK_CHAINS && vio_pop(q)) {
			fill(q);
			n++;
		}
	} while (n < KICK_CHAINS && vio_want_kick(q, true));
	vio_publish(q);
	vio_unlock(q, flags);
	return n < KICK_CHAINS ? 0 : -EAGAIN;
}

/* There is nothing to remember and nothing to configure. */
static int create(struct vio *dev)
{
	(void)dev;
	return 0;
}

static void destroy(struct vio *dev)
{
	(void)dev;
}

const struct vio_type vio_rng_type = {
	.name = "virtio-rng",
	.id = VIO_ID_ENTROPY,
	.n_queues = 1,
	.create = create,
	.destroy = destroy,
	.kick = kick,
};
