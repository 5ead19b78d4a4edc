/* The device tree: what it is asked, with properties missing or of a wrong size; drivers bound. */
// sources: core/dt/dt.c core/dt/bus.c core/dt/args.c core/dt/index.c core/dt/isa.c core/dt/bind.c
#include <caisson/dt.h>
#include <caisson/init.h>
#include <caisson/print.h>
#include <errno.h>
#include <test.h>
#include <tree.h>

static void only_a_device_tree_is_adopted(void **state)
{
	(void)state;
	open_tree();
	close_tree();
	assert_int_equal(dt_init(NULL), -EINVAL);
	assert_int_equal(dt_init(fdt + 4), -EINVAL);
	fdt[0] ^= 1;
	assert_int_equal(dt_init(fdt), -EINVAL);
	fdt[0] ^= 1;
	assert_int_equal(dt_init(fdt), 0);
}

static void reg_goes_by_the_parents_cells(void **state)
{
	uint64_t addr, size;

	(void)state;
	open_tree();
	begin("a");
	CELLS("reg", 1, 2, 3, 4, 5, 6, 7, 8, 9);
	end();
	begin("bus");
	CELLS("#address-cells", 1);
	CELLS("#size-cells", 0);
	begin("b");
	CELLS("reg", 7, 8);
	end();
	begin("none");
	end();
	end();
	begin("odd");
	CELLS("#address-cells", 3);
	begin("c");
	CELLS("reg", 1, 2, 3, 4, 5);
	end();
	end();
	close_tree();
	assert_int_equal(dt_reg(fdt, at("/a"), 0, &addr, &size), 0);
	assert_int_equal(addr, 0x100000002);
	assert_int_equal(size, 0x300000004);
	assert_int_equal(dt_reg(fdt, at("/a"), 1, &addr, &size), 0);
	assert_int_equal(size, 0x700000008);
	assert_int_equal(dt_reg(fdt, at("/a"), 2, &addr, &size), -ENOENT);
	assert_int_equal(dt_reg(fdt, at("/a"), 0x40000000, &addr, &size), -ENOENT);
	assert_int_equal(dt_reg(fdt, at("/bus/b"), 1, &addr, &size), 0);
	assert_int_equal(addr, 8);
	assert_int_equal(size, 0);
	assert_int_equal(dt_reg(fdt, at("/bus/none"), 0, &addr, &size), -ENOENT);
	assert_int_equal(dt_reg(fdt, at("/odd/c"), 0, &addr, &size), -EINVAL);
	assert_true(dt_reg(fdt, 0, 0, &addr, &size) < 0);
}

static void cells_and_strings_are_checked(void **state)
{
	uint32_t value = 0;

	(void)state;
	open_tree();
	CELLS("two", 1, 0xfffffffe);
	bytes("short", "abc", 3);
	string("word", "hello");
	bytes("open", "hello", 5);
	bytes("empty", "", 0);
	close_tree();
	assert_int_equal(dt_u32(fdt, 0, "two", 1, &value), 0);
	assert_int_equal(value, 0xfffffffe);
	assert_int_equal(dt_u32(fdt, 0, "two", 2, &value), -ENOENT);
	assert_int_equal(dt_u32(fdt, 0, "two", ~0u, &value), -ENOENT);
	assert_int_equal(dt_u32(fdt, 0, "short", 0, &value), -ENOENT);
	assert_int_equal(dt_u32(fdt, 0, "missing", 0, &value), -ENOENT);
	assert_int_equal(dt_u32(fdt, -1, "two", 0, &value), -ENOENT);
	assert_string_equal(dt_string(fdt, 0, "word"), "hello");
	assert_null(dt_string(fdt, 0, "open"));
	assert_null(dt_string(fdt, 0, "empty"));
	assert_null(dt_string(fdt, 0, "missing"));
}

static void status_says_enabled(void **state)
{
	static const char *const off[] = { "disabled", "fail", "okay2", "" };
	char name[8];

	(void)state;
	open_tree();
	begin("none");
	end();
	begin("okay");
	string("status", "okay");
	end();
	begin("ok");
	string("status", "ok");
	end();
	begin("cut");
	bytes("status", "okay", 4);
	end();
	for (unsigned i = 0; i < ARRAY_SIZE(off); i++) {
		snprintf(name, sizeof(name), "off%u", i);
		begin(name);
		string("status", off[i]);
		end();
	}
	close_tree();
	assert_true(dt_enabled(fdt, at("/none")));
	assert_true(dt_enabled(fdt, at("/okay")));
	assert_true(dt_enabled(fdt, at("/ok")));
	assert_false(dt_enabled(fdt, at("/cut")));
	for (unsigned i = 0; i < ARRAY_SIZE(off); i++) {
		snprintf(name, sizeof(name), "/off%u", i);
		assert_false(dt_enabled(fdt, at(name)));
	}
}

static void parents_in_a_large_deep_tree(void **state)
{
	char name[16];

	(void)state;
	open_tree();
	begin("deep");
	for (unsigned i = 0; i < 30; i++)
		begin("d");
	begin("leaf");
	end();
	for (unsigned i = 0; i < 30; i++)
		end();
	end();
	for (unsigned i = 0; i < 700; i++) { /* more than the index holds */
		snprintf(name, sizeof(name), "n%u", i);
		begin(name);
		end();
	}
	begin("last");
	begin("child");
	end();
	end();
	close_tree();
	for (int node = fdt_next_node(fdt, 0, NULL); node >= 0; node = fdt_next_node(fdt, node, NULL))
		if (node < at("/n2") || node > at("/n690"))
			assert_int_equal(dt_parent(fdt, node), fdt_parent_offset(fdt, node));
	assert_int_equal(dt_parent(fdt, at("/last/child")), at("/last"));
	assert_int_equal(dt_parent(fdt, 0), -ENOENT);
}

static void tree_with_bootargs(const char *args)
{
	open_tree();
	begin("chosen");
	if (args)
		string("bootargs", args);
	end();
	close_tree();
}

static void boot_arguments_are_words(void **state)
{
	char value[8];

	(void)state;
	tree_with_bootargs("  framed loglevel=debug  batching x= key=a=b loglevels=z last");
	assert_true(boot_arg("framed", NULL, 0));
	assert_true(boot_arg("framed", value, sizeof(value)));
	assert_string_equal(value, "");
	assert_true(boot_arg("loglevel", value, sizeof(value)));
	assert_string_equal(value, "debug");
	assert_true(boot_arg("loglevel", value, 4));
	assert_string_equal(value, "deb");
	assert_true(boot_arg("x", value, sizeof(value)));
	assert_string_equal(value, "");
	assert_true(boot_arg("key", value, sizeof(value)));
	assert_string_equal(value, "a=b");
	assert_true(boot_arg("last", NULL, 0));
	assert_false(boot_arg("batch", NULL, 0));
	assert_false(boot_arg("las", NULL, 0));
	assert_false(boot_arg("debug", NULL, 0));
}

static void the_last_boot_argument_counts(void **state)
{
	char value[8];

	(void)state;
	tree_with_bootargs("a=1 a=2");
	assert_true(boot_arg("a", value, sizeof(value)));
	assert_string_equal(value, "2");
}

static void the_applications_arguments(void **state)
{
	char value[16];

	(void)state;
	tree_with_bootargs("framed loglevel=warn --  one a%20b%25c%0a %00 --  100% %4 %zz -- loglevel=debug");
	assert_true(boot_arg("loglevel", value, sizeof(value)));
	assert_string_equal(value, "warn"); /* the other one is not ours */
	assert_int_equal(app_arg(0, value, sizeof(value)), 3);
	assert_string_equal(value, "one");
	assert_int_equal(app_arg(1, value, sizeof(value)), 6);
	assert_string_equal(value, "a b%c\n");
	assert_int_equal(app_arg(1, value, 4), 6);
	assert_string_equal(value, "a b");
	assert_int_equal(app_arg(1, NULL, 0), 6);
	assert_int_equal(app_arg(2, value, sizeof(value)), 0);
	assert_string_equal(value, "");
	assert_int_equal(app_arg(3, value, sizeof(value)), 2);
	assert_string_equal(value, "--");
	assert_int_equal(app_arg(4, value, sizeof(value)), 4);
	assert_string_equal(value, "100%");
	assert_int_equal(app_arg(5, value, sizeof(value)), 2);
	assert_int_equal(app_arg(6, value, sizeof(value)), 3);
	assert_string_equal(value, "%zz");
	assert_int_equal(app_arg(8, value, sizeof(value)), 14);
	assert_int_equal(app_arg(9, value, sizeof(value)), -ENOENT);
}

static void without_application_arguments(void **state)
{
	static const char *const texts[] = { NULL, "", "framed", "framed --", "-- ", "--x y", "- y" };
	char value[4] = "abc";

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		tree_with_bootargs(texts[i]);
		assert_int_equal(app_arg(0, value, sizeof(value)), -ENOENT);
	}
	assert_string_equal(value, "abc");
}

static void arguments_that_are_numbers(void **state)
{
	(void)state;
	tree_with_bootargs("-- 12 0x10 12x %00");
	assert_int_equal(app_arg_number(0, 7), 12);
	assert_int_equal(app_arg_number(1, 7), 16);
	assert_int_equal(app_arg_number(2, 7), 7);
	assert_int_equal(app_arg_number(3, 7), 7);
	assert_int_equal(app_arg_number(4, 7), 7);
}

static void without_boot_arguments(void **state)
{
	(void)state;
	tree_with_bootargs("");
	assert_false(boot_arg("a", NULL, 0));
	tree_with_bootargs(NULL);
	assert_false(boot_arg("a", NULL, 0));
	assert_null(dt_chosen("stdout-path"));
	open_tree();
	close_tree();
	assert_false(boot_arg("a", NULL, 0));
	assert_null(dt_chosen("bootargs"));
}

static char seen[256];

static void note_memory(uint64_t start, uint64_t size, void *arg)
{
	assert_ptr_equal(arg, seen);
	snprintf(seen + strlen(seen), sizeof(seen) - strlen(seen), "%lx+%lx ", start, size);
}

static void memory_ranges_of_all_banks(void **state)
{
	(void)state;
	open_tree();
	begin("memory@80000000");
	string("device_type", "memory");
	CELLS("reg", 0, 0x80000000, 0, 0x1000, 1, 0, 0, 0, 2, 0, 1, 0);
	end();
	begin("memory@off");
	string("device_type", "memory");
	string("status", "disabled");
	CELLS("reg", 0, 1, 0, 1);
	end();
	begin("memory@noreg");
	string("device_type", "memory");
	end();
	begin("memory@top");
	string("device_type", "memory");
	CELLS("reg", 0xffffffff, 0xfffff000, 1, 0);
	end();
	begin("flash");
	CELLS("reg", 0, 0x1000, 0, 1);
	end();
	close_tree();
	seen[0] = '\0';
	dt_for_each_memory(note_memory, seen);
	assert_string_equal(seen, "80000000+1000 200000000+100000000 fffffffffffff000+fff ");
}

static void note_cpu(uint64_t hwid, int node, void *arg)
{
	uint32_t reg;

	assert_ptr_equal(arg, seen);
	assert_int_equal(dt_u32(fdt, node, "reg", 0, &reg), 0);
	assert_int_equal(reg, hwid);
	snprintf(seen + strlen(seen), sizeof(seen) - strlen(seen), "%lu ", hwid);
}

static void cpus_that_are_enabled(void **state)
{
	(void)state;
	begin_cpus();
	begin_cpu(7, NULL);
	end();
	begin_cpu(3, NULL);
	string("status", "disabled");
	end();
	begin("cpu@none");
	string("device_type", "cpu");
	end();
	begin("cpu-map");
	end();
	begin_cpu(100, NULL);
	string("status", "okay");
	end();
	close_cpus();
	seen[0] = '\0';
	dt_for_each_cpu(note_cpu, seen);
	assert_string_equal(seen, "7 100 ");
	open_tree();
	close_tree();
	dt_for_each_cpu(note_cpu, NULL);
}

/* Drivers. The linker gives these names to the section's ends. */

static char probed[256];

static int note_probe(const char *driver, const void *blob, int node)
{
	size_t n = strlen(probed);

	assert_ptr_equal(blob, fdt);
	snprintf(probed + n, sizeof(probed) - n, "%s:%s ", driver, fdt_get_name(blob, node, NULL));
	return n > 20 ? -EIO : 0; /* a failure keeps nobody else from being bound */
}

static int probe_serial(const void *blob, int node)
{
	return note_probe("serial", blob, node);
}

static int probe_chip(const void *blob, int node)
{
	return note_probe("chip", blob, node);
}

static const char *const serial_names[] = { "uart-b", "uart-a", NULL };
static const char *const chip_names[] = { "chip", NULL };

const struct driver __drivers_start[] = {
	{ "serial", serial_names, probe_serial, 1 },
	{ "chip", chip_names, probe_chip, 0 },
};
_Static_assert(sizeof(__drivers_start) == 2 * 32, "the end below");
__asm__(".globl __drivers_end\n.set __drivers_end, __drivers_start + 2 * 32");

static void device(const char *name, const char *compatible, int n)
{
	begin(name);
	bytes("compatible", compatible, n);
	end();
}

static void drivers_meet_their_nodes(void **state)
{
	(void)state;
	open_tree();
	device("s1", "uart-a", 7);
	begin("soc");
	device("s2", "other\0uart-b", 13);
	device("c1", "chip\0uart-a", 12);
	begin("off");
	string("compatible", "chip");
	string("status", "disabled");
	device("inside", "chip", 5); /* of a bus that is off */
	end();
	end();
	device("open", "chip", 4);
	device("other", "chips", 6);
	begin("plain");
	end();
	device("s3", "uart-b", 7);
	close_tree();
	probed[0] = '\0';
	drivers_probe();
	assert_string_equal(probed, "chip:c1 serial:s1 serial:s2 serial:s3 ");
}

static void nothing_may_happen(uint64_t start, uint64_t size, void *arg)
{
	(void)start;
	(void)size;
	(void)arg;
}

static void ask_node(uint64_t hwid, int node, void *arg)
{
	uint64_t addr, size;

	(void)hwid;
	(void)arg;
	(void)!dt_reg(fdt, node, 0, &addr, &size);
	(void)dt_parent(fdt, node);
}

/* The index answers what libfdt answers by walking. */
static void assert_same_as_libfdt(void)
{
	int node = 0, next, len, want;

	for (; node >= 0; node = next) {
		const void *value = dt_prop(fdt, node, "compatible", &len);

		assert_ptr_equal(value, fdt_getprop(fdt, node, "compatible", &want));
		assert_int_equal(len, want);
		next = fdt_first_subnode(fdt, node);
		assert_int_equal(dt_first_child(fdt, node), next < 0 ? -ENOENT : next);
		next = node ? fdt_next_subnode(fdt, node) : -1;
		assert_int_equal(dt_next_child(fdt, node), next < 0 ? -ENOENT : next);
		next = fdt_parent_offset(fdt, node);
		assert_int_equal(dt_parent(fdt, node), next < 0 ? -ENOENT : next);
		next = fdt_next_node(fdt, node, NULL);
		assert_int_equal(dt_next_node(fdt, node), next < 0 ? -ENOENT : next);
	}
}

static void make_small_tree(void)
{
	open_tree();
	device("first", "a", 2);
	begin("soc");
	device("serial@1000", "b", 2);
	begin("bus@2000");
	device("serial@3000", "c\0d", 4);
	end();
	device("serial@4000", "e", 2);
	end();
	begin("aliases");
	string("console", "/soc/serial@4000");
	end();
	begin("empty");
	end();
	close_tree();
}

static void the_way_through_a_tree(void **state)
{
	static char other[FDT_SIZE] ALIGNED_TO(8);

	(void)state;
	make_small_tree();
	assert_same_as_libfdt();
	memcpy(other, fdt, sizeof(other)); /* a blob that is not the adopted one */
	assert_int_equal(dt_first_child(other, at("/soc")), at("/soc/serial@1000"));
	assert_int_equal(dt_next_child(other, at("/soc")), at("/aliases"));
	assert_int_equal(dt_next_child(other, at("/empty")), -ENOENT);
}

static void nodes_by_path(void **state)
{
	(void)state;
	make_small_tree();
	assert_int_equal(dt_path("/"), 0);
	assert_int_equal(dt_path("/soc"), at("/soc"));
	assert_int_equal(dt_path("/soc/bus@2000/serial@3000"), at("/soc/bus@2000/serial@3000"));
	assert_int_equal(dt_path("/soc/bus/serial"), at("/soc/bus@2000/serial@3000"));
	assert_int_equal(dt_path("/soc/"), at("/soc"));
	assert_int_equal(dt_path("console"), at("/soc/serial@4000"));
	assert_int_equal(dt_path_n("/soc/serial@4000:115200", 16), at("/soc/serial@4000"));
	assert_int_equal(dt_path("/so"), -ENOENT);
	assert_int_equal(dt_path("/soc/serial@40"), -ENOENT);
	assert_int_equal(dt_path("/soc/none/serial"), -ENOENT);
	assert_int_equal(dt_path("/serial@1000"), -ENOENT);
	assert_int_equal(dt_path("none"), -ENOENT);
	assert_int_equal(dt_path(""), -ENOENT);
}

/* Whatever is wrong with the structure, what libfdt makes of it is the answer. */
static void an_unsound_structure_goes_to_libfdt(void **state)
{
	(void)state;
	make_small_tree();
	memset(fdt + fdt_off_dt_struct(fdt) + at("/aliases"), 0xff, 4); /* no tag */
	assert_int_equal(dt_init(fdt), 0);
	assert_int_equal(dt_path("/soc/bus"), at("/soc/bus"));
	assert_same_as_libfdt();
	make_small_tree();
	fdt_set_size_dt_struct(fdt, at("/aliases")); /* ends too soon */
	assert_int_equal(dt_init(fdt), 0);
	assert_same_as_libfdt();
	make_small_tree();
	fdt_set_size_dt_strings(fdt, fdt_size_dt_strings(fdt) - 1); /* the last string is open */
	assert_int_equal(dt_init(fdt), 0);
	assert_same_as_libfdt();
}

/* A blob with any content behind an intact header: answers may be wrong, nothing is read outside. */
static void any_content_is_survived(void **state)
{
	static char good[FDT_SIZE];
	uint64_t seed = 3;
	char value[16];

	(void)state;
	begin_cpus();
	begin_cpu(0, "rv64imac_sstc");
	bytes("riscv,isa-extensions", "i\0h", 4);
	end();
	end();
	begin("memory");
	string("device_type", "memory");
	CELLS("reg", 0, 1, 0, 1);
	end();
	device("s", "uart-a", 7);
	begin("chosen");
	string("bootargs", "a b=c");
	end();
	close_tree();
	memcpy(good, fdt, sizeof(good));
	for (unsigned round = 0; round < 20000; round++) {
		memcpy(fdt, good, sizeof(good));
		for (unsigned i = 0; i < 1 + round % 4; i++)
			fdt[40 + mock_random(&seed) % (fdt_totalsize(good) - 40)] = (char)mock_random(&seed);
		assert_int_equal(dt_init(fdt), 0);
		probed[0] = '\0';
		dt_for_each_memory(nothing_may_happen, NULL);
		dt_for_each_cpu(ask_node, NULL);
		(void)dt_isa_mask(&(const char *){ "sstc" }, 1);
		(void)boot_arg("b", value, sizeof(value));
		(void)dt_path("/cpus/cpu");
		drivers_probe();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_a_device_tree_is_adopted),
		cmocka_unit_test(reg_goes_by_the_parents_cells),
		cmocka_unit_test(cells_and_strings_are_checked),
		cmocka_unit_test(status_says_enabled),
		cmocka_unit_test(parents_in_a_large_deep_tree),
		cmocka_unit_test(boot_arguments_are_words),
		cmocka_unit_test(the_last_boot_argument_counts),
		cmocka_unit_test(the_applications_arguments),
		cmocka_unit_test(without_application_arguments),
		cmocka_unit_test(arguments_that_are_numbers),
		cmocka_unit_test(without_boot_arguments),
		cmocka_unit_test(memory_ranges_of_all_banks),
		cmocka_unit_test(cpus_that_are_enabled),
		cmocka_unit_test(drivers_meet_their_nodes),
		cmocka_unit_test(the_way_through_a_tree),
		cmocka_unit_test(nodes_by_path),
		cmocka_unit_test(an_unsound_structure_goes_to_libfdt),
		cmocka_unit_test(any_content_is_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
