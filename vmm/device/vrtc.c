/*
 * The real-time clock ("google,goldfish-rtc"): nanoseconds since 1970 and one
 * alarm. The time that a guest sets is kept as a difference to the host's, so
 * it survives a reset, as on a machine with a battery.
 */
#include <vmm/vdev.h>
#include <caisson/mm.h>
#include <caisson/spinlock.h>
#include <errno.h>
#include <string.h>
#include <vmm/dt_writer.h>
#include <vmm/memory.h>

#define SAVE_VERSION 1
#define NODE_SIZE PAGE_SIZE
#define REGS_SIZE 0x24 /* QEMU's virt: one register more than are named */
#define REG_WIDTH 4

/*
 * Of the time the low half is read first and latches the high half; of the alarm the low half is
 * written last and sets it.
 */
enum {
	RTC_TIME_LOW = 0x00, RTC_TIME_HIGH = 0x04,
	RTC_ALARM_LOW = 0x08, RTC_ALARM_HIGH = 0x0c,
	RTC_IRQ_ENABLED = 0x10, RTC_CLEAR_ALARM = 0x14,
	RTC_ALARM_STATUS = 0x18, RTC_CLEAR_INTERRUPT = 0x1c,
};

/* All that a guest can see, and so all that is saved. */
struct regs {
	uint64_t ahead;      /* guest's time less the host's, modulo 2^64 */
	uint64_t alarm;      /* guest's time */
	uint32_t time_high;  /* latched */
	uint8_t running, pending, enabled; /* alarm set; alarm went off; interrupt allowed */
	uint8_t version;     /* in saved state only */
};

struct vrtc {
	spinlock_t lock;     /* then: interrupt controller; the host's timers */
	bool line;
	struct regs r;
	struct vdev *dev;
};

static uint64_t now(const struct vrtc *c)
{
	const struct vdev_host *host = c->dev->host;

	return c->r.ahead + (host->wall_ns ? host->wall_ns() : host->time_ns());
}

static void update_line(struct vrtc *c)
{
	bool line = c->r.pending && c->r.enabled;

	if (line == c->line)
		return;
	c->line = line;
	c->dev->host->irq_level(c->dev->host->vm, GUEST_RTC_IRQ, line);
}

static void host_alarm(struct vrtc *c, uint64_t at)
{
	const struct vdev_host *host = c->dev->host;

	if (host->alarm_set)
		host->alarm_set(host->vm, c->dev, at);
}

/* Go off if it is time, else have the host call at the time. */
static void follow_alarm(struct vrtc *c)
{
	uint64_t time = now(c), start = c->dev->host->time_ns();

	if (!c->r.running)
		return;
	if (c->r.alarm <= time) {
		c->r.running = 0;
		c->r.pending = 1;
		host_alarm(c, UINT64_MAX);
		update_line(c);
	} else if (c->r.alarm - time < UINT64_MAX - start) {
		host_alarm(c, start + (c->r.alarm - time));
	} else { /* centuries away */
		host_alarm(c, UINT64_MAX);
	}
}

static void vrtc_alarm(struct vdev *dev)
{
	struct vrtc *c = dev->state;

	spin_lock(&c->lock);
	follow_alarm(c); /* it may have been moved or taken back meanwhile */
	spin_unlock(&c->lock);
}

static uint32_t read_register(struct vrtc *c, unsigned reg)
{
	uint64_t time;

	switch (reg) {
	case RTC_TIME_LOW:
		time = now(c);
		c->r.time_high = (uint32_t)(time >> 32);
		return (uint32_t)time;
	case RTC_TIME_HIGH:
		return c->r.time_high;
	case RTC_ALARM_LOW:
		return (uint32_t)c->r.alarm;
	case RTC_ALARM_HIGH:
		return (uint32_t)(c->r.alarm >> 32);
	case RTC_IRQ_ENABLED:
		return c->r.enabled;
	case RTC_ALARM_STATUS:
		return c->r.running;
	default:
		return 0;
	}
}

static int vrtc_read(void *dev, uint64_t off, unsigned size, uint64_t *value)
{
	struct vrtc *c = dev;

	if (!vdev_is_whole(off, size, REG_WIDTH))
		return vdev_split_read(&vrtc_type.ops, dev, off, size, REG_WIDTH, value);
	if (size != REG_WIDTH || off >= REGS_SIZE)
		return -EINVAL;
	spin_lock(&c->lock);
	*value = read_register(c, (unsigned)off);
	spin_unlock(&c->lock);
	return 0;
}

static uint64_t with_low(uint64_t old, uint32_t low)
{
	return (old & ~(uint64_t)UINT32_MAX) | low;
}

static uint64_t with_high(uint64_t old, uint32_t high)
{
	return (uint64_t)high << 32 | (uint32_t)old;
}

static void write_register(struct vrtc *c, unsigned reg, uint32_t value)
{
	uint64_t time = now(c);

	switch (reg) {
	case RTC_TIME_LOW:
		c->r.ahead += with_low(time, value) - time;
		follow_alarm(c);
		break;
	case RTC_TIME_HIGH: /* the low half follows; an alarm must not go off in between */
		c->r.ahead += with_high(time, value) - time;
		break;
	case RTC_ALARM_LOW:
		c->r.alarm = with_low(c->r.alarm, value);
		c->r.running = 1;
		follow_alarm(c);
		break;
	case RTC_ALARM_HIGH: /* takes effect with the low half */
		c->r.alarm = with_high(c->r.alarm, value);
		break;
	case RTC_IRQ_ENABLED:
		c->r.enabled = value & 1;
		break;
	case RTC_CLEAR_ALARM:
		c->r.running = 0;
		host_alarm(c, UINT64_MAX);
		break;
	case RTC_CLEAR_INTERRUPT:
		c->r.pending = 0;
		break;
	default: /* read only, or nothing there */
		break;
	}
	update_line(c);
}

static int vrtc_write(void *dev, uint64_t off, unsigned size, uint64_t value)
{
	struct vrtc *c = dev;

	if (!vdev_is_whole(off, size, REG_WIDTH))
		return vdev_split_write(&vrtc_type.ops, dev, off, size, REG_WIDTH, value);
	if (size != REG_WIDTH || off >= REGS_SIZE)
		return -EINVAL;
	spin_lock(&c->lock);
	write_register(c, (unsigned)off, (uint32_t)value);
	spin_unlock(&c->lock);
	return 0;
}

static int vrtc_create(struct vdev *dev)
{
	struct vrtc *c = kzalloc(sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->dev = dev;
	dev->state = c;
	return 0;
}

static void vrtc_destroy(struct vdev *dev)
{
	struct vrtc *c = dev->state;

	host_alarm(c, UINT64_MAX);
	kfree(c);
	dev->state = NULL;
}

/* To the interrupt controller the source falls first, whatever it was told before. */
static void load(struct vrtc *c, const struct regs *r)
{
	irqflags_t flags = spin_lock_irqsave(&c->lock);

	c->r = *r;
	c->line = false;
	c->dev->host->irq_level(c->dev->host->vm, GUEST_RTC_IRQ, false);
	host_alarm(c, UINT64_MAX);
	follow_alarm(c);
	update_line(c);
	spin_unlock_irqrestore(&c->lock, flags);
}

static void vrtc_reset(struct vdev *dev)
{
	const struct vrtc *c = dev->state;
	const struct regs r = { .ahead = c->r.ahead };

	load(dev->state, &r);
}

static size_t vrtc_save(struct vdev *dev, void *buf, size_t size)
{
	struct vrtc *c = dev->state;
	irqflags_t flags;
	struct regs r;

	if (size < sizeof(r))
		return sizeof(r);
	flags = spin_lock_irqsave(&c->lock);
	r = c->r;
	spin_unlock_irqrestore(&c->lock, flags);
	r.version = SAVE_VERSION;
	memcpy(buf, &r, sizeof(r));
	return sizeof(r);
}

static int vrtc_restore(struct vdev *dev, const void *buf, size_t size)
{
	struct regs r;

	if (size != sizeof(r))
		return -EINVAL;
	memcpy(&r, buf, sizeof(r));
	if (r.version != SAVE_VERSION || (r.running | r.pending | r.enabled) > 1)
		return -EINVAL;
	load(dev->state, &r);
	return 0;
}

/* Without alarms no interrupt is promised; Linux then leaves the clock alone. */
static void vrtc_write_node(struct vdev *dev, struct dt_writer *w, uint32_t intc)
{
	static const char compatible[] = "google,goldfish-rtc";

	vdev_begin_node(w, "rtc", compatible, sizeof(compatible), dev->type->base, NODE_SIZE);
	if (dev->host->alarm_set)
		vdev_node_interrupt(w, intc, GUEST_RTC_IRQ);
	dt_end(w);
}

VDEV_TYPE(vrtc_type) = {
	.name = "rtc",
	.base = GUEST_RTC_BASE,
	.size = PAGE_SIZE,
	.ops = { .name = "rtc", .read = vrtc_read, .write = vrtc_write },
	.create = vrtc_create,
	.destroy = vrtc_destroy,
	.reset = vrtc_reset,
	.save = vrtc_save,
	.restore = vrtc_restore,
	.alarm = vrtc_alarm,
	.write_node = vrtc_write_node,
};
