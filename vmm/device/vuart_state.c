/*
 * The virtual UART's life cycle: creation, reset, saved state and device tree
 * node. Its registers are in vuart.c.
 */
#include <vmm/vuart_state.h>
#include <caisson/mm.h>
#include <errno.h>
#include <string.h>
#include <vmm/dt_writer.h>
#include <vmm/memory.h>

#define SAVE_VERSION 1
#define NODE_SIZE UINT64_C(0x100) /* as in QEMU's tree, although only the first 8 bytes answer */
#define CLOCK_HZ 3686400

/* Saved state: this, then VUART_RING bytes of input, of which ring_count count. */
struct saved {
	uint8_t version, pad;
	uint16_t ring_count;
	struct vuart_regs r;
};

static const struct vuart_regs power_on = {
	.lsr = LSR_THRE | LSR_TEMT,
	.mcr = 0x08, /* OUT2 and, below, 9600 baud: what QEMU's virt starts with */
	.dll = 0x0c,
};

/* Lock held. To the interrupt controller the source falls first, whatever it was told before. */
static void load(struct vuart *u, const struct vuart_regs *r, const char *ring, uint16_t ring_count)
{
	u->r = *r;
	u->ring_head = 0;
	u->ring_count = ring_count;
	memcpy(u->ring, ring, ring_count);
	u->line = false;
	u->host->irq_level(u->host->vm, GUEST_UART_IRQ, false);
	vuart_refresh(u);
}

static int vuart_create(struct vdev *dev)
{
	struct vuart *u = kzalloc(sizeof(*u));

	if (!u)
		return -ENOMEM;
	u->host = dev->host;
	u->r = power_on;
	dev->state = u;
	return 0;
}

static void vuart_destroy(struct vdev *dev)
{
	kfree(dev->state);
	dev->state = NULL;
}

static void vuart_reset(struct vdev *dev)
{
	struct vuart *u = dev->state;
	irqflags_t flags = spin_lock_irqsave(&u->lock);

	load(u, &power_on, "", 0);
	vuart_unlock(u, flags);
}

static size_t vuart_save(struct vdev *dev, void *buf, size_t size)
{
	struct vuart *u = dev->state;
	char *ring = (char *)buf + sizeof(struct saved);
	struct saved s = { .version = SAVE_VERSION };
	irqflags_t flags;
	size_t first;

	if (size < sizeof(s) + VUART_RING)
		return sizeof(s) + VUART_RING;
	memset(ring, 0, VUART_RING);
	flags = spin_lock_irqsave(&u->lock);
	s.ring_count = u->ring_count;
	s.r = u->r;
	first = MIN((size_t)u->ring_count, (size_t)(VUART_RING - u->ring_head));
	memcpy(ring, u->ring + u->ring_head, first);
	memcpy(ring + first, u->ring, u->ring_count - first);
	spin_unlock_irqrestore(&u->lock, flags);
	memcpy(buf, &s, sizeof(s));
	return sizeof(s) + VUART_RING;
}

/* Could the registers ever have come to this? */
static bool plausible(const struct vuart_regs *r)
{
	unsigned capacity = r->fcr & 1 ? VUART_FIFO : 1;

	if ((r->lsr & ~(LSR_DR | LSR_OE)) != (LSR_THRE | LSR_TEMT))
		return false;
	if (!(r->lsr & LSR_DR) != !r->count || r->count > capacity || r->head >= VUART_FIFO)
		return false;
	return !(r->ier & ~0x0f) && !(r->fcr & ~0xc9) && !(r->mcr & ~0x1f) && r->thr_pending <= 1;
}

static int vuart_restore(struct vdev *dev, const void *buf, size_t size)
{
	struct vuart *u = dev->state;
	irqflags_t flags;
	struct saved s;

	if (size != sizeof(s) + VUART_RING)
		return -EINVAL;
	memcpy(&s, buf, sizeof(s));
	if (s.version != SAVE_VERSION || s.ring_count > VUART_RING || !plausible(&s.r))
		return -EINVAL;
	flags = spin_lock_irqsave(&u->lock);
	load(u, &s.r, (const char *)buf + sizeof(s), s.ring_count);
	vuart_unlock(u, flags);
	return 0;
}

static void vuart_write_node(struct vdev *dev, struct dt_writer *w, uint32_t intc)
{
	static const char compatible[] = "ns16550a";

	vdev_begin_node(w, "serial", compatible, sizeof(compatible), dev->type->base, NODE_SIZE);
	dt_put_u32(w, "clock-frequency", CLOCK_HZ);
	vdev_node_interrupt(w, intc, GUEST_UART_IRQ);
	dt_end(w);
}

VDEV_TYPE(vuart_type) = {
	.name = "uart",
	.base = GUEST_UART_BASE,
	.size = PAGE_SIZE,
	.ops = { .name = "uart", .read = vuart_read, .write = vuart_write },
	.create = vuart_create,
	.destroy = vuart_destroy,
	.reset = vuart_reset,
	.save = vuart_save,
	.restore = vuart_restore,
	.write_node = vuart_write_node,
};
