/* The goldfish clock: time, setting it, the alarm, saved state. */
// sources: vmm/device/vrtc.c vmm/device/common.c vmm/image/dt_writer.c
#include <errno.h>
#include <mem.h>
#include <vdev_mock.h>
#include <vmm/memory.h>

#define START UINT64_C(1735689600000000000) /* 2025-01-01 */
#define SECOND UINT64_C(1000000000)

enum { LOW = 0x00, HIGH = 0x04, ALARM_LOW = 0x08, ALARM_HIGH = 0x0c, ENABLED = 0x10,
       CLEAR_ALARM = 0x14, STATUS = 0x18, CLEAR_INTERRUPT = 0x1c };

static int setup(void **state)
{
	(void)state;
	mv_start(&vrtc_type, 1);
	mv.wall = START;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	mv_stop();
	return 0;
}

static uint64_t get_time(void)
{
	uint64_t low = mv_read(LOW, 4);

	return mv_read(HIGH, 4) << 32 | low;
}

static void set_time(uint64_t t)
{
	mv_put(HIGH, 4, t >> 32);
	mv_put(LOW, 4, t & UINT32_MAX);
}

static void set_alarm(uint64_t t)
{
	mv_put(ALARM_HIGH, 4, t >> 32);
	mv_put(ALARM_LOW, 4, t & UINT32_MAX);
	mv_put(ENABLED, 4, 1);
}

/* The host's timer: time passes, and the callback comes if it is due. */
static void advance(uint64_t ns)
{
	mv.now += ns;
	if (mv.alarm_at <= mv.now) {
		mv.alarm_at = UINT64_MAX;
		vrtc_type.alarm(&mv.dev);
	}
}

static void tells_the_time(void **state)
{
	(void)state;
	assert_true(get_time() == START);
	advance(5 * SECOND);
	assert_true(get_time() == START + 5 * SECOND);
}

static void low_half_latches_the_high_half(void **state)
{
	uint64_t boundary = (START | UINT32_MAX) - START;

	(void)state;
	advance(boundary);
	assert_int_equal(mv_read(LOW, 4), UINT32_MAX);
	advance(1);
	assert_int_equal(mv_read(HIGH, 4), START >> 32);
	assert_int_equal(mv_read(LOW, 4), 0);
	assert_int_equal(mv_read(HIGH, 4), (START >> 32) + 1);
}

static void time_can_be_set_and_survives_a_reset(void **state)
{
	(void)state;
	set_time(123 * SECOND);
	assert_true(get_time() == 123 * SECOND);
	advance(SECOND);
	vrtc_type.reset(&mv.dev);
	assert_true(get_time() == 124 * SECOND);
	assert_int_equal(mv_read(ENABLED, 4), 0);
}

static void alarm_goes_off_at_its_time(void **state)
{
	(void)state;
	set_alarm(START + 10 * SECOND);
	assert_int_equal(mv_read(STATUS, 4), 1);
	assert_true(mv.alarm_at == 10 * SECOND);
	assert_int_equal(mv_read(ALARM_LOW, 4), (START + 10 * SECOND) & UINT32_MAX);
	assert_int_equal(mv_read(ALARM_HIGH, 4), (START + 10 * SECOND) >> 32);
	advance(10 * SECOND - 1);
	assert_false(mv.irq[GUEST_RTC_IRQ]);
	advance(1);
	assert_true(mv.irq[GUEST_RTC_IRQ]);
	assert_int_equal(mv_read(STATUS, 4), 0);
	mv_put(CLEAR_INTERRUPT, 4, 1);
	assert_false(mv.irq[GUEST_RTC_IRQ]);
	advance(100 * SECOND);
	assert_int_equal(mv.irq_changes, 2);
}

static void alarm_in_the_past_goes_off_at_once(void **state)
{
	(void)state;
	set_alarm(START);
	assert_true(mv.irq[GUEST_RTC_IRQ]);
	assert_int_equal(mv_read(STATUS, 4), 0);
}

static void interrupt_needs_its_enable(void **state)
{
	(void)state;
	mv_put(ENABLED, 4, 0xfffffffe);
	mv_put(ALARM_LOW, 4, 0);
	assert_false(mv.irq[GUEST_RTC_IRQ]);
	mv_put(ENABLED, 4, 0xffffffff);
	assert_true(mv.irq[GUEST_RTC_IRQ]);
	assert_int_equal(mv_read(ENABLED, 4), 1);
	mv_put(ENABLED, 4, 0);
	assert_false(mv.irq[GUEST_RTC_IRQ]);
}

static void alarm_can_be_taken_back_and_moved(void **state)
{
	(void)state;
	set_alarm(START + 10 * SECOND);
	mv_put(CLEAR_ALARM, 4, 1);
	assert_int_equal(mv_read(STATUS, 4), 0);
	assert_true(mv.alarm_at == UINT64_MAX);
	vrtc_type.alarm(&mv.dev);              /* a callback that was already on its way */
	advance(20 * SECOND);
	assert_false(mv.irq[GUEST_RTC_IRQ]);
	set_alarm(START + 30 * SECOND);
	vrtc_type.alarm(&mv.dev);              /* too early: asked for again */
	assert_false(mv.irq[GUEST_RTC_IRQ]);
	assert_true(mv.alarm_at == 30 * SECOND);
	set_time(START + 29 * SECOND);         /* the clock is set forward under the alarm */
	assert_true(mv.alarm_at == 21 * SECOND);
	advance(SECOND);
	assert_true(mv.irq[GUEST_RTC_IRQ]);
}

static void absurd_alarms_neither_overflow_nor_go_off(void **state)
{
	(void)state;
	mv.now = UINT64_MAX - SECOND;
	mv.wall = 0 - mv.now + 5;
	set_alarm(UINT64_MAX);
	assert_true(mv.alarm_at == UINT64_MAX);
	assert_int_equal(mv_read(STATUS, 4), 1);
	assert_false(mv.irq[GUEST_RTC_IRQ]);
}

/* As on bare QEMU virt. */
static void widths_and_reserved_registers(void **state)
{
	(void)state;
	mv_faults(LOW, 1);
	mv_faults(LOW, 2);
	mv_faults(LOW + 2, 4);
	mv_faults(0x24, 4);
	mv_faults(0x20, 8);
	mv_faults(0xffc, 4);
	assert_true(mv_read(LOW, 8) == START);
	mv_put(ALARM_LOW, 8, UINT64_C(0x7122334455667788));
	assert_int_equal(mv_read(ALARM_LOW, 4), 0x55667788);
	assert_int_equal(mv_read(ALARM_HIGH, 4), 0x71223344);
	mv_put(0x20, 4, 1);
	mv_put(STATUS, 4, 1);
	assert_int_equal(mv_read(0x20, 4), 0);
	assert_int_equal(mv_read(CLEAR_ALARM, 4) | mv_read(CLEAR_INTERRUPT, 4), 0);
}

static void save_and_restore_with_a_running_alarm(void **state)
{
	char buf[64];
	size_t n;

	(void)state;
	set_time(1000 * SECOND);
	set_alarm(1010 * SECOND);
	(void)mv_read(LOW, 4);
	n = mv_save(buf, sizeof(buf));
	mv_stop();
	mv_start(&vrtc_type, 1);
	mv.wall = START + 4 * SECOND;           /* four seconds went by meanwhile */
	assert_int_equal(vrtc_type.restore(&mv.dev, buf, n), 0);
	assert_int_equal(mv_read(HIGH, 4), 1000 * SECOND >> 32);
	assert_true(get_time() == 1004 * SECOND);
	assert_true(mv.alarm_at == 6 * SECOND);
	advance(6 * SECOND);
	assert_true(mv.irq[GUEST_RTC_IRQ]);
	n = mv_save(buf, sizeof(buf));
	vrtc_type.reset(&mv.dev);
	assert_false(mv.irq[GUEST_RTC_IRQ]);
	assert_int_equal(vrtc_type.restore(&mv.dev, buf, n), 0);
	assert_true(mv.irq[GUEST_RTC_IRQ]);
	assert_int_equal(vrtc_type.restore(&mv.dev, buf, n - 1), -EINVAL);
	for (size_t i = 20; i < n; i++) {       /* flags and version */
		buf[i] ^= 2;
		assert_int_equal(vrtc_type.restore(&mv.dev, buf, n), -EINVAL);
		buf[i] ^= 2;
	}
}

static void without_alarms_or_time_of_day(void **state)
{
	static char fdt[4096];
	int len;

	(void)state;
	mv.host.alarm_set = NULL;
	mv.host.wall_ns = NULL;
	advance(3);
	assert_int_equal(get_time(), 3);
	set_alarm(100);
	advance(200);
	assert_false(mv.irq[GUEST_RTC_IRQ]);
	assert_int_equal(mv_tree(fdt, sizeof(fdt)), 0);
	assert_null(fdt_getprop(fdt, fdt_path_offset(fdt, "/soc/rtc@101000"), "interrupts", &len));
}

static void node_as_on_qemu_virt(void **state)
{
	static char fdt[4096];

	(void)state;
	assert_int_equal(mv_tree(fdt, sizeof(fdt)), 0);
	MV_CELLS(fdt, "/soc/rtc@101000", "reg", 0, 0x101000, 0, 0x1000);
	MV_CELLS(fdt, "/soc/rtc@101000", "interrupts", 11);
	MV_CELLS(fdt, "/soc/rtc@101000", "interrupt-parent", 0x10);
	assert_int_equal(fdt_node_check_compatible(fdt, fdt_path_offset(fdt, "/soc/rtc@101000"),
						   "google,goldfish-rtc"), 0);
	mv_node_needs_room();
}

static void create_out_of_memory(void **state)
{
	struct vdev dev = { .type = &vrtc_type, .host = &mv.host };

	(void)state;
	mock_alloc_fail_at = 1;
	assert_int_equal(vrtc_type.create(&dev), -ENOMEM);
	mock_alloc_fail_at = 0;
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(tells_the_time),
		T(low_half_latches_the_high_half),
		T(time_can_be_set_and_survives_a_reset),
		T(alarm_goes_off_at_its_time),
		T(alarm_in_the_past_goes_off_at_once),
		T(interrupt_needs_its_enable),
		T(alarm_can_be_taken_back_and_moved),
		T(absurd_alarms_neither_overflow_nor_go_off),
		T(widths_and_reserved_registers),
		T(save_and_restore_with_a_running_alarm),
		T(without_alarms_or_time_of_day),
		T(node_as_on_qemu_virt),
		T(create_out_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
