/*
 * A channel as a platform device ("caisson,channel"): one page of registers, an
 * interrupt line, and the shared memory as a second range. docs/channel.md has
 * the registers. The core, which other front ends share, is vmm/channel.
 */
#include <vmm/vdev.h>

#include <errno.h>
#include <string.h>

#include <libfdt.h>

#include <caisson/mm.h>
#include <caisson/spinlock.h>
#include <vmm/channel.h>
#include <vmm/dt_writer.h>
#include <vmm/memory.h>

#define MAGIC 0x4c4e4843u /* "CHNL" */
#define VERSION 1
#define SAVE_VERSION 1
#define REG_WIDTH 4

enum {
	CH_MAGIC = 0x00, CH_VERSION = 0x04, CH_SIZE = 0x08, CH_ACCESS = 0x0c, CH_NUMBER = 0x10, CH_MEMBERS = 0x14,
	CH_PRESENT = 0x18, CH_STATE = 0x1c, CH_DOORBELL = 0x20, CH_PENDING = 0x24, CH_ENABLE = 0x28,
	REGS_SIZE = 0x2c,
};

/* Bits that PENDING and ENABLE have: one for each member that rings, and one for presence. */
#define EVENTS ((uint32_t)(BITS(CHANNEL_MEMBERS_MAX - 1, 0) | BIT(CHANNEL_PRESENCE)))

/* All that a guest can change, and so all that is saved. */
struct regs {
	uint32_t version;
	uint32_t pending, enabled;
	uint32_t present;      /* in saved state only: the core has it */
};

struct vchannel {
	spinlock_t lock;       /* then: interrupt controller. The core is called without it */
	bool line;
	bool stopped;          /* the VM has ended: its line stays as it is */
	struct regs r;
	struct channel_end *end;
	struct vdev *dev;
};

static void update_line(struct vchannel *c)
{
	bool line = c->r.pending & c->r.enabled;

	if (line == c->line || c->stopped)
		return;
	c->line = line;
	c->dev->host->irq_level(c->dev->host->vm, c->dev->irq, line);
}

/* From the core, its lock held. */
static void on_event(void *arg, unsigned from)
{
	struct vchannel *c = arg;

	spin_lock(&c->lock);
	c->r.pending |= (uint32_t)BIT(from);
	update_line(c);
	spin_unlock(&c->lock);
}

static uint32_t read_register(const struct vchannel *c, unsigned reg)
{
	switch (reg) {
	case CH_MAGIC:
		return MAGIC;
	case CH_VERSION:
		return VERSION;
	case CH_SIZE:
		return (uint32_t)channel_config(c->end)->size;
	case CH_ACCESS:
		return c->end->write;
	case CH_NUMBER:
		return c->end->number;
	case CH_MEMBERS:
		return channel_config(c->end)->n_members;
	case CH_PRESENT:
		return channel_present(c->end);
	case CH_STATE:
		return channel_present(c->end) >> c->end->number & 1;
	case CH_PENDING:
		return __atomic_load_n(&c->r.pending, __ATOMIC_RELAXED);
	case CH_ENABLE:
		return __atomic_load_n(&c->r.enabled, __ATOMIC_RELAXED);
	default: /* the doorbell reads as 0 */
		return 0;
	}
}

static int vchannel_read(void *dev, uint64_t off, unsigned size, uint64_t *value);
static int vchannel_write(void *dev, uint64_t off, unsigned size, uint64_t value);

static const struct device_ops channel_ops = { .name = "channel", .read = vchannel_read, .write = vchannel_write };

static int vchannel_read(void *dev, uint64_t off, unsigned size, uint64_t *value)
{
	if (!vdev_is_whole(off, size, REG_WIDTH))
		return vdev_split_read(&channel_ops, dev, off, size, REG_WIDTH, value);
	if (size != REG_WIDTH || off >= REGS_SIZE)
		return -EINVAL;
	*value = read_register(dev, (unsigned)off);
	return 0;
}

/* Change pending or enabled bits, and the line with them. */
static void change(struct vchannel *c, uint32_t *reg, uint32_t value)
{
	spin_lock(&c->lock);
	*reg = value & EVENTS;
	update_line(c);
	spin_unlock(&c->lock);
}

static void acknowledge(struct vchannel *c, uint32_t bits)
{
	spin_lock(&c->lock);
	c->r.pending &= ~bits;
	update_line(c);
	spin_unlock(&c->lock);
}

static int vchannel_write(void *dev, uint64_t off, unsigned size, uint64_t value)
{
	struct vchannel *c = dev;

	if (!vdev_is_whole(off, size, REG_WIDTH))
		return vdev_split_write(&channel_ops, dev, off, size, REG_WIDTH, value);
	if (size != REG_WIDTH || off >= REGS_SIZE)
		return -EINVAL;
	switch (off) {
	case CH_STATE:
		channel_set_present(c->end, value & 1);
		break;
	case CH_DOORBELL:
		channel_ring(c->end, (uint32_t)value);
		break;
	case CH_PENDING:
		acknowledge(c, (uint32_t)value);
		break;
	case CH_ENABLE:
		change(c, &c->r.enabled, (uint32_t)value);
		break;
	default: /* read only */
		break;
	}
	return 0;
}

static int vchannel_create(struct vdev *dev)
{
	struct vchannel *c = kzalloc(sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->dev = dev;
	c->end = dev->backend;
	dev->state = c;
	channel_listen(c->end, on_event, c);
	return 0;
}

static void vchannel_destroy(struct vdev *dev)
{
	struct vchannel *c = dev->state;

	channel_detach(c->end);
	kfree(c);
	dev->state = NULL;
}

/* To the interrupt controller the source falls first, whatever it was told before. */
static void load(struct vchannel *c, const struct regs *r)
{
	irqflags_t flags = spin_lock_irqsave(&c->lock);

	c->r = *r;
	c->line = false;
	c->stopped = false;
	c->dev->host->irq_level(c->dev->host->vm, c->dev->irq, false);
	update_line(c);
	spin_unlock_irqrestore(&c->lock, flags);
}

static void vchannel_reset(struct vdev *dev)
{
	struct vchannel *c = dev->state;
	const struct regs r = { .pending = 0 };

	channel_set_present(c->end, false);
	load(c, &r);
}

/* The peers see it go as soon as it has ended, not only when it is reset or deleted. */
static void vchannel_stop(struct vdev *dev)
{
	struct vchannel *c = dev->state;
	irqflags_t flags;

	channel_set_present(c->end, false);
	flags = spin_lock_irqsave(&c->lock);
	c->stopped = true;
	spin_unlock_irqrestore(&c->lock, flags);
}

static size_t vchannel_save(struct vdev *dev, void *buf, size_t size)
{
	struct vchannel *c = dev->state;
	irqflags_t flags;
	struct regs r;

	if (size < sizeof(r))
		return sizeof(r);
	flags = spin_lock_irqsave(&c->lock);
	r = c->r;
	spin_unlock_irqrestore(&c->lock, flags);
	r.version = SAVE_VERSION;
	r.present = read_register(c, CH_STATE);
	memcpy(buf, &r, sizeof(r));
	return sizeof(r);
}

static int vchannel_restore(struct vdev *dev, const void *buf, size_t size)
{
	struct vchannel *c = dev->state;
	struct regs r;

	if (size != sizeof(r))
		return -EINVAL;
	memcpy(&r, buf, sizeof(r));
	if (r.version != SAVE_VERSION || r.present > 1 || ((r.pending | r.enabled) & ~EVENTS))
		return -EINVAL;
	channel_set_present(c->end, false);
	load(c, &r);
	channel_set_present(c->end, r.present);
	return 0;
}

static void vchannel_write_node(struct vdev *dev, struct dt_writer *w, uint32_t intc)
{
	static const char names[] = "registers\0memory";
	const struct vchannel *c = dev->state;
	const struct channel_config *config = channel_config(c->end);
	const uint64_t memory = GUEST_CHANNEL_MEMORY + (dev->base - GUEST_CHANNEL_BASE) / PAGE_SIZE * CHANNEL_SIZE_MAX;
	const fdt64_t reg[] = {
		cpu_to_fdt64(dev->base), cpu_to_fdt64(PAGE_SIZE), cpu_to_fdt64(memory), cpu_to_fdt64(config->size),
	};

	dt_begin_at(w, "channel", dev->base);
	dt_put_text(w, "compatible", "caisson,channel");
	dt_put(w, "reg", reg, sizeof(reg));
	dt_put(w, "reg-names", names, sizeof(names));
	vdev_node_interrupt(w, intc, dev->irq);
	dt_put_text(w, "label", config->name);
	if (!c->end->write)
		dt_put_flag(w, "read-only");
	dt_end(w);
}

const struct vdev_type vchannel_type = {
	.name = "channel",
	.size = PAGE_SIZE,
	.ops = { .name = "channel", .read = vchannel_read, .write = vchannel_write },
	.create = vchannel_create,
	.destroy = vchannel_destroy,
	.reset = vchannel_reset,
	.stop = vchannel_stop,
	.save = vchannel_save,
	.restore = vchannel_restore,
	.write_node = vchannel_write_node,
};
