/* The watchdog: registers, feeding, its end, saved state. */
// sources: vmm/device/vwatchdog.c vmm/device/common.c vmm/image/dt_writer.c
#include <errno.h>
#include <mem.h>
#include <vdev_mock.h>
#include <vmm/memory.h>

#define SECOND UINT64_C(1000000000)

enum { CR = 0x00, TORR = 0x04, CCVR = 0x08, CRR = 0x0c, COMP_PARAMS_1 = 0xf4, COMP_TYPE = 0xfc };

static bool running;

static bool mv_runs(void *vm)
{
	assert_ptr_equal(vm, MOCK_VM);
	return running;
}

static int setup(void **state)
{
	(void)state;
	memset(&mv, 0, sizeof(mv));
	mv.host = (struct vdev_host){
		.vm_end = mv_end, .time_ns = mv_time, .alarm_set = mv_alarm_set, .runs = mv_runs,
		.n_vcpus = 1, .watchdog_s = 5, .vm = MOCK_VM,
	};
	mv.now = 77 * SECOND;
	mv.dev = (struct vdev){ .type = &vwatchdog_type, .host = &mv.host };
	assert_int_equal(vwatchdog_type.create(&mv.dev), 0);
	vwatchdog_type.reset(&mv.dev);
	running = true;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	mv_stop();
	return 0;
}

/* As the VM's timer does it: the alarm goes off when it is due. */
static void pass(uint64_t ns)
{
	uint64_t end = mv.now + ns;

	while (mv.alarm_at <= end && !mv.ends) {
		mv.now = mv.alarm_at;
		mv.alarm_at = UINT64_MAX;
		vwatchdog_type.alarm(&mv.dev);
	}
	mv.now = end;
}

static void bites_who_never_feeds_it(void **state)
{
	(void)state;
	assert_int_equal(mv_read(CR, 4), 1);
	assert_int_equal(mv_read(CCVR, 4), 5 * 32768);
	pass(5 * SECOND - 1);
	assert_int_equal(mv.ends, 0);
	assert_int_equal(mv_read(CCVR, 4), 0);
	pass(1);
	assert_int_equal(mv.ends, 1);
	assert_int_equal(mv.how, VDEV_WATCHDOG);
	assert_int_equal(mv.status, 1);
}

static void feeding_begins_the_period_again(void **state)
{
	(void)state;
	for (int i = 0; i < 10; i++) {
		pass(4 * SECOND);
		mv_put(CRR, 4, 0x76);
	}
	assert_int_equal(mv.ends, 0);
	pass(4 * SECOND);
	mv_put(CRR, 4, 0x77);                   /* not the word */
	mv_put(CR, 4, 0);                       /* it cannot be stopped */
	assert_int_equal(mv_read(CR, 4), 1);
	pass(SECOND);
	assert_int_equal(mv.ends, 1);
}

static void a_new_period_counts_from_the_next_feeding(void **state)
{
	(void)state;
	mv_put(TORR, 4, 2);                     /* 2^18 / 32768 = 8 s */
	assert_int_equal(mv_read(TORR, 4), 2);
	assert_int_equal(mv_read(CCVR, 4), 5 * 32768);
	mv_put(CRR, 4, 0x76);
	assert_int_equal(mv_read(CCVR, 4), 8 * 32768);
	pass(8 * SECOND - 1);
	assert_int_equal(mv.ends, 0);
	pass(1);
	assert_int_equal(mv.ends, 1);
}

static void the_longest_period_does_not_overflow(void **state)
{
	(void)state;
	mv_put(TORR, 4, 0xffff);
	mv_put(CRR, 4, 0x76);
	assert_int_equal(mv_read(CCVR, 4), UINT64_C(1) << 31);
	pass(65535 * SECOND);
	assert_int_equal(mv.ends, 0);
	pass(SECOND);
	assert_int_equal(mv.ends, 1);
}

static void who_does_not_run_is_not_bitten(void **state)
{
	(void)state;
	running = false;
	pass(100 * SECOND);
	assert_int_equal(mv.ends, 0);
	running = true;
	pass(5 * SECOND);
	assert_int_equal(mv.ends, 1);
}

static void widths_and_reserved_registers(void **state)
{
	uint64_t value;

	(void)state;
	assert_int_equal(mv_read(COMP_TYPE, 4), 0x44570120);
	assert_int_equal(mv_read(COMP_PARAMS_1, 4), 0x40);
	assert_int_equal(mv_read(0x800, 4), 0);
	mv_put(0x800, 4, 1);
	assert_int_equal(mv_read(TORR, 8), UINT64_C(5 * 32768) << 32); /* TORR and the counter */
	mv_faults(PAGE_SIZE, 4);
	assert_true(mv_try_read(UINT64_MAX & ~UINT64_C(3), 4, &value) < 0);
	mv_faults(CRR, 1);                      /* narrower than its registers */
	mv_faults(CCVR + 2, 2);
	mv_faults(CCVR + 2, 4);
}

static void save_and_restore_keep_the_count(void **state)
{
	uint64_t saved[8];
	size_t n;

	(void)state;
	mv_put(TORR, 4, 1);
	pass(3 * SECOND);
	n = mv_save(saved, sizeof(saved));
	vwatchdog_type.reset(&mv.dev);
	mv.now += 1000 * SECOND;
	assert_int_equal(vwatchdog_type.restore(&mv.dev, saved, n), 0);
	assert_int_equal(mv_read(TORR, 4), 1);
	assert_int_equal(mv_read(CCVR, 4), 2 * 32768);
	assert_int_equal(vwatchdog_type.restore(&mv.dev, saved, n - 1), -EINVAL);
	((uint32_t *)saved)[0]++;
	assert_int_equal(vwatchdog_type.restore(&mv.dev, saved, n), -EINVAL);
	((uint32_t *)saved)[0]--;
	saved[2] = UINT64_MAX;
	assert_int_equal(vwatchdog_type.restore(&mv.dev, saved, n), -EINVAL);
}

static void only_where_the_description_asks_for_it(void **state)
{
	struct vdev_host host = mv.host;
	struct vdev dev = { .type = &vwatchdog_type, .host = &host };

	(void)state;
	host.watchdog_s = 0;
	assert_int_equal(vwatchdog_type.create(&dev), -ENXIO);
	host.watchdog_s = 1;
	mock_alloc_fail_at = 1;
	assert_int_equal(vwatchdog_type.create(&dev), -ENOMEM);
	mock_alloc_fail_at = 0;
}

static void node(void **state)
{
	static char fdt[4096];

	(void)state;
	assert_int_equal(mv_tree(fdt, sizeof(fdt)), 0);
	MV_CELLS(fdt, "/soc/watchdog@102000", "reg", 0, 0x102000, 0, 0x1000);
	MV_CELLS(fdt, "/soc/watchdog@102000", "clocks", 0x12);
	MV_CELLS(fdt, "/soc/watchdog-clock", "phandle", 0x12);
	MV_CELLS(fdt, "/soc/watchdog-clock", "clock-frequency", 32768);
	mv_node_needs_room();
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(bites_who_never_feeds_it),
		T(feeding_begins_the_period_again),
		T(a_new_period_counts_from_the_next_feeding),
		T(the_longest_period_does_not_overflow),
		T(who_does_not_run_is_not_bitten),
		T(widths_and_reserved_registers),
		T(save_and_restore_keep_the_count),
		T(only_where_the_description_asks_for_it),
		T(node),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
