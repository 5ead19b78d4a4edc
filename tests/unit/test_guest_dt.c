/* The guest's device tree: generated and read again field by field; the user's own, whole and damaged. */
// sources: vmm/image/guest_dt.c vmm/image/guest_dt_user.c vmm/image/dt_writer.c vmm/image/blob.c
#include <test.h>

#include <errno.h>
#include <libfdt.h>

#include <vmm/config.h>
#include <vmm/dt_writer.h>
#include <vmm/guest_dt.h>
#include <vmm/image.h>
#include <vmm/memory.h>

#define RAM GUEST_RAM_BASE
#define ROOM (64 * KiB)

static char tree[ROOM] __attribute__((aligned(8)));
static char blob[ROOM] __attribute__((aligned(8)));
static struct vm_config cfg;
static struct image_layout layout;
static struct guest_dt_machine machine;
static char message[256];

static int devices_error;

static void write_devices(struct dt_writer *w, void *arg)
{
	assert_ptr_equal(arg, &machine);
	dt_begin_at(w, "plic", GUEST_PLIC_BASE);
	dt_put_range(w, GUEST_PLIC_BASE, 0x600000);
	dt_end(w);
	dt_begin_at(w, "serial", GUEST_UART_BASE);
	dt_put_text(w, "compatible", "ns16550a");
	dt_put_range(w, GUEST_UART_BASE, 0x100);
	dt_end(w);
	if (devices_error)
		w->err = devices_error;
}

static int reset(void **state)
{
	static const char *const extensions[] = { "i", "m", "zicsr", "sstc", NULL };

	(void)state;
	cfg = (struct vm_config){ .cpus = 2, .memory = 256 * MiB, .bootargs = "console=ttyS0 quiet" };
	layout = (struct image_layout){
		.kernel_start = RAM + 2 * MiB, .kernel_size = 32 * MiB, .entry = RAM + 2 * MiB,
		.initrd_start = RAM + 200 * MiB, .initrd_size = 12345,
		.dtb_start = RAM + 254 * MiB, .dtb_size = ROOM,
	};
	machine = (struct guest_dt_machine){
		.timebase_hz = 10000000, .isa = "rv64im_zicsr_sstc", .isa_extensions = extensions,
		.mmu_type = "riscv,sv57", .cbom_block = 64, .cboz_block = 128,
		.write_devices = write_devices, .arg = &machine, .plic_phandle = GUEST_PLIC_PHANDLE,
	};
	for (unsigned i = 0; i < 32; i++)
		machine.seeds.rng[i] = (uint8_t)(i + 1);
	memcpy(machine.seeds.kaslr, "kaslrkas", 8);
	devices_error = 0;
	return 0;
}

static int build_into(size_t size)
{
	message[0] = '\0';
	return guest_dt_build(&cfg, RAM, &layout, &machine, tree, size, message, sizeof(message));
}

static void build(void)
{
	int size = build_into(sizeof(tree));

	assert_string_equal(message, "");
	assert_true(size > 0);
	assert_int_equal(fdt_totalsize(tree), size);
	assert_int_equal(fdt_check_full(tree, (size_t)size), 0);
}

static void expect_refused(int code, const char *text)
{
	assert_int_equal(build_into(sizeof(tree)), code);
	assert_string_equal(message, text);
}

/* --- reading ----------------------------------------------------------------------------------- */

static void expect_bytes(const char *path, const char *name, const void *data, int size)
{
	int node = fdt_path_offset(tree, path), len = -1;
	const void *found = fdt_getprop(tree, node, name, &len);

	if (!found)
		fail_msg("%s has no %s", path, name);
	assert_int_equal(len, size);
	assert_memory_equal(found, data, (size_t)size);
}

static void expect_text(const char *path, const char *name, const char *text)
{
	expect_bytes(path, name, text, (int)strlen(text) + 1);
}

static void expect_u32(const char *path, const char *name, uint32_t value)
{
	fdt32_t cell = cpu_to_fdt32(value);

	expect_bytes(path, name, &cell, 4);
}

static void expect_u64s(const char *path, const char *name, uint64_t a, uint64_t b, int n)
{
	fdt64_t cells[2] = { cpu_to_fdt64(a), cpu_to_fdt64(b) };

	expect_bytes(path, name, cells, 8 * n);
}

static void expect_absent(const char *path, const char *name)
{
	assert_null(fdt_getprop(tree, fdt_path_offset(tree, path), name, NULL));
}

static void expect_no_node(const char *path)
{
	assert_int_equal(fdt_path_offset(tree, path), -FDT_ERR_NOTFOUND);
}

/* --- the generated tree ------------------------------------------------------------------------ */

static void H8_generated_tree_says_memory_and_chosen(void **state)
{
	(void)state;
	build();
	expect_text("/", "compatible", "riscv-virtio");
	expect_u32("/", "#address-cells", 2);
	expect_u32("/", "#size-cells", 2);
	expect_text("/chosen", "bootargs", "console=ttyS0 quiet");
	expect_text("/chosen", "stdout-path", "/soc/serial@10000000");
	expect_u64s("/chosen", "linux,initrd-start", RAM + 200 * MiB, 0, 1);
	expect_u64s("/chosen", "linux,initrd-end", RAM + 200 * MiB + 12345, 0, 1);
	expect_bytes("/chosen", "rng-seed", machine.seeds.rng, 32);
	expect_bytes("/chosen", "kaslr-seed", "kaslrkas", 8);
	expect_text("/aliases", "serial0", "/soc/serial@10000000");
	expect_text("/memory@80000000", "device_type", "memory");
	expect_u64s("/memory@80000000", "reg", RAM, 256 * MiB, 2);
}

static void H4_generated_tree_reserves_the_firmwares_place(void **state)
{
	(void)state;
	build();
	expect_u32("/reserved-memory", "#address-cells", 2);
	expect_u32("/reserved-memory", "#size-cells", 2);
	expect_bytes("/reserved-memory", "ranges", "", 0);
	expect_u64s("/reserved-memory/firmware@80000000", "reg", RAM, 2 * MiB, 2);
	expect_bytes("/reserved-memory/firmware@80000000", "no-map", "", 0);
}

static void H4_nothing_of_the_vms_own_is_reserved(void **state)
{
	(void)state;
	layout.dtb_start = RAM + MiB + 8;
	build();
	expect_u64s("/reserved-memory/firmware@80000000", "reg", RAM, MiB, 2);
	layout.initrd_start = RAM + 4096;
	build();
	expect_u64s("/reserved-memory/firmware@80000000", "reg", RAM, 4096, 2);
	layout.kernel_start = RAM;
	build();
	expect_no_node("/reserved-memory");
}

static void expect_cpu(const char *path, const char *intc, uint32_t n)
{
	expect_text(path, "device_type", "cpu");
	expect_text(path, "compatible", "riscv");
	expect_text(path, "status", "okay");
	expect_u32(path, "reg", n);
	expect_text(path, "mmu-type", "riscv,sv57");
	expect_text(path, "riscv,isa", "rv64im_zicsr_sstc");
	expect_text(path, "riscv,isa-base", "rv64i");
	expect_bytes(path, "riscv,isa-extensions", "i\0m\0zicsr\0sstc", 15);
	expect_u32(path, "riscv,cbom-block-size", 64);
	expect_u32(path, "riscv,cboz-block-size", 128);
	expect_absent(path, "riscv,cbop-block-size");
	expect_text(intc, "compatible", "riscv,cpu-intc");
	expect_bytes(intc, "interrupt-controller", "", 0);
	expect_u32(intc, "#interrupt-cells", 1);
	expect_u32(intc, "phandle", GUEST_CPU_INTC_PHANDLE + n);
}

static void H8_generated_tree_has_a_node_per_cpu(void **state)
{
	(void)state;
	build();
	expect_u32("/cpus", "timebase-frequency", 10000000);
	expect_u32("/cpus", "#address-cells", 1);
	expect_u32("/cpus", "#size-cells", 0);
	expect_cpu("/cpus/cpu@0", "/cpus/cpu@0/interrupt-controller", 0);
	expect_cpu("/cpus/cpu@1", "/cpus/cpu@1/interrupt-controller", 1);
	expect_no_node("/cpus/cpu@2");
	cfg.cpus = 8;
	machine.cbop_block = 32;
	build();
	assert_true(fdt_path_offset(tree, "/cpus/cpu@7") > 0);
	expect_u32("/cpus/cpu@7", "riscv,cbop-block-size", 32);
}

static void devices_stand_below_soc(void **state)
{
	(void)state;
	build();
	expect_text("/soc", "compatible", "simple-bus");
	expect_bytes("/soc", "ranges", "", 0);
	expect_text("/soc/serial@10000000", "compatible", "ns16550a");
	expect_u64s("/soc/serial@10000000", "reg", GUEST_UART_BASE, 0x100, 2);
	expect_u64s("/soc/plic@c000000", "reg", GUEST_PLIC_BASE, 0x600000, 2);
	devices_error = -FDT_ERR_BADVALUE;
	expect_refused(-EINVAL, "device tree: cannot be built (FDT_ERR_BADVALUE)");
	machine.write_devices = NULL;
	build();
	expect_no_node("/soc/plic@c000000");
}

static void what_is_absent_leaves_no_property(void **state)
{
	(void)state;
	cfg.bootargs = "";
	layout.initrd_size = 0;
	machine.isa_extensions = NULL;
	machine.cbom_block = machine.cboz_block = 0;
	build();
	expect_text("/chosen", "bootargs", "");
	expect_absent("/chosen", "linux,initrd-start");
	expect_absent("/chosen", "linux,initrd-end");
	expect_absent("/cpus/cpu@0", "riscv,isa-extensions");
	expect_absent("/cpus/cpu@0", "riscv,cbom-block-size");
	expect_absent("/cpus/cpu@0", "riscv,cboz-block-size");
}

/** 8 CPUs with everything and the longest bootargs fit into the room that guest_dt_room promises. */
static void largest_tree_fits_its_room(void **state)
{
	static char long_args[2048], isa[1024];

	(void)state;
	memset(long_args, 'a', sizeof(long_args) - 1);
	memset(isa, 'z', sizeof(isa) - 1);
	cfg.cpus = 8;
	cfg.bootargs = long_args;
	machine.isa = isa;
	assert_true(guest_dt_room(&cfg) <= sizeof(tree));
	layout.dtb_size = guest_dt_room(&cfg);
	build();
}

static void every_size_of_room_is_kept_to(void **state)
{
	int whole = build_into(sizeof(tree));

	(void)state;
	for (int size = 0; size < whole; size += 1 + size % 7) {
		memset(tree, 0x77, sizeof(tree));
		assert_int_equal(build_into((size_t)size), -ENOSPC);
		for (int i = size; i < whole; i++)
			assert_int_equal(tree[i], 0x77);
	}
	layout.dtb_size = (uint64_t)whole / 2;
	expect_refused(-ENOSPC, "device tree: cannot be built (FDT_ERR_NOSPACE)");
}

/* --- the user's own ------------------------------------------------------------------------------ */

static void give(uint64_t size)
{
	cfg.dtb = (struct vm_image){ { "file/2", blob, size }, "my.dtb" };
}

/** A board of the user's with two memory nodes, a stale /chosen and a device. */
static int make_board(void **state)
{
	int node;

	reset(state);
	memset(blob, 0, sizeof(blob));
	assert_int_equal(fdt_create_empty_tree(blob, sizeof(blob)), 0);
	fdt_setprop_string(blob, 0, "model", "my board");
	fdt_setprop_u32(blob, 0, "#address-cells", 2);
	fdt_setprop_u32(blob, 0, "#size-cells", 2);
	node = fdt_add_subnode(blob, 0, "uart@10000000");
	fdt_setprop_string(blob, node, "compatible", "ns16550a");
	node = fdt_add_subnode(blob, 0, "memory@90000000");
	fdt_setprop_string(blob, node, "device_type", "memory");
	node = fdt_add_subnode(blob, 0, "memory@40000000");
	fdt_setprop_string(blob, node, "device_type", "memory");
	fdt_setprop_u32(blob, node, "numa-node-id", 1);
	fdt_setprop_u64(blob, node, "reg", 0x40000000);
	node = fdt_add_subnode(blob, 0, "chosen");
	fdt_setprop_string(blob, node, "bootargs", "root=/dev/old");
	fdt_setprop_string(blob, node, "stdout-path", "/uart@10000000");
	fdt_setprop_u32(blob, node, "linux,initrd-start", 1);
	fdt_setprop_u32(blob, node, "linux,initrd-end", 2);
	assert_int_equal(fdt_pack(blob), 0);
	give(fdt_totalsize(blob));
	return 0;
}

static void H8_users_tree_gets_chosen_and_memory(void **state)
{
	(void)state;
	build();
	expect_text("/chosen", "bootargs", "console=ttyS0 quiet");
	expect_u64s("/chosen", "linux,initrd-start", RAM + 200 * MiB, 0, 1);
	expect_u64s("/chosen", "linux,initrd-end", RAM + 200 * MiB + 12345, 0, 1);
	expect_bytes("/chosen", "rng-seed", machine.seeds.rng, 32);
	expect_bytes("/chosen", "kaslr-seed", machine.seeds.kaslr, 8);
	expect_u64s("/memory@40000000", "reg", RAM, 256 * MiB, 2);
	expect_no_node("/memory@90000000");
}

static void H8_rest_of_the_users_tree_stays(void **state)
{
	(void)state;
	build();
	expect_text("/", "model", "my board");
	expect_text("/uart@10000000", "compatible", "ns16550a");
	expect_text("/chosen", "stdout-path", "/uart@10000000");
	expect_u32("/memory@40000000", "numa-node-id", 1);
	expect_no_node("/soc");
	expect_no_node("/cpus");
	expect_no_node("/reserved-memory");
}

static void stale_bootargs_and_initrd_go(void **state)
{
	(void)state;
	cfg.bootargs = "";
	layout.initrd_size = 0;
	build();
	expect_text("/chosen", "bootargs", "");
	expect_absent("/chosen", "linux,initrd-start");
	expect_absent("/chosen", "linux,initrd-end");
}

static void missing_nodes_are_added(void **state)
{
	(void)state;
	assert_int_equal(fdt_create_empty_tree(blob, sizeof(blob)), 0);
	fdt_setprop_u32(blob, 0, "#address-cells", 1);
	fdt_setprop_u32(blob, 0, "#size-cells", 1);
	fdt_add_subnode(blob, 0, "memory-controller@0");
	give(sizeof(blob));
	build();
	expect_text("/memory@80000000", "device_type", "memory");
	expect_bytes("/memory@80000000", "reg", "\x80\0\0\0\x10\0\0\0", 8);
	expect_text("/chosen", "bootargs", "console=ttyS0 quiet");
	assert_true(fdt_path_offset(tree, "/memory-controller@0") > 0);
}

static void range_that_the_cells_cannot_say_is_refused(void **state)
{
	(void)state;
	fdt_open_into(blob, blob, sizeof(blob));
	give(sizeof(blob));
	fdt_setprop_u32(blob, 0, "#address-cells", 1);
	fdt_setprop_u32(blob, 0, "#size-cells", 1);
	cfg.memory = 4 * GiB;
	expect_refused(-EINVAL, "my.dtb: cannot be given the VM's memory (FDT_ERR_BADVALUE)");
	fdt_setprop_u32(blob, 0, "#size-cells", 7);
	expect_refused(-EINVAL, "my.dtb: cannot be given the VM's memory (FDT_ERR_BADNCELLS)");
}

static void files_are_taken_at_any_alignment(void **state)
{
	static char moved[ROOM];
	uint64_t size = fdt_totalsize(blob);

	(void)state;
	memcpy(moved + 4, blob, size);
	cfg.dtb.file.data = moved + 4;
	build();
	expect_u64s("/memory@40000000", "reg", RAM, 256 * MiB, 2);
}

static void what_is_no_device_tree_is_refused(void **state)
{
	(void)state;
	give(39);
	expect_refused(-EINVAL, "my.dtb: is not a device tree (FDT_ERR_TRUNCATED)");
	give(0);
	expect_refused(-EINVAL, "my.dtb: is not a device tree (FDT_ERR_TRUNCATED)");
	give(fdt_totalsize(blob) - 1);
	assert_int_equal(build_into(sizeof(tree)), -EINVAL);
	assert_non_null(strstr(message, "my.dtb: has "));
	give(GUEST_DT_USER_MAX + 1);
	expect_refused(-EINVAL, "my.dtb: has 1048577 bytes, more than 1048576");
	give(sizeof(blob));
	layout.dtb_size = 4096;
	expect_refused(-ENOSPC, "my.dtb: is too large (FDT_ERR_NOSPACE)");
	layout.dtb_size = ROOM;
	blob[0] = 'x';
	expect_refused(-EINVAL, "my.dtb: is not a device tree (FDT_ERR_BADMAGIC)");
}

static void every_truncation_is_refused(void **state)
{
	uint64_t size = fdt_totalsize(blob);

	(void)state;
	for (uint64_t n = 0; n < size; n++) {
		char *cut = malloc(n + 1);

		memcpy(cut, blob, n);
		give(n);
		cfg.dtb.file.data = cut;
		assert_int_equal(build_into(sizeof(tree)), -EINVAL);
		/* Also when the header has been made to agree. */
		if (n >= sizeof(struct fdt_header)) {
			memcpy(cut, blob, n);
			fdt_set_totalsize(cut, (uint32_t)n);
			assert_int_equal(build_into(sizeof(tree)), -EINVAL);
		}
		free(cut);
	}
}

static void flipped_bits_never_fault(void **state)
{
	uint64_t seed = 11, size = fdt_totalsize(blob);
	unsigned taken = 0;

	(void)state;
	layout.dtb_size = guest_dt_room(&cfg);
	for (int round = 0; round < 30000; round++) {
		char *copy = malloc(size), *room = malloc(layout.dtb_size);

		memcpy(copy, blob, size);
		for (unsigned i = 0; i <= mock_random(&seed) % 3; i++)
			copy[mock_random(&seed) % (round & 1 ? size : 64)] ^=
				(char)(1 << mock_random(&seed) % 8);
		cfg.dtb.file.data = copy;
		if (guest_dt_build(&cfg, RAM, &layout, &machine, room, layout.dtb_size, message,
				   sizeof(message)) > 0) {
			taken++;
			assert_int_equal(fdt_check_full(room, layout.dtb_size), 0);
		}
		free(room);
		free(copy);
	}
	assert_true(taken > 1000);
}

static void room_is_enough_for_the_users_tree(void **state)
{
	static char long_args[2048];

	(void)state;
	memset(long_args, 'a', sizeof(long_args) - 1);
	cfg.bootargs = long_args;
	layout.dtb_size = guest_dt_room(&cfg);
	build();
	cfg.dtb.file.size = UINT64_MAX;
	assert_true(guest_dt_room(&cfg) < 3 * GUEST_DT_USER_MAX);
}

#define GENERATED(f) cmocka_unit_test_setup(f, reset)
#define USERS(f) cmocka_unit_test_setup(f, make_board)

int main(void)
{
	const struct CMUnitTest tests[] = {
		GENERATED(H8_generated_tree_says_memory_and_chosen),
		GENERATED(H4_generated_tree_reserves_the_firmwares_place),
		GENERATED(H4_nothing_of_the_vms_own_is_reserved),
		GENERATED(H8_generated_tree_has_a_node_per_cpu),
		GENERATED(devices_stand_below_soc),
		GENERATED(what_is_absent_leaves_no_property),
		GENERATED(largest_tree_fits_its_room),
		GENERATED(every_size_of_room_is_kept_to),
		USERS(H8_users_tree_gets_chosen_and_memory),
		USERS(H8_rest_of_the_users_tree_stays),
		USERS(stale_bootargs_and_initrd_go),
		USERS(missing_nodes_are_added),
		USERS(range_that_the_cells_cannot_say_is_refused),
		USERS(files_are_taken_at_any_alignment),
		USERS(what_is_no_device_tree_is_refused),
		USERS(every_truncation_is_refused),
		USERS(flipped_bits_never_fault),
		USERS(room_is_enough_for_the_users_tree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
