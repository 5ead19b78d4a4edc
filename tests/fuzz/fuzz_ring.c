/* Rings and registers: a type of device that does a little of everything with its chains, as its back end says. */
// sources: vmm/virtio/ring.c vmm/virtio/device.c vmm/virtio/mmio.c vmm/device/common.c vmm/image/dt_writer.c
#include "fuzz.h"

#include <errno.h>

#include <caisson/mm.h>

#define WAITING_MAX 300

enum { HOLDS = 1, GIVES_BACK = 2, WANTS_NO_KICK = 4, COPIES = 8, LOOKS = 16 };

struct waiting {
	uint16_t head;
	uint32_t written;
	struct vio_queue *q;
};

static struct {
	uint8_t mode;
	unsigned n;
	struct waiting waiting[WAITING_MAX];
} be;

/* --- the device --- */

static int create(struct vio *dev)
{
	dev->state = kzalloc(8);
	dev->config_size = 10;
	dev->config_writable = 0x3f0;
	dev->offered = BIT(0) | BIT(5);
	return dev->state ? 0 : -ENOMEM;
}

static void destroy(struct vio *dev)
{
	kfree(dev->state);
}

static uint32_t echo(struct vio_queue *q)
{
	char data[300];
	uint32_t n = vio_copy_out(q, 3, data, sizeof(data));

	return vio_copy_in(q, 0, data, n);
}

/* Every byte of what it is given to write, up to a limit. */
static uint32_t fill(struct vio_queue *q)
{
	struct segment segs[5];
	uint32_t covered, off = 0;

	for (unsigned round = 0; round < 4; round++) {
		int n = vio_segments(q, VIO_WRITES, off, 20000, segs, ARRAY_SIZE(segs), &covered);

		for (int i = 0; i < n; i++)
			memset(segs[i].data, 0x33, segs[i].len);
		if (n <= 0)
			break;
		off += covered;
	}
	return off;
}

static void work(struct vio_queue *q)
{
	uint32_t written = 0;

	if (be.mode & COPIES)
		written = echo(q);
	if (be.mode & LOOKS)
		written = MAX(written, fill(q));
	if ((be.mode & HOLDS) && be.n < WAITING_MAX)
		be.waiting[be.n++] = (struct waiting){ q->chain.head, written, q };
	else
		vio_push(q, q->chain.head, written);
}

static int kick(struct vio *dev, struct vio_queue *q)
{
	irqflags_t flags = vio_lock(q);
	unsigned n = 0;

	(void)dev;
	if (be.mode & WANTS_NO_KICK)
		(void)vio_want_kick(q, false);
	do {
		while (n < VIO_KICK_MAX && vio_pop(q)) {
			if ((be.mode & GIVES_BACK) && n == 0) {
				vio_unpop(q, 1);
				be.mode &= (uint8_t)~GIVES_BACK;
			} else {
				work(q);
			}
			n++;
		}
	} while (n < VIO_KICK_MAX && vio_want_kick(q, true));
	vio_publish(q);
	vio_unlock(q, flags);
	return n == VIO_KICK_MAX ? -EAGAIN : 0;
}

static int config_written(struct vio *dev, unsigned off, unsigned n)
{
	if (off + n > dev->config_size)
		fuzz_fail("bytes %u to %u of the configuration were written", off, off + n);
	return 0;
}

static const struct vio_type type = {
	.name = "virtio-fuzz", .id = 63, .n_queues = QUEUES_MAX, .create = create, .destroy = destroy, .kick = kick,
	.config_written = config_written,
};

/* --- its back end --- */

static void answer(unsigned i)
{
	struct waiting w = be.waiting[i];

	be.waiting[i] = be.waiting[--be.n];
	vio_complete(w.q, w.head, w.written);
}

static bool pump(void)
{
	if (be.n == 0)
		return false;
	answer(0);
	return true;
}

static void backend(struct guest *g, uint8_t what, uint16_t arg)
{
	uint8_t bytes[2] = { (uint8_t)arg, (uint8_t)(arg >> 8) };

	switch (what & 3) {
	case 0:
		be.mode = (uint8_t)arg;
		break;
	case 1:
		vio_set_config(g->dev, arg % 9, bytes, 2);
		break;
	default:
		if (be.n)
			answer(arg % be.n);
	}
}

static void *attach(struct guest *g)
{
	(void)g;
	be.mode = COPIES;
	be.n = 0;
	return NULL;
}

const struct fuzz_target fuzz_target = {
	.type = &type, .guests = 1, .drains = BITS(QUEUES_MAX - 1, 0), .any_chain = true, .attach = attach, .backend = backend,
	.pump = pump,
};
