/*
 * A VM as the virtual devices see it: remembers what they drove, printed and
 * asked for. Included by the tests of vmm/device.
 */
#pragma once

#include <libfdt.h>
#include <test.h>
#include <vmm/dt_writer.h>
#include <vmm/vdev.h>

#define MOCK_VM ((void *)0x1234) /* only compared */

static struct {
	struct vdev dev;
	struct vdev_host host;
	bool ext_irq[32];         /* by vCPU */
	unsigned ext_irq_changes;
	bool irq[96];             /* by source */
	unsigned irq_changes;
	char out[8192];
	size_t out_n;
	enum vdev_output answer;  /* to what is written */
	bool slow;
	unsigned readies, ends;
	enum vdev_end how;
	int status;
	uint64_t now, wall, alarm_at;
	unsigned alarm_sets;
} mv;

static void mv_irq_level(void *vm, unsigned source, bool level)
{
	assert_ptr_equal(vm, MOCK_VM);
	assert_true(source < 96);
	mv.irq_changes += mv.irq[source] != level;
	mv.irq[source] = level;
}

static void mv_ext_irq(void *vm, unsigned vcpu, bool level)
{
	assert_ptr_equal(vm, MOCK_VM);
	assert_true(vcpu < mv.host.n_vcpus);
	assert_int_not_equal(mv.ext_irq[vcpu], level);
	mv.ext_irq_changes++;
	mv.ext_irq[vcpu] = level;
}

static enum vdev_output mv_write(void *vm, char byte)
{
	assert_ptr_equal(vm, MOCK_VM);
	if (mv.answer != VDEV_FULL && mv.out_n < sizeof(mv.out) - 1)
		mv.out[mv.out_n++] = byte;
	return mv.answer;
}

static bool mv_slow(void *vm)
{
	assert_ptr_equal(vm, MOCK_VM);
	return mv.slow;
}

static void mv_ready(void *vm)
{
	assert_ptr_equal(vm, MOCK_VM);
	mv.readies++;
}

static void mv_end(void *vm, enum vdev_end how, int status)
{
	assert_ptr_equal(vm, MOCK_VM);
	mv.ends++;
	mv.how = how;
	mv.status = status;
}

static uint64_t mv_time(void) { return mv.now; }
static uint64_t mv_wall(void) { return mv.wall + mv.now; }

static void mv_alarm_set(void *vm, struct vdev *dev, uint64_t at)
{
	assert_ptr_equal(vm, MOCK_VM);
	assert_ptr_equal(dev, &mv.dev);
	mv.alarm_at = at;
	mv.alarm_sets++;
}

/** A fresh VM with a device of this type, created and reset. */
static inline void mv_start(const struct vdev_type *type, unsigned n_vcpus)
{
	memset(&mv, 0, sizeof(mv));
	mv.alarm_at = UINT64_MAX;
	mv.host = (struct vdev_host){
		.irq_level = mv_irq_level, .vcpu_ext_irq = mv_ext_irq, .console_put = mv_write, .console_slow = mv_slow,
		.console_ready = mv_ready, .vm_end = mv_end, .time_ns = mv_time, .wall_ns = mv_wall,
		.alarm_set = mv_alarm_set, .n_vcpus = n_vcpus, .vm = MOCK_VM,
	};
	mv.dev = (struct vdev){ .type = type, .host = &mv.host };
	assert_int_equal(type->create(&mv.dev), 0);
	type->reset(&mv.dev);
}

static inline void mv_stop(void)
{
	mv.dev.type->destroy(&mv.dev);
	assert_null(mv.dev.state);
}

/** As the exit path calls the device: interrupts off; they must still be off afterwards. */
static inline int mv_try_read(uint64_t off, unsigned size, uint64_t *value)
{
	irqflags_t flags = irq_save();
	int err = mv.dev.type->ops.read(mv.dev.state, off, size, value);

	assert_false(irq_enabled());
	irq_restore(flags);
	return err;
}

static inline int mv_try_write(uint64_t off, unsigned size, uint64_t value)
{
	irqflags_t flags = irq_save();
	int err = mv.dev.type->ops.write(mv.dev.state, off, size, value);

	assert_false(irq_enabled());
	irq_restore(flags);
	return err;
}

static inline uint64_t mv_read(uint64_t off, unsigned size)
{
	uint64_t value = 0xdeadbeef;

	assert_int_equal(mv_try_read(off, size, &value), 0);
	return value;
}

static inline void mv_put(uint64_t off, unsigned size, uint64_t value)
{
	assert_int_equal(mv_try_write(off, size, value), 0);
}

static inline void mv_faults(uint64_t off, unsigned size)
{
	uint64_t value;

	assert_true(mv_try_read(off, size, &value) < 0);
	assert_true(mv_try_write(off, size, 0) < 0);
}

/** Save into buf. @return bytes. */
static inline size_t mv_save(void *buf, size_t size)
{
	size_t n = mv.dev.type->save(&mv.dev, NULL, 0);

	assert_true(n <= size);
	assert_int_equal(mv.dev.type->save(&mv.dev, buf, size), n);
	return n;
}

/** Write a tree with the device's node in /soc. @return 0 or a negative libfdt error. */
static inline int mv_tree(void *fdt, int size)
{
	struct dt_writer w;

	dt_start(&w, fdt, (size_t)size);
	dt_begin(&w, "");
	dt_begin(&w, "soc");
	dt_put_u32(&w, "#address-cells", 2);
	dt_put_u32(&w, "#size-cells", 2);
	mv.dev.type->write_node(&mv.dev, &w, 0x10);
	dt_end(&w);
	dt_end(&w);
	size = dt_finish(&w);
	return MIN(size, 0);
}

/** Property `name` of the node is this array of n cells. */
static inline void mv_cells(const void *fdt, const char *path, const char *name,
			    const uint32_t *cells, int n)
{
	int len, node = fdt_path_offset(fdt, path);
	const fdt32_t *p = node < 0 ? NULL : fdt_getprop(fdt, node, name, &len);

	assert_non_null(p);
	assert_int_equal(len, n * 4);
	for (int i = 0; i < n; i++)
		assert_int_equal(fdt32_to_cpu(p[i]), cells[i]);
}

#define MV_CELLS(fdt, path, name, ...) \
	mv_cells(fdt, path, name, (const uint32_t[]){ __VA_ARGS__ }, \
		 (int)(sizeof((const uint32_t[]){ __VA_ARGS__ }) / 4))

/** Writing the node into a buffer too small for it is an error and nothing worse, at every size. */
static inline void mv_node_needs_room(void)
{
	static char fdt[4096];
	int size = 160;

	for (; mv_tree(fdt, size) == -FDT_ERR_NOSPACE; size += 4)
		assert_true(size < (int)sizeof(fdt));
	assert_int_equal(mv_tree(fdt, size), 0);
	assert_true(size > 260);
}
