/*
 * A virtio-mmio device that a test controls: registers, queues as the device
 * sees them, and lies. Includes drivers/virtio/mmio.c with its register accesses
 * turned to the model. The test says what the device does with its chains.
 */
#pragma once

#include <errno.h>

#include <arch/cpu.h>
#include <logged.h>
#include <mem.h>
#include <ram.h>
#include <test.h>

static uint64_t vd_read(const volatile void *at, unsigned size);
static void vd_write(volatile void *at, uint32_t value);
#define mmio_read8(p) ((uint8_t)vd_read(p, 1))
#define mmio_read16(p) ((uint16_t)vd_read(p, 2))
#define mmio_read32(p) ((uint32_t)vd_read(p, 4))
#define mmio_write32(p, v) vd_write(p, v)
#include "drivers/virtio/mmio.c"

#define MAYBE_UNUSED __attribute__((unused))

#define VD_BASE 0x10008000u
#define VD_QUEUES 2
#define VD_IRQ 8

struct vd_desc {
	uint64_t addr;
	uint32_t len;
	uint16_t flags, next;
};

struct vd_queue {
	uint32_t max, size, ready;
	uint64_t desc, avail, used;
	uint16_t next;              /* available entry to look at next */
	uint16_t used_idx;
};

/* A chain as the device sees it. */
struct vd_chain {
	uint16_t head;
	unsigned n, n_readable;
	struct vd_desc d[VIRTQ_MAX];
};

static struct {
	uint32_t magic, version, id;
	uint64_t features, agreed;
	uint32_t feature_sel, driver_sel, queue_sel;
	uint8_t status;
	uint8_t statuses[64];       /* each that was written */
	unsigned n_statuses, resets, notifies;
	uint32_t isr, generation;
	uint8_t config[64];
	struct vd_queue q[VD_QUEUES];
	bool refuses_features, ignores_reset;
	unsigned restless;          /* so many reads of the generation find another one */
	void (*config_read)(void);  /* called before each access of the configuration */
	uint64_t base, size;        /* in the device tree */
	bool no_irq;
	irq_handler_t handler;
	void *handler_arg;
	unsigned interrupts;
	char window[0x200];
} vd;

static char vd_fdt[2048] ALIGNED_TO(8);

void *io_map(hpa_t pa, uint64_t size)
{
	assert_int_equal(pa.v, VD_BASE);
	assert_int_equal(size, sizeof(vd.window));
	return mock_alloc_fails() ? NULL : vd.window;
}

int irq_register(unsigned irq, const char *name, irq_handler_t handler, void *arg)
{
	(void)name;
	assert_int_equal(irq, VD_IRQ);
	if (vd.no_irq)
		return -EINVAL;
	vd.handler = handler;
	vd.handler_arg = arg;
	return 0;
}

int irq_find(const void *fdt, int node, unsigned n, unsigned *source)
{
	return dt_u32(fdt, node, "interrupts", n, source);
}

static uint64_t vd_read_config(unsigned offset, unsigned size)
{
	uint64_t value = 0;

	if (vd.config_read)
		vd.config_read();
	assert_int_equal(offset % size, 0);
	assert_true(offset + size <= sizeof(vd.config));
	memcpy(&value, vd.config + offset, size);
	return value;
}

static uint32_t vd_read_register(unsigned reg)
{
	struct vd_queue *q = &vd.q[vd.queue_sel < VD_QUEUES ? vd.queue_sel : 0];

	switch (reg) {
	case REG_MAGIC: return vd.magic;
	case REG_VERSION: return vd.version;
	case REG_DEVICE_ID: return vd.id;
	case REG_DEVICE_FEATURES: return (uint32_t)(vd.features >> 32 * vd.feature_sel);
	case REG_QUEUE_MAX: return vd.queue_sel < VD_QUEUES ? q->max : 0;
	case REG_QUEUE_READY: return q->ready;
	case REG_INTERRUPT_STATUS: return vd.isr;
	case REG_STATUS: return vd.status;
	case REG_GENERATION:
		if (vd.restless) {
			vd.restless--;
			vd.generation++;
		}
		return vd.generation;
	}
	fail_msg("register %x is not readable", reg);
	return 0;
}

static uint64_t vd_read(const volatile void *at, unsigned size)
{
	unsigned reg = (unsigned)((const volatile char *)at - vd.window);

	if (reg >= REG_CONFIG)
		return vd_read_config(reg - REG_CONFIG, size);
	assert_int_equal(size, 4);
	return vd_read_register(reg);
}

static void vd_reset(void)
{
	vd.resets++;
	if (vd.ignores_reset)
		return;
	vd.status = 0;
	vd.agreed = 0;
	vd.isr = 0;
	for (unsigned i = 0; i < VD_QUEUES; i++)
		vd.q[i] = (struct vd_queue){ .max = vd.q[i].max };
}

static void vd_set_status(uint8_t status)
{
	if (vd.n_statuses < sizeof(vd.statuses))
		vd.statuses[vd.n_statuses++] = status;
	if (status == 0) {
		vd_reset();
		return;
	}
	assert_int_equal(vd.status & ~status, 0); /* nothing is taken back but by a reset */
	if (vd.refuses_features)
		status &= (uint8_t)~VIRTIO_FEATURES_OK;
	vd.status = status;
}

static void vd_set_half(uint64_t *value, bool high, uint32_t half)
{
	*value = high ? (uint32_t)*value | (uint64_t)half << 32 : (*value & ~UINT64_C(0xffffffff)) | half;
}

static void vd_write(volatile void *at, uint32_t value)
{
	unsigned reg = (unsigned)((volatile char *)at - vd.window);
	struct vd_queue *q = &vd.q[vd.queue_sel < VD_QUEUES ? vd.queue_sel : 0];

	switch (reg) {
	case REG_DEVICE_FEATURES_SEL: vd.feature_sel = value; return;
	case REG_DRIVER_FEATURES_SEL: vd.driver_sel = value; return;
	case REG_DRIVER_FEATURES: vd_set_half(&vd.agreed, vd.driver_sel, value); return;
	case REG_QUEUE_SEL: vd.queue_sel = value; return;
	case REG_QUEUE_SIZE: q->size = value; return;
	case REG_QUEUE_DESC: case REG_QUEUE_DESC + 4: vd_set_half(&q->desc, reg & 4, value); return;
	case REG_QUEUE_AVAIL: case REG_QUEUE_AVAIL + 4: vd_set_half(&q->avail, reg & 4, value); return;
	case REG_QUEUE_USED: case REG_QUEUE_USED + 4: vd_set_half(&q->used, reg & 4, value); return;
	case REG_QUEUE_READY: q->ready = value; return;
	case REG_STATUS: vd_set_status((uint8_t)value); return;
	case REG_INTERRUPT_ACK: vd.isr &= ~value; return;
	case REG_NOTIFY:
		assert_true(vd.status & VIRTIO_DRIVER_OK);
		assert_true(value < VD_QUEUES && vd.q[value].ready);
		vd.notifies++;
		return;
	}
	fail_msg("register %x is not writable", reg);
}

/* --- the device's side of a queue --- */

static uint16_t *vd_avail(const struct vd_queue *q)
{
	return (uint16_t *)(uintptr_t)q->avail; /* flags, idx, ring, used_event */
}

static uint16_t *vd_used(const struct vd_queue *q)
{
	return (uint16_t *)(uintptr_t)q->used; /* flags, idx, elements of 4 words, avail_event */
}

static unsigned vd_n_available(const struct vd_queue *q)
{
	return q->ready ? (uint16_t)(vd_avail(q)[1] - q->next) : 0;
}

/* Where the device says from which available entry on it wants to be told. */
MAYBE_UNUSED static void vd_set_avail_event(const struct vd_queue *q, uint16_t event)
{
	vd_used(q)[2 + 4 * q->size] = event;
}

/* The next chain; pieces that the device reads come first, or the driver is wrong. */
static struct vd_chain vd_take(struct vd_queue *q)
{
	const struct vd_desc *table = (const struct vd_desc *)(uintptr_t)q->desc;
	struct vd_chain c = { 0 };
	unsigned size = q->size;
	uint16_t at;

	assert_true(vd_n_available(q) > 0);
	c.head = at = vd_avail(q)[2 + q->next++ % q->size];
	if (table[at].flags & 4) { /* indirect, 2.7.5.3 */
		assert_true(vd.agreed & BIT(28));
		assert_int_equal(table[at].flags, 4);
		assert_int_equal(table[at].len % sizeof(*table), 0);
		size = table[at].len / sizeof(*table);
		assert_in_range(size, 1, q->size);
		table = (const struct vd_desc *)(uintptr_t)table[at].addr;
		at = 0;
	}
	for (bool more = true; more; at = table[at].next) {
		assert_true(at < size && c.n < ARRAY_SIZE(c.d));
		c.d[c.n++] = table[at];
		if (!(table[at].flags & 2)) {
			assert_int_equal(c.n, c.n_readable + 1);
			c.n_readable++;
		}
		more = table[at].flags & 1;
	}
	return c;
}

/* Put an entry into the used ring, true or not. */
MAYBE_UNUSED static void vd_use(struct vd_queue *q, uint32_t id, uint32_t len)
{
	uint32_t elem[2] = { id, len };

	memcpy(vd_used(q) + 2 + 4 * (q->used_idx % q->size), elem, sizeof(elem));
	vd_used(q)[1] = ++q->used_idx;
}

/* Interrupt for the given reasons, as the trap path does. */
MAYBE_UNUSED static void vd_interrupt(uint32_t reasons)
{
	bool on = mock_irq_on;

	vd.isr |= reasons;
	vd.interrupts++;
	mock_irq_on = false;
	vd.handler(vd.handler_arg);
	mock_irq_on = on;
	assert_int_equal(vd.isr, 0);
}

/* Has the driver asked for an interrupt after `n` more used entries? */
MAYBE_UNUSED static bool vd_wants_interrupt(const struct vd_queue *q, unsigned n)
{
	uint16_t event = vd_avail(q)[2 + q->size], old = (uint16_t)(q->used_idx - n);

	if (!(vd.agreed & BIT(VIRTIO_F_EVENT_IDX)))
		return !(vd_avail(q)[0] & 1);
	return (uint16_t)(q->used_idx - event - 1) < (uint16_t)(q->used_idx - old);
}

/* --- setting up --- */

static void vd_waits(bool wfi)
{
	(void)wfi;
	mock_time += 10;
}

static void vd_init(uint32_t id, uint64_t features)
{
	memset(&vd, 0, sizeof(vd));
	vd.base = VD_BASE;
	vd.size = sizeof(vd.window);
	vd.magic = MAGIC;
	vd.version = MODERN;
	vd.id = id;
	vd.features = features | BIT(VIRTIO_F_VERSION_1);
	vd.q[0].max = 1024;
	mock_wait = vd_waits;
	mock_time = 1;
	mock_alloc_fail_at = 0;
	mock_stack = NULL;
	timebase_hz = 10000000;
	mock_log_clear();
}

/* The driver meets the device. */
static int vd_probe(void)
{
	int node;

	assert_int_equal(fdt_create_empty_tree(vd_fdt, sizeof(vd_fdt)), 0);
	node = fdt_add_subnode(vd_fdt, 0, "virtio_mmio@10008000");
	assert_int_equal(fdt_setprop_u64(vd_fdt, node, "reg", vd.base), 0);
	assert_int_equal(fdt_appendprop_u32(vd_fdt, node, "reg", (uint32_t)vd.size), 0);
	assert_int_equal(fdt_setprop_u32(vd_fdt, node, "interrupts", VD_IRQ), 0);
	assert_int_equal(dt_init(vd_fdt), 0);
	return mmio_probe(vd_fdt, fdt_path_offset(vd_fdt, "/virtio_mmio@10008000"));
}
