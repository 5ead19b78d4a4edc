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

#define SAVE_VERSION 2
#define NODE_SIZE UINT64_C(0x100) /* as in QEMU's tree, although only the first 8 bytes answer */
#define CLOCK_HZ 3686400

/* Saved state; of the input the first ring_count bytes count. */
struct saved {
	uint8_t version, pad;
	uint16_t ring_count;
	struct vuart_regs r;
	char ring[VUART_RING];
	uint8_t ring_breaks[VUART_RING / 8];
};

static const struct vuart_regs power_on = {
	.lsr = LSR_THRE | LSR_TEMT,
	.mcr = 0x08, /* OUT2 and, below, 9600 baud: what QEMU's virt starts with */
	.dll = 0x0c,
};

/* Lock held. To the interrupt controller the source falls first, whatever it was told before. */
static void load(struct vuart *u, const struct vuart_regs *r)
{
	u->r = *r;
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

	u->ring_head = u->ring_count = 0;
	load(u, &power_on);
	vuart_unlock(u, flags);
}

/* The ring from its head on. */
static void save_ring(const struct vuart *u, struct saved *s)
{
	s->ring_count = u->ring_count;
	for (unsigned n = 0; n < u->ring_count; n++) {
		unsigned i = (u->ring_head + n) % VUART_RING;

		s->ring[n] = u->ring[i];
		s->ring_breaks[n / 8] |= (uint8_t)((u->ring_breaks[i / 8] >> i % 8 & 1) << n % 8);
	}
}

static size_t vuart_save(struct vdev *dev, void *buf, size_t size)
{
	struct vuart *u = dev->state;
	struct saved *s = buf;
	irqflags_t flags;

	if (size < sizeof(*s))
		return sizeof(*s);
	memset(s, 0, sizeof(*s));
	s->version = SAVE_VERSION;
	flags = spin_lock_irqsave(&u->lock);
	s->r = u->r;
	if (!(s->r.lsr & LSR_THRE)) { /* where it is restored, another console takes its output */
		s->r.lsr |= LSR_THRE | LSR_TEMT;
		s->r.thr_pending = 1;
	}
	save_ring(u, s);
	spin_unlock_irqrestore(&u->lock, flags);
	return sizeof(*s);
}

/* A BREAK is shown exactly while it is the next byte, and only what is there can be one. */
static bool plausible_breaks(const struct vuart_regs *r)
{
	uint8_t shown = r->breaks >> r->head & 1 ? LSR_BI | LSR_FE : 0;
	uint32_t there = ((1U << r->count) - 1) << r->head;

	there |= there >> VUART_FIFO;
	return (r->lsr & (LSR_BI | LSR_FE)) == shown && !(r->breaks & ~there);
}

/* Could the registers ever have come to this? */
static bool plausible(const struct vuart_regs *r)
{
	unsigned capacity = r->fcr & 1 ? VUART_FIFO : 1;

	if ((r->lsr & ~(LSR_DR | LSR_ERRORS)) != (LSR_THRE | LSR_TEMT))
		return false;
	if (!(r->lsr & LSR_DR) != !r->count || r->count > capacity || r->head >= VUART_FIFO)
		return false;
	return !(r->ier & ~0x0f) && !(r->fcr & ~0xc9) && !(r->mcr & ~0x1f) && r->thr_pending <= 1 &&
	       plausible_breaks(r);
}

static int vuart_restore(struct vdev *dev, const void *buf, size_t size)
{
	struct vuart *u = dev->state;
	const struct saved *s = buf;
	struct vuart_regs r;
	irqflags_t flags;

	if (size != sizeof(*s))
		return -EINVAL;
	memcpy(&r, &s->r, sizeof(r)); /* checked and used is the same */
	if (s->version != SAVE_VERSION || s->ring_count > VUART_RING || !plausible(&r))
		return -EINVAL;
	flags = spin_lock_irqsave(&u->lock);
	u->ring_head = 0;
	u->ring_count = s->ring_count;
	memcpy(u->ring, s->ring, sizeof(u->ring));
	memcpy(u->ring_breaks, s->ring_breaks, sizeof(u->ring_breaks));
	load(u, &r);
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
