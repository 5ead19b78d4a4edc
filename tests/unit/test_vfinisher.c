/* The test finisher: what ends the VM and what does not. */
// sources: vmm/device/vfinisher.c vmm/device/common.c vmm/image/dt_writer.c
#include <errno.h>
#include <vdev_mock.h>
#include <vmm/memory.h>

static int setup(void **state)
{
	(void)state;
	mv_start(&vfinisher_type, 1);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	mv_stop();
	return 0;
}

static void ends(uint64_t value, unsigned size, enum vdev_end how, int status)
{
	unsigned before = mv.ends;

	mv_put(0, size, value);
	assert_int_equal(mv.ends, before + 1);
	assert_int_equal(mv.how, how);
	assert_int_equal(mv.status, status);
}

static void magic_values_end_the_vm(void **state)
{
	(void)state;
	ends(0x5555, 4, VDEV_SHUTDOWN, 0);
	ends(0x5555, 2, VDEV_SHUTDOWN, 0);
	ends(0x12345555, 4, VDEV_SHUTDOWN, 0);
	ends(0x7777, 4, VDEV_RESET, 0);
	ends(0x3333, 4, VDEV_FAIL, 0);
	ends(0x3333, 2, VDEV_FAIL, 0);
	ends(0x2a3333, 4, VDEV_FAIL, 42);
	ends(0xffff3333, 4, VDEV_FAIL, 0xffff);
	ends(UINT64_C(0xffffffff00013333), 4, VDEV_FAIL, 1);
	ends(UINT64_C(0xffffffffffff3333), 2, VDEV_FAIL, 0);
}

static void everything_else_is_ignored_and_reads_zero(void **state)
{
	static const uint32_t values[] = { 0, 1, 0x1234, 0x33335555 ^ 1, 0xffffffff, 0x55550000 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(values); i++)
		mv_put(0, 4, values[i]);
	mv_put(4, 4, 0x5555);
	mv_put(2, 2, 0x5555);
	mv_put(2, 4, 0x55555555);
	mv_put(0xffc, 4, 0x5555);
	assert_int_equal(mv.ends, 0);
	assert_int_equal(mv_read(0, 4) | mv_read(0, 2) | mv_read(2, 4) | mv_read(0xffc, 4), 0);
}

/* As on bare QEMU virt. */
static void byte_and_double_accesses_fault(void **state)
{
	(void)state;
	mv_faults(0, 1);
	mv_faults(0, 8);
	mv_faults(1, 2);
	mv_faults(1, 4);
	mv_faults(0xff8, 8);
	mv_faults(0x1000, 4);
	mv_faults(0xffe, 4);
	assert_int_equal(mv.ends, 0);
}

static void saves_nothing(void **state)
{
	char buf[8];

	(void)state;
	assert_int_equal(mv_save(buf, sizeof(buf)), 0);
	assert_int_equal(vfinisher_type.restore(&mv.dev, buf, 0), 0);
	assert_int_equal(vfinisher_type.restore(&mv.dev, buf, 1), -EINVAL);
}

static void nodes_let_a_guest_power_off(void **state)
{
	static char fdt[4096];
	int node;
	uint32_t phandle;

	(void)state;
	assert_int_equal(mv_tree(fdt, sizeof(fdt)), 0);
	MV_CELLS(fdt, "/soc/test@100000", "reg", 0, 0x100000, 0, 0x1000);
	node = fdt_path_offset(fdt, "/soc/test@100000");
	assert_int_equal(fdt_node_check_compatible(fdt, node, "sifive,test0"), 0);
	assert_int_equal(fdt_node_check_compatible(fdt, node, "syscon"), 0);
	phandle = fdt_get_phandle(fdt, node);
	assert_int_not_equal(phandle, 0x10);
	MV_CELLS(fdt, "/soc/poweroff", "value", 0x5555);
	MV_CELLS(fdt, "/soc/poweroff", "regmap", phandle);
	MV_CELLS(fdt, "/soc/poweroff", "offset", 0);
	MV_CELLS(fdt, "/soc/reboot", "value", 0x7777);
	MV_CELLS(fdt, "/soc/reboot", "regmap", phandle);
	mv_node_needs_room();
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(magic_values_end_the_vm),
		T(everything_else_is_ignored_and_reads_zero),
		T(byte_and_double_accesses_fault),
		T(saves_nothing),
		T(nodes_let_a_guest_power_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
