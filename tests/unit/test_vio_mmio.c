/* virtio-mmio of a VM: registers, features, status, reset with chains under way, configuration. */
// sources: vmm/virtio/ring.c vmm/virtio/device.c vmm/virtio/mmio.c vmm/device/common.c vmm/image/dt_writer.c
#include <vio_mock.h>

enum { MAGIC = 0x000, VERSION = 0x004, ID = 0x008, QUEUE_SELECT = 0x030, QUEUE_MAX = 0x034, QUEUE_SIZE = 0x038,
       QUEUE_READY = 0x044, STATUS = 0x070, SHM_LENGTH = 0x0b0, GENERATION = 0x0fc, CONFIG = 0x100 };

static unsigned starts, halts, resets, written_off, written_n;

static int type_create(struct vio *dev)
{
	dev->state = dev;
	dev->offered = BIT(5);
	dev->config_size = 12;
	dev->config_writable = BIT(8) | BIT(9);
	memcpy(dev->config, "abcdefghijkl", 12);
	return 0;
}

static void type_destroy(struct vio *dev) { dev->state = NULL; }
static int type_kick(struct vio *dev, struct vio_queue *q) { (void)dev; (void)q; return -EAGAIN; }
static void type_start(struct vio *dev) { (void)dev; starts++; }
static void type_halt(struct vio *dev) { assert_false(vio_runs(dev)); halts++; }
static void type_reset(struct vio *dev) { assert_int_equal(dev->queues[0].held, 0); resets++; }

static int type_written(struct vio *dev, unsigned off, unsigned n)
{
	(void)dev;
	written_off = off;
	written_n = n;
	return 0;
}

static const struct vio_type type = {
	.name = "test", .id = 77, .n_queues = 2, .create = type_create, .destroy = type_destroy, .kick = type_kick,
	.start = type_start, .halt = type_halt, .reset = type_reset, .config_written = type_written,
};

static int setup(void **state)
{
	(void)state;
	mg_start(&type, NULL);
	starts = halts = resets = 0;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	mg_stop();
	return 0;
}

static void says_what_it_is(void **state)
{
	(void)state;
	assert_int_equal(mv_read(MAGIC, 4), 0x74726976);
	assert_int_equal(mv_read(VERSION, 4), 2);
	assert_int_equal(mv_read(ID, 4), 77);
	assert_int_equal(mg_offered(), BIT(5) | BIT(28) | BIT(29) | BIT(32));
	assert_int_equal(mv_read(SHM_LENGTH, 4), UINT32_MAX);
	assert_int_equal(mv_read(0xff8, 4), 0);
}

static void only_whole_registers_answer(void **state)
{
	(void)state;
	assert_int_equal(mv_read(MAGIC, 1), 0);
	assert_int_equal(mv_read(MAGIC, 2), 0);
	assert_int_equal(mv_read(MAGIC, 8), 0);
	mv_put(STATUS, 1, 1);
	mv_put(STATUS, 8, 1);
	assert_int_equal(mv_read(STATUS, 4), 0);
	mv_put(ID, 4, 5);
	assert_int_equal(mv_read(ID, 4), 77);
}

static void features_that_were_not_offered(void **state)
{
	static const uint64_t bad[] = { BIT(32) | BIT(6), BIT(5), BIT(32) | BIT(63), BIT(33) | BIT(32) };

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		mv_put(STATUS, 4, 0);
		mv_put(STATUS, 4, 3);
		for (unsigned half = 0; half < 2; half++) {
			mv_put(0x024, 4, half);
			mv_put(0x020, 4, bad[i] >> 32 * half & UINT32_MAX);
		}
		mv_put(0x024, 4, 2); /* there is no such half */
		mv_put(0x020, 4, UINT32_MAX);
		mv_put(STATUS, 4, 11);
		assert_int_equal(mv_read(STATUS, 4), 3);
		mv_put(STATUS, 4, 15); /* nor does it begin */
		assert_int_equal(mv_read(STATUS, 4), 3);
		assert_int_equal(starts, 0);
	}
}

static void features_stand_once_agreed(void **state)
{
	(void)state;
	mg_begin(BIT(5));
	assert_int_equal(starts, 1);
	assert_int_equal(mg.dev->features, BIT(5) | BIT(32));
	mv_put(0x024, 4, 0);
	mv_put(0x020, 4, BIT(28));
	assert_int_equal(mg.dev->features, BIT(5) | BIT(32));
	mv_put(STATUS, 4, 1); /* bits are never taken back */
	assert_int_equal(mv_read(STATUS, 4), 15);
	assert_int_equal(starts, 1);
	mv_put(STATUS, 4, 0x40); /* not the driver's to set */
	assert_false(mg_needs_reset());
}

static void a_reset_forgets_all(void **state)
{
	(void)state;
	mg_begin(BIT(5));
	vio_set_config(mg.dev, 0, "A", 1);
	assert_true(mv.irq[GUEST_VIRTIO_IRQ]);
	mv_put(STATUS, 4, 0);
	assert_false(mv.irq[GUEST_VIRTIO_IRQ]);
	assert_int_equal(resets, 2); /* one by mg_begin */
	for (unsigned q = 0; q < 2; q++) {
		mv_put(QUEUE_SELECT, 4, q);
		assert_int_equal(mv_read(QUEUE_READY, 4), 0);
	}
	assert_false(vio_runs(mg.dev));
	assert_int_equal(mg_kick(0), 0);
}

static uint16_t hold(void)
{
	const struct mg_piece piece = { MG_DATA, 8, true };
	irqflags_t flags = vio_lock(&mg.dev->queues[0]);

	mg_add(0, &piece, 1);
	assert_true(vio_pop(&mg.dev->queues[0]));
	vio_unlock(&mg.dev->queues[0], flags);
	return mg.dev->queues[0].chain.head;
}

/* Until a chain under way is back the write of 0 is repeated; what comes back is not shown to the guest. */
static void a_reset_waits_for_what_is_under_way(void **state)
{
	uint16_t head;

	(void)state;
	mg_begin(0);
	head = hold();
	resets = 0;
	assert_int_equal(mv_try_write(STATUS, 4, 0), -EAGAIN);
	assert_int_equal(mv_try_write(STATUS, 4, 0), -EAGAIN);
	assert_int_equal(mv_read(STATUS, 4), 15);
	assert_int_equal(mv_try_write(STATUS, 4, 15), -EAGAIN); /* nor does it begin anew on the way */
	assert_int_equal(resets, 0);
	vio_complete(&mg.dev->queues[0], head, 8);
	assert_int_equal(mg_take(0, NULL), -1);
	assert_int_equal(mg_interrupt(), 0);
	assert_int_equal(mv_try_write(STATUS, 4, 0), 0);
	assert_int_equal(mv_read(STATUS, 4), 0);
	assert_int_equal(resets, 1);
	mg_begin(0);
	vio_complete(&mg.dev->queues[0], hold(), 8);
	assert_int_equal(mg_take(0, NULL), 0);
}

static void a_queue_is_not_taken_away_under_a_chain(void **state)
{
	uint16_t head;

	(void)state;
	mg_begin(0);
	head = hold();
	mv_put(QUEUE_SELECT, 4, 0);
	assert_int_equal(mv_try_write(QUEUE_READY, 4, 0), -EAGAIN);
	vio_complete(&mg.dev->queues[0], head, 0);
	assert_int_equal(mv_try_write(QUEUE_READY, 4, 0), 0);
	assert_int_equal(mv_read(QUEUE_READY, 4), 0);
	assert_false(mg_needs_reset());
}

static void refuses(unsigned size, uint64_t desc, uint64_t avail, uint64_t used)
{
	mv_put(STATUS, 4, 0);
	mg_set_queue(0, size, desc, avail, used);
	assert_int_equal(mv_read(QUEUE_READY, 4), 0);
	assert_true(mg_needs_reset());
}

static void queues_that_cannot_be(void **state)
{
	(void)state;
	mv_put(QUEUE_SELECT, 4, 0);
	assert_int_equal(mv_read(QUEUE_MAX, 4), VIO_QUEUE_SIZE);
	refuses(0, MG_DESC(0), MG_AVAIL(0), MG_USED(0));
	refuses(3, MG_DESC(0), MG_AVAIL(0), MG_USED(0));
	refuses(2 * VIO_QUEUE_SIZE, MG_DESC(0), MG_AVAIL(0), MG_USED(0));
	refuses(0x80000000, MG_DESC(0), MG_AVAIL(0), MG_USED(0));
	refuses(64, MG_DESC(0) + 8, MG_AVAIL(0), MG_USED(0));
	refuses(64, MG_DESC(0), MG_AVAIL(0) + 1, MG_USED(0));
	refuses(64, MG_DESC(0), MG_AVAIL(0), MG_USED(0) + 2);
	refuses(64, MG_RAM + MG_SIZE - 64 * 16 + 16, MG_AVAIL(0), MG_USED(0)); /* across the end of RAM */
	refuses(64, MG_DESC(0), MG_RAM + MG_SIZE - 8, MG_USED(0));
	refuses(64, MG_DESC(0), MG_AVAIL(0), MG_RAM + MG_SIZE - 8);
	refuses(64, 0, MG_AVAIL(0), MG_USED(0));
	refuses(64, MG_DESC(0), UINT64_MAX - 1, MG_USED(0));
	mv_put(STATUS, 4, 0);
	mg_set_queue(7, 64, MG_DESC(0), MG_AVAIL(0), MG_USED(0)); /* no such queue: nothing */
	assert_int_equal(mv_read(QUEUE_MAX, 4), 0);
	assert_int_equal(mv_read(QUEUE_READY, 4), 0);
	assert_false(mg_needs_reset());
	mg_begin(0);
}

/* That is not the guest's fault: its access is done again when there is some. */
static void a_queue_waits_for_memory(void **state)
{
	(void)state;
	mg_set_queue(0, 64, MG_DESC(0), MG_AVAIL(0), MG_USED(0));
	mv_put(QUEUE_READY, 4, 0);
	mg.no_memory = true;
	assert_int_equal(mv_try_write(QUEUE_READY, 4, 1), -EAGAIN);
	assert_int_equal(mv_read(QUEUE_READY, 4), 0);
	assert_false(mg_needs_reset());
	mg.no_memory = false;
	assert_int_equal(mv_try_write(QUEUE_READY, 4, 1), 0);
	assert_int_equal(mv_read(QUEUE_READY, 4), 1);
}

static void a_ready_queue_stays_where_it_is(void **state)
{
	(void)state;
	mg_begin(0);
	mv_put(QUEUE_SELECT, 4, 0);
	mv_put(QUEUE_SIZE, 4, 3);
	mv_put(0x080, 4, 8);
	vio_complete(&mg.dev->queues[0], hold(), 0);
	assert_int_equal(mg_take(0, NULL), 0);
}

static void kicks(void **state)
{
	(void)state;
	assert_int_equal(mg_kick(0), 0); /* nobody is there yet */
	mg_begin(0);
	assert_int_equal(mg_kick(0), -EAGAIN); /* the type's answer */
	assert_int_equal(mg_kick(2), 0);
	assert_int_equal(mg_kick(UINT32_MAX), 0);
	assert_int_equal(mg.dev->queues[0].kicks, 1);
}

static void configuration(void **state)
{
	uint64_t generation;

	(void)state;
	assert_int_equal(mv_read(CONFIG + 1, 1), 'b');
	assert_int_equal(mv_read(CONFIG + 1, 2), 'b' | 'c' << 8);
	assert_int_equal(mv_read(CONFIG + 8, 8), 0x6c6b6a69);
	assert_int_equal(mv_read(CONFIG + 12, 4), 0);
	assert_int_equal(mv_read(CONFIG + 0xefc, 4), 0);
	mv_put(CONFIG + 8, 4, 0x34333231);
	assert_int_equal(mv_read(CONFIG + 8, 4), 'k' << 16 | 'l' << 24 | 0x3231);
	assert_int_equal(written_off, 8);
	assert_int_equal(written_n, 4);
	mv_put(CONFIG + 10, 8, 0);
	assert_int_equal(written_n, 2);
	generation = mv_read(GENERATION, 4);
	vio_set_config(mg.dev, 4, "XY", 2);
	assert_int_equal(mv_read(CONFIG + 4, 2), 'X' | 'Y' << 8);
	assert_int_not_equal(mv_read(GENERATION, 4), generation);
	assert_int_equal(mg_interrupt(), 0); /* nobody is there yet */
	mg_begin(0);
	vio_set_config(mg.dev, 4, "ZY", 2);
	assert_int_equal(mg_interrupt(), VIO_CONFIG_CHANGE);
}

static void stands_in_the_device_tree(void **state)
{
	static char fdt[4096];

	(void)state;
	assert_int_equal(mv_tree(fdt, sizeof(fdt)), 0);
	MV_CELLS(fdt, "/soc/virtio_mmio@10001000", "reg", 0, 0x10001000, 0, 0x1000);
	MV_CELLS(fdt, "/soc/virtio_mmio@10001000", "interrupts", 1);
	assert_int_equal(fdt_node_check_compatible(fdt, fdt_path_offset(fdt, "/soc/virtio_mmio@10001000"), "virtio,mmio"), 0);
	mv_node_needs_room();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(says_what_it_is), T(only_whole_registers_answer), T(features_that_were_not_offered), T(features_stand_once_agreed),
		T(a_reset_forgets_all), T(a_reset_waits_for_what_is_under_way), T(a_queue_is_not_taken_away_under_a_chain),
		T(queues_that_cannot_be), T(a_queue_waits_for_memory), T(a_ready_queue_stays_where_it_is), T(kicks), T(configuration),
		T(stands_in_the_device_tree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
