/* virtio entropy device (virtio 1.2, section 5.4): a buffer that it fills when the generator asks. */
#include <caisson/random.h>

#include <errno.h>

#include <caisson/log.h>
#include <caisson/mm.h>
#include <caisson/spinlock.h>
#include <caisson/virtio.h>

#define LOG_NAME "virtio-rng"

#define BYTES 64u

struct rng {
	struct random_source source;
	struct virtio_device *vdev;
	struct virtq *vq;
	spinlock_t lock;       /* guards the queue and what follows; inside it: the generator's */
	bool asked;            /* the device has the buffer */
	uint8_t bytes[BYTES];
};

/* What it has filled in. The bytes are read once, by the generator; that the device may change them meanwhile does no harm. */
static void take(struct rng *rng)
{
	uint32_t written;

	while (virtq_take(rng->vq, &written)) {
		rng->asked = false;
		random_add(rng->bytes, written, 8 * written);
	}
}

static void rng_ask(struct random_source *source)
{
	struct rng *rng = container_of(source, struct rng, source);
	irqflags_t flags = spin_lock_irqsave(&rng->lock);

	take(rng);
	if (!rng->asked && !virtio_is_broken(rng->vdev)) {
		rng->asked = virtq_add(rng->vq, &(struct virtq_buf){ rng->bytes, BYTES, true }, 1, rng) == 0;
		virtq_kick(rng->vq);
	}
	spin_unlock_irqrestore(&rng->lock, flags);
}

static void rng_used(struct virtq *q)
{
	struct rng *rng = virtq_device(q)->priv;
	irqflags_t flags = spin_lock_irqsave(&rng->lock);

	take(rng);
	spin_unlock_irqrestore(&rng->lock, flags);
}

/* The buffer is the driver's for ever, so that there is nothing to take back. */
static void rng_broken(struct virtio_device *vdev)
{
	(void)vdev;
}

static int rng_probe(struct virtio_device *vdev)
{
	struct rng *rng = kzalloc(sizeof(*rng));
	int error;

	if (!rng)
		return -ENOMEM;
	error = virtq_create(vdev, 0, 1, rng_used, &rng->vq);
	if (error) {
		kfree(rng);
		return error;
	}
	rng->vdev = vdev;
	rng->source.ask = rng_ask;
	rng->lock = (spinlock_t)SPINLOCK_INIT;
	vdev->priv = rng;
	virtio_ready(vdev);
	random_source_register(&rng->source);
	return 0;
}

VIRTIO_DRIVER(virtio_rng) = {
	.name = "virtio-rng",
	.device_id = VIRTIO_ID_RNG,
	.probe = rng_probe,
	.broken = rng_broken,
};
