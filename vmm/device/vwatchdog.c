/*
 * A watchdog as Synopsys' DesignWare APB watchdog has it ("snps,dw-wdt", whose
 * driver Linux has): a counter at 32,768 Hz that ends the VM at zero, unless
 * the guest writes 0x76 to its restart register in time. It runs from the
 * start, with the period of the VM's description, until the guest chooses one
 * of its own periods of 2^16 to 2^31 counts. It cannot be stopped. There is no
 * interrupt before the end.
 */
#include <errno.h>
#include <string.h>

#include <caisson/mm.h>
#include <caisson/spinlock.h>
#include <vmm/dt_writer.h>
#include <vmm/guest_dt.h>
#include <vmm/memory.h>
#include <vmm/vdev.h>

#define SAVE_VERSION 1
#define CLOCK_HZ 32768
#define CLOCK_PHANDLE (GUEST_PLIC_PHANDLE + 2)
#define NS_PER_S UINT64_C(1000000000)

enum { WDT_CR = 0x00, WDT_TORR = 0x04, WDT_CCVR = 0x08, WDT_CRR = 0x0c, WDT_COMP_PARAMS_1 = 0xf4, WDT_COMP_TYPE = 0xfc };
enum { CR_ENABLED = 0x01, CRR_RESTART = 0x76, PARAMS_FIXED_PERIODS = 0x40, COMP_TYPE = 0x44570120 };
enum { TORR_TOP = 0x0f, TOP_LEAST = 16 };

struct watchdog {
	spinlock_t lock;
	struct vdev *dev;
	uint32_t torr;       /* as the guest wrote it */
	uint64_t period;     /* ns, of the count under way */
	uint64_t end;        /* of it, in the host's time */
};

struct saved {
	uint32_t version, torr;
	uint64_t period, left;
};

static uint64_t now(const struct watchdog *w)
{
	return w->dev->host->time_ns();
}

/* Lock held. */
static void count_from(struct watchdog *w, uint64_t left)
{
	w->end = now(w) + left;
	w->dev->host->alarm_set(w->dev->host->vm, w->dev, w->end);
}

static uint64_t period_of(uint32_t torr)
{
	return (NS_PER_S << (TOP_LEAST + (torr & TORR_TOP))) / CLOCK_HZ;
}

/* --- registers --- */

static uint32_t counts_left(const struct watchdog *w)
{
	uint64_t time = now(w), left = w->end > time ? w->end - time : 0;

	return (uint32_t)(left / NS_PER_S * CLOCK_HZ + left % NS_PER_S * CLOCK_HZ / NS_PER_S);
}

static uint32_t read_register(const struct watchdog *w, uint64_t off)
{
	switch (off) {
	case WDT_CR:
		return CR_ENABLED;
	case WDT_TORR:
		return w->torr;
	case WDT_CCVR:
		return counts_left(w);
	case WDT_COMP_PARAMS_1:
		return PARAMS_FIXED_PERIODS;
	case WDT_COMP_TYPE:
		return COMP_TYPE;
	default:
		return 0;
	}
}

static void write_register(struct watchdog *w, uint64_t off, uint32_t value)
{
	if (off == WDT_TORR) { /* it counts from the next restart on */
		w->torr = value & 0xff;
		w->period = period_of(w->torr);
	} else if (off == WDT_CRR && (value & 0xff) == CRR_RESTART) {
		count_from(w, w->period);
	}
}

/* Its registers are words: there is nothing narrower. */
static bool takes(uint64_t off, unsigned size)
{
	return off < PAGE_SIZE && !(off & 3) && size >= 4;
}

static int vwatchdog_read(void *dev, uint64_t off, unsigned size, uint64_t *value)
{
	struct watchdog *w = dev;

	if (!takes(off, size))
		return -EINVAL;
	if (!vdev_is_whole(off, size, 4))
		return vdev_split_read(&vwatchdog_type.ops, dev, off, size, 4, value);
	spin_lock(&w->lock);
	*value = read_register(w, off);
	spin_unlock(&w->lock);
	return 0;
}

static int vwatchdog_write(void *dev, uint64_t off, unsigned size, uint64_t value)
{
	struct watchdog *w = dev;

	if (!takes(off, size))
		return -EINVAL;
	if (!vdev_is_whole(off, size, 4))
		return vdev_split_write(&vwatchdog_type.ops, dev, off, size, 4, value);
	spin_lock(&w->lock);
	write_register(w, off, (uint32_t)value);
	spin_unlock(&w->lock);
	return 0;
}

/* A guest that is kept from running cannot feed it: then it begins again. */
static void vwatchdog_alarm(struct vdev *dev)
{
	const struct vdev_host *host = dev->host;
	struct watchdog *w = dev->state;
	bool bites;

	spin_lock(&w->lock);
	bites = now(w) >= w->end && host->runs(host->vm);
	if (!bites)
		count_from(w, now(w) >= w->end ? w->period : w->end - now(w));
	spin_unlock(&w->lock);
	if (bites)
		host->vm_end(host->vm, VDEV_WATCHDOG, 1);
}

/* --- life --- */

static int vwatchdog_create(struct vdev *dev)
{
	struct watchdog *w;

	if (!dev->host->watchdog_s)
		return -ENXIO;
	w = kzalloc(sizeof(*w));
	if (!w)
		return -ENOMEM;
	w->dev = dev;
	dev->state = w;
	return 0;
}

static void vwatchdog_destroy(struct vdev *dev)
{
	kfree(dev->state);
	dev->state = NULL;
}

static void vwatchdog_reset(struct vdev *dev)
{
	struct watchdog *w = dev->state;
	irqflags_t flags = spin_lock_irqsave(&w->lock);

	w->torr = 0;
	w->period = dev->host->watchdog_s * NS_PER_S;
	count_from(w, w->period);
	spin_unlock_irqrestore(&w->lock, flags);
}

static size_t vwatchdog_save(struct vdev *dev, void *buf, size_t size)
{
	struct watchdog *w = dev->state;
	struct saved s = { .version = SAVE_VERSION };
	irqflags_t flags;

	if (size < sizeof(s))
		return sizeof(s);
	flags = spin_lock_irqsave(&w->lock);
	s.torr = w->torr;
	s.period = w->period;
	s.left = w->end > now(w) ? w->end - now(w) : 0;
	spin_unlock_irqrestore(&w->lock, flags);
	memcpy(buf, &s, sizeof(s));
	return sizeof(s);
}

static int vwatchdog_restore(struct vdev *dev, const void *buf, size_t size)
{
	struct watchdog *w = dev->state;
	irqflags_t flags;
	struct saved s;

	if (size != sizeof(s))
		return -EINVAL;
	memcpy(&s, buf, sizeof(s));
	if (s.version != SAVE_VERSION || s.torr > 0xff || s.period < NS_PER_S || s.period > period_of(TORR_TOP) ||
	    s.left > period_of(TORR_TOP))
		return -EINVAL;
	flags = spin_lock_irqsave(&w->lock);
	w->torr = s.torr;
	w->period = s.period;
	count_from(w, s.left);
	spin_unlock_irqrestore(&w->lock, flags);
	return 0;
}

static void vwatchdog_write_node(struct vdev *dev, struct dt_writer *w, uint32_t intc)
{
	static const char compatible[] = "snps,dw-wdt";

	(void)intc;
	dt_begin(w, "watchdog-clock");
	dt_put_text(w, "compatible", "fixed-clock");
	dt_put_u32(w, "#clock-cells", 0);
	dt_put_u32(w, "clock-frequency", CLOCK_HZ);
	dt_put_u32(w, "phandle", CLOCK_PHANDLE);
	dt_end(w);
	vdev_begin_node(w, "watchdog", compatible, sizeof(compatible), dev->type->base, PAGE_SIZE);
	dt_put_u32(w, "clocks", CLOCK_PHANDLE);
	dt_end(w);
}

VDEV_TYPE(vwatchdog_type) = {
	.name = "watchdog",
	.base = GUEST_WATCHDOG_BASE,
	.size = PAGE_SIZE,
	.ops = { .name = "watchdog", .read = vwatchdog_read, .write = vwatchdog_write },
	.create = vwatchdog_create,
	.destroy = vwatchdog_destroy,
	.reset = vwatchdog_reset,
	.save = vwatchdog_save,
	.restore = vwatchdog_restore,
	.alarm = vwatchdog_alarm,
	.write_node = vwatchdog_write_node,
};
