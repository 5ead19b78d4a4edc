/*
 * A guest with a virtio device: RAM whose pages stand apart from each other in the kernel's memory, and a driver that
 * keeps to the rules unless a test breaks them. Included by the tests of vmm/virtio; their sources are ring.c, device.c,
 * mmio.c, vmm/device/common.c and vmm/image/dt_writer.c beside their own.
 */
#pragma once

#include <errno.h>
#include <vdev_mock.h>
#include <vmm/memory.h>
#include <vmm/virtio.h>

#define MG_RAM UINT64_C(0x80000000)
#define MG_PAGES 64
#define MG_SIZE (MG_PAGES * PAGE_SIZE)
/* Where the driver puts queue q: at the ends of pages, so that each part crosses one. */
#define MG_DESC(q) (MG_RAM + 0x800 + (q) * 0x4000)
#define MG_AVAIL(q) (MG_RAM + 0x1f00 + (q) * 0x4000)
#define MG_USED(q) (MG_RAM + 0x2f00 + (q) * 0x4000)
#define MG_DATA (MG_RAM + 0x10000) /* the test's */
#define MG_SIZE_OF_QUEUE 64

enum { MG_NEXT = 1, MG_WRITE = 2, MG_INDIRECT = 4 };
enum { MG_F_INDIRECT = 28, MG_F_EVENT = 29, MG_F_VERSION_1 = 32 };

struct mg_desc { uint64_t gpa; uint32_t len; uint16_t flags, next; };

static struct {
	_Alignas(4096) char pages[2 * MG_PAGES][PAGE_SIZE]; /* every second one is a gap */
	bool moved;               /* RAM stands in the gaps now */
	bool no_memory;
	unsigned fail_after;      /* with no_memory: so many calls still succeed */
	struct vio *dev;
	uint16_t avail[8], used[8]; /* the driver's own indices, by queue */
	unsigned free[8];         /* next descriptor to use */
} mg;

/* The kernel's side. */

bool guest_in_ram(const struct vm *vm, gpa_t at, uint64_t n)
{
	(void)vm;
	return at.v >= MG_RAM && at.v - MG_RAM <= MG_SIZE && n <= MG_SIZE - (at.v - MG_RAM);
}

static void *mg_at(uint64_t gpa)
{
	return mg.pages[2 * ((gpa - MG_RAM) / PAGE_SIZE) + mg.moved] + gpa % PAGE_SIZE;
}

int guest_segment(struct vm *vm, gpa_t at, uint64_t n, struct segment *out)
{
	if (n == 0 || !guest_in_ram(vm, at, n))
		return -EFAULT;
	if (mg.no_memory && (mg.fail_after == 0 || mg.fail_after-- == 0))
		return -ENOMEM;
	*out = (struct segment){ mg_at(at.v), (uint32_t)MIN(n, PAGE_SIZE - at.v % PAGE_SIZE) };
	return 0;
}

int guest_extent(struct vm *vm, gpa_t at, struct guest_extent *out)
{
	struct segment seg;
	int error = guest_segment(vm, GPA(ALIGN_DOWN(at.v, PAGE_SIZE)), PAGE_SIZE, &seg);

	if (!error)
		*out = (struct guest_extent){ ALIGN_DOWN(at.v, PAGE_SIZE), PAGE_SIZE, seg.data };
	return error;
}

uint64_t time_now(void) { return mv.now; }
uint64_t time_from_us(uint64_t us) { return us; }

void task_sleep_until(uint64_t deadline)
{
	(void)deadline;
}

/* The guest's memory. */

static inline void mg_put(uint64_t gpa, const void *data, size_t n)
{
	for (size_t i = 0; i < n; i++)
		*(char *)mg_at(gpa + i) = ((const char *)data)[i];
}

static inline void mg_get(uint64_t gpa, void *data, size_t n)
{
	for (size_t i = 0; i < n; i++)
		((char *)data)[i] = *(char *)mg_at(gpa + i);
}

static inline void mg_put16(uint64_t gpa, uint16_t v) { mg_put(gpa, &v, 2); }
static inline uint16_t mg_get16(uint64_t gpa) { uint16_t v; mg_get(gpa, &v, 2); return v; }

static inline void mg_desc(unsigned q, unsigned i, uint64_t gpa, uint32_t len, unsigned flags, unsigned next)
{
	struct mg_desc d = { gpa, len, (uint16_t)flags, (uint16_t)next };

	mg_put(MG_DESC(q) + i * sizeof(d), &d, sizeof(d));
}

/* The driver. */

/** A device of this type for a new VM, at power-on. */
static inline void mg_start(const struct vio_type *type, void *backend)
{
	memset(&mg, 0, sizeof(mg));
	mg.dev = vio_new(type, backend);
	assert_non_null(mg.dev);
	memset(&mv, 0, sizeof(mv));
	mv.host = (struct vdev_host){ .irq_level = mv_irq_level, .time_ns = mv_time, .n_vcpus = 1, .vm = MOCK_VM };
	mv.dev = (struct vdev){ .type = &vio_mmio_type, .host = &mv.host, .base = GUEST_VIRTIO_BASE, .irq = GUEST_VIRTIO_IRQ,
				.backend = mg.dev };
	assert_int_equal(vio_mmio_type.create(&mv.dev), 0);
	vio_mmio_type.reset(&mv.dev);
}

static inline void mg_stop(void)
{
	vio_mmio_type.stop(&mv.dev);
	mv_stop();
}

static inline void mg_set_queue(unsigned q, unsigned size, uint64_t desc, uint64_t avail, uint64_t used)
{
	mv_put(0x030, 4, q);
	mv_put(0x038, 4, size);
	mv_put(0x080, 4, desc & UINT32_MAX);
	mv_put(0x084, 4, desc >> 32);
	mv_put(0x090, 4, avail & UINT32_MAX);
	mv_put(0x094, 4, avail >> 32);
	mv_put(0x0a0, 4, used & UINT32_MAX);
	mv_put(0x0a4, 4, used >> 32);
	mv_put(0x044, 4, 1);
}

static inline uint64_t mg_offered(void)
{
	uint64_t low;

	mv_put(0x014, 4, 0);
	low = mv_read(0x010, 4);
	mv_put(0x014, 4, 1);
	return mv_read(0x010, 4) << 32 | low;
}

/** Reset it and begin anew with these features (VERSION_1 comes by itself) and all its queues. */
static inline void mg_begin(uint64_t features)
{
	features |= BIT(MG_F_VERSION_1);
	mv_put(0x070, 4, 0);
	assert_int_equal(mv_read(0x070, 4), 0);
	mv_put(0x070, 4, 1);
	mv_put(0x070, 4, 3);
	for (unsigned i = 0; i < 2; i++) {
		mv_put(0x024, 4, i);
		mv_put(0x020, 4, features >> 32 * i & UINT32_MAX);
	}
	mv_put(0x070, 4, 11);
	assert_int_equal(mv_read(0x070, 4), 11);
	memset(mg.avail, 0, sizeof(mg.avail));
	memset(mg.used, 0, sizeof(mg.used));
	memset(mg.free, 0, sizeof(mg.free));
	for (unsigned q = 0; q < mg.dev->type->n_queues; q++) {
		static const char zeros[0x4000];

		mg_put(MG_DESC(q), zeros, MG_SIZE_OF_QUEUE * 16);
		mg_put(MG_AVAIL(q), zeros, 6 + 2 * MG_SIZE_OF_QUEUE);
		mg_put(MG_USED(q), zeros, 6 + 8 * MG_SIZE_OF_QUEUE);
		mg_set_queue(q, MG_SIZE_OF_QUEUE, MG_DESC(q), MG_AVAIL(q), MG_USED(q));
	}
	mv_put(0x070, 4, 15);
	assert_int_equal(mv_read(0x070, 4), 15);
}

/** Offer the chain that begins with this descriptor, without a kick. */
static inline void mg_offer(unsigned q, unsigned head)
{
	mg_put16(MG_AVAIL(q) + 4 + 2 * (mg.avail[q] % MG_SIZE_OF_QUEUE), (uint16_t)head);
	mg_put16(MG_AVAIL(q) + 2, ++mg.avail[q]);
}

static inline int mg_kick(unsigned q)
{
	return mv_try_write(0x050, 4, q);
}

/** One piece of a chain to be. */
struct mg_piece { uint64_t gpa; uint32_t len; bool write; };

/** Make a chain of these pieces from the next descriptors and offer it. @return its head */
static inline unsigned mg_add(unsigned q, const struct mg_piece *pieces, unsigned n)
{
	unsigned head = mg.free[q] % MG_SIZE_OF_QUEUE;

	for (unsigned i = 0; i < n; i++) {
		unsigned at = (mg.free[q] + i) % MG_SIZE_OF_QUEUE;

		mg_desc(q, at, pieces[i].gpa, pieces[i].len, (pieces[i].write ? MG_WRITE : 0u) | (i + 1 < n ? MG_NEXT : 0u),
			(at + 1) % MG_SIZE_OF_QUEUE);
	}
	mg.free[q] += n;
	mg_offer(q, head);
	return head;
}

/** The next chain that the device has used. @return its head, or -1: none */
static inline int mg_take(unsigned q, uint32_t *written)
{
	uint32_t entry[2];

	if (mg_get16(MG_USED(q) + 2) == mg.used[q])
		return -1;
	mg_get(MG_USED(q) + 4 + 8 * (mg.used[q]++ % MG_SIZE_OF_QUEUE), entry, sizeof(entry));
	if (written)
		*written = entry[1];
	return (int)entry[0];
}

/** Has it interrupted? Then acknowledge. @return the causes */
static inline unsigned mg_interrupt(void)
{
	unsigned causes = (unsigned)mv_read(0x060, 4);

	assert_int_equal(mv.irq[GUEST_VIRTIO_IRQ], causes != 0);
	mv_put(0x064, 4, causes);
	assert_false(mv.irq[GUEST_VIRTIO_IRQ]);
	return causes;
}

static inline bool mg_needs_reset(void)
{
	return mv_read(0x070, 4) & 64;
}
