/* VM descriptions: every property of docs/host.md, each refused in every wrong shape. */
// sources: vmm/image/config.c vmm/image/config_disk.c vmm/image/isa_names.c vmm/image/blob.c vmm/channel/description.c vmm/net/description.c fs/cpio.c
#include <vm_description.h>

/* --- what is accepted ----------------------------------------------------------------------- */

static void H8_least_description_has_the_defaults(void **state)
{
	(void)state;
	expect_accepted();
	assert_string_equal(cfg.name, "debian");
	assert_int_equal(cfg.cpus, 2);
	assert_int_equal(cfg.memory, 256 * MiB);
	assert_int_equal(cfg.kernel.file.size, 12);
	assert_memory_equal(cfg.kernel.file.data, "kernel bytes", 12);
	assert_string_equal(cfg.kernel.label, "boot/vmlinuz");
	assert_null(cfg.initrd.file.data);
	assert_null(cfg.dtb.file.data);
	assert_string_equal(cfg.bootargs, "");
	assert_false(cfg.has_entry);
	assert_false(cfg.has_load);
	assert_false(cfg.has_initrd_load || cfg.has_dtb_load);
	assert_false(cfg.eager);
	assert_false(cfg.no_autostart);
	assert_false(cfg.exclusive);
	assert_int_equal(cfg.scrollback, 0);
	assert_false(cfg.console_log);
	assert_int_equal(cfg.isa_hide | cfg.isa_require, 0);
	assert_null(cfg.format);
	assert_int_equal(cfg.hart_mask, 0);
}

static void set_everything(void)
{
	set_text("initrd", "file/1");
	set_text("initrd-label", "my.cpio");
	set_text("dtb", "file/2");
	set_text("bootargs", "console=ttyS0 quiet");
	set("entry", DOUBLE("\x80\x20\0\4"), 8);
	set("load", DOUBLE("\x80\x20\0\0"), 8);
	set("initrd-load", DOUBLE("\x81\0\0\1"), 8);
	set("dtb-load", DOUBLE("\x82\0\0\0"), 8);
	set("eager", "", 0);
	set("no-autostart", "", 0);
	set("scrollback", "\0\1\0\0", 4);
	set("console-log", "", 0);
	set("isa-hide", "sstc\0v", 7);
	set("isa-require", "d", 2);
	set_text("format", "sv48x4");
	set("harts", DOUBLE("\0\0\0\5"), 8);
	set("exclusive", "", 0);
}

static void expect_everything(void)
{
	assert_memory_equal(cfg.initrd.file.data, "initrd bytes!", 13);
	assert_string_equal(cfg.initrd.label, "my.cpio");
	assert_memory_equal(cfg.dtb.file.data, "dtb", 3);
	assert_string_equal(cfg.dtb.label, "file/2"); /* its path, for want of a label */
	assert_string_equal(cfg.bootargs, "console=ttyS0 quiet");
	assert_true(cfg.has_entry);
	assert_int_equal(cfg.entry, 0x80200004);
	assert_true(cfg.has_load);
	assert_int_equal(cfg.load, 0x80200000);
	assert_true(cfg.has_initrd_load && cfg.has_dtb_load);
	assert_int_equal(cfg.initrd_load, 0x81000001);
	assert_int_equal(cfg.dtb_load, 0x82000000);
	assert_true(cfg.eager);
	assert_true(cfg.no_autostart);
	assert_int_equal(cfg.scrollback, 65536);
	assert_true(cfg.console_log);
	assert_int_equal(cfg.isa_hide, BIT(ISA_SSTC) | BIT(ISA_V));
	assert_int_equal(cfg.isa_require, BIT(ISA_D));
	assert_ptr_equal(cfg.format, &pt_sv48x4);
	assert_int_equal(cfg.hart_mask, 5);
	assert_true(cfg.exclusive);
}

static void H8_every_property_is_applied(void **state)
{
	(void)state;
	set_everything();
	expect_accepted();
	expect_everything();
}

static void H8_any_alignment_will_do_and_strings_are_the_blobs(void **state)
{
	char *moved = malloc(sizeof(blob) + 4);

	(void)state;
	set_everything();
	memcpy(moved + 4, blob, sizeof(blob));
	assert_int_equal(vm_config_parse(moved + 4, sizeof(blob), &cfg, message, sizeof(message)), 0);
	expect_everything();
	assert_true(cfg.bootargs > moved && cfg.bootargs < moved + sizeof(blob));
	assert_true(cfg.initrd.label > moved && cfg.initrd.label < moved + sizeof(blob));
	free(moved);
	assert_int_equal(heap_in_use(), 0);
}

static void limits_are_inside(void **state)
{
	char args[2048];

	(void)state;
	memset(args, 'a', sizeof(args));
	args[2047] = '\0';
	set_text("bootargs", args);
	set_text("name", "A-name_of.31-characters-00000z9");
	set("cpus", CELL("\10"), 4);
	set("memory", DOUBLE("\0\x20\0\0"), 8);
	set("harts", "\xff\xff\xff\xff\xff\xff\xff\xff", 8);
	expect_accepted();
	assert_int_equal(strlen(cfg.bootargs), 2047);
	assert_int_equal(strlen(cfg.name), 31);
	assert_int_equal(cfg.cpus, 8);
	assert_int_equal(cfg.memory, 2 * MiB);
	assert_int_equal(cfg.hart_mask, UINT64_MAX);
}

/* --- what is refused --------------------------------------------------------------------------- */

static void unknown_properties_are_refused_by_name(void **state)
{
	(void)state;
	set("colour", "", 0);
	expect_refused("colour: unknown property");
	set("cpu", CELL("\1"), 4);
	expect_refused("cpu: unknown property");
	assert_true(fdt_add_subnode(blob, 0, "disk@0") > 0);
	expect_refused("disk@0: unknown node");
}

static void required_properties_are_missed_by_name(void **state)
{
	static const char *const names[] = {
		"compatible", "name", "cpus", "memory", "kernel", "kernel-label",
	};
	char text[64];

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
		assert_int_equal(fdt_delprop(blob, 0, names[i]), 0);
		snprintf(text, sizeof(text), "%s: is missing", names[i]);
		expect_refused(text);
	}
}

static void numbers_out_of_range_are_refused(void **state)
{
	(void)state;
	set("cpus", CELL("\0"), 4);
	expect_refused("cpus: 0 is not 1 to 8");
	set("cpus", CELL("\11"), 4);
	expect_refused("cpus: 9 is not 1 to 8");
	set("cpus", "\xff\xff\xff\xff", 4);
	expect_refused("cpus: 4294967295 is not 1 to 8");
	set("memory", DOUBLE("\0\x1f\xf0\0"), 8);
	expect_refused("memory: 2093056 bytes are less than 2 MiB");
	set("memory", DOUBLE("\0\x20\0\1"), 8);
	expect_refused("memory: 2097153 bytes are no multiple of 4 KiB");
	set("memory", "\xff\xff\xff\xff\xff\xff\xf0\0", 8);
	expect_refused("memory: 18446744073709547520 bytes are more than any machine has");
	set("harts", DOUBLE("\0\0\0\0"), 8);
	expect_refused("harts: 0 names no hart");
	set("exclusive", "", 0);
	expect_refused("exclusive: 2 vCPUs need as many harts, and harts names 0");
	set("exclusive", "", 0);
	set("harts", DOUBLE("\0\0\0\2"), 8);
	expect_refused("exclusive: 2 vCPUs need as many harts, and harts names 1");
	set("exclusive", "", 0);
	set("harts", DOUBLE("\0\0\0\7"), 8);
	expect_refused("exclusive: 2 vCPUs need as many harts, and harts names 3");
}

static void wrong_types_are_refused(void **state)
{
	(void)state;
	set("cpus", DOUBLE("\0\0\0\1"), 8);
	expect_refused("cpus: has 8 bytes, not the 4 of a u32");
	set("memory", CELL("\1"), 4);
	expect_refused("memory: has 4 bytes, not the 8 of a u64");
	set("entry", "", 0);
	expect_refused("entry: has 0 bytes, not the 8 of a u64");
	set("load", "123456789", 9);
	expect_refused("load: has 9 bytes, not the 8 of a u64");
	set("harts", CELL("\1"), 4);
	expect_refused("harts: has 4 bytes, not the 8 of a u64");
	set("eager", CELL("\1"), 4);
	expect_refused("eager: has a value, though its presence says it all");
	set("dtb-load", CELL("\0"), 4);
	expect_refused("dtb-load: has 4 bytes, not the 8 of a u64");
	set("initrd-load", DOUBLE("\0\0\0\0"), 8);
	expect_refused("initrd-load: there is no initrd");
	set("exclusive", "yes", 4);
	expect_refused("exclusive: has a value, though its presence says it all");
	set("no-autostart", CELL("\0"), 4);
	expect_refused("no-autostart: has a value, though its presence says it all");
	set("scrollback", "\0\0\x0f\xff", 4);
	expect_refused("scrollback: 4095 is not a power of two from 4096 to 1048576");
	set("scrollback", "\0\0\x30\0", 4);
	expect_refused("scrollback: 12288 is not a power of two from 4096 to 1048576");
	set("scrollback", "\0\x20\0\0", 4);
	expect_refused("scrollback: 2097152 is not a power of two from 4096 to 1048576");
	set("name", "debian", 6);
	expect_refused("name: is not one string");
	set("bootargs", "", 0);
	expect_refused("bootargs: is not one string");
	set("kernel", "file/0\0file/1", 14);
	expect_refused("kernel: is not one string");
	set("kernel-label", "abc", 3);
	expect_refused("kernel-label: is not one string");
	set("format", "sv48x4", 6);
	expect_refused("format: is not one string");
	set("compatible", "caisson,vm", 10);
	expect_refused("compatible: is not one string");
}

static void bad_strings_are_refused(void **state)
{
	char long_args[2049];

	(void)state;
	set_text("compatible", "linux,vm");
	expect_refused("compatible: \"linux,vm\" is not \"caisson,vm\"");
	set_text("name", "");
	expect_refused("name: \"\" is not 1 to 31 characters long");
	set_text("name", "0123456789abcdef0123456789abcdef");
	expect_refused("name: \"0123456789abcdef0123456789abcdef\" is not 1 to 31 characters long");
	set_text("name", "my vm");
	expect_refused("name: \"my vm\" has other characters than [A-Za-z0-9._-]");
	set_text("format", "sv39");
	expect_refused("format: \"sv39\" is not sv39x4, sv48x4 or sv57x4");
	set_text("format", "sv64x4");
	expect_refused("format: \"sv64x4\" is not sv39x4, sv48x4 or sv57x4");
	memset(long_args, 'a', sizeof(long_args));
	long_args[2048] = '\0';
	set_text("bootargs", long_args);
	expect_refused("bootargs: 2048 bytes are more than 2047");
	set_text("initrd-label", "lost");
	expect_refused("initrd-label: \"lost\" is the label of no file");
	set_text("dtb-label", "lost");
	expect_refused("dtb-label: \"lost\" is the label of no file");
}

static void repeated_properties_are_refused(void **state)
{
	(void)state;
	/* Only the sequential writer of libfdt writes a name twice. */
	fdt_create(blob, sizeof(blob));
	fdt_finish_reservemap(blob);
	fdt_begin_node(blob, "");
	fdt_property_u32(blob, "cpus", 1);
	fdt_property_u32(blob, "cpus", 2);
	fdt_end_node(blob);
	assert_int_equal(fdt_finish(blob), 0);
	expect_refused("cpus: is given twice");
}

static void without_memory_it_says_so(void **state)
{
	(void)state;
	mock_alloc_fail_at = 1;
	assert_int_equal(parse(), -ENOMEM);
	assert_string_equal(message, "description: no memory to read it");
	mock_alloc_fail_at = 0;
	expect_accepted();
}

static void images_that_are_not_there(void **state)
{
	(void)state;
	set_text("kernel", "file/7");
	assert_int_equal(parse(), -ENOENT);
	assert_string_equal(message, "kernel: the initrd holds no file \"file/7\"");
	memcpy(archive, "damage", 6);
	assert_int_equal(parse(), -EINVAL);
	assert_string_equal(message, "kernel: the initrd is damaged before its file \"file/7\"");
	assert_int_equal(make_initrd(NULL), 0);
}

static void what_is_no_device_tree_is_refused(void **state)
{
	(void)state;
	memset(blob, 0, sizeof(blob));
	expect_refused("description: is not a device tree (FDT_ERR_BADMAGIC)");
	assert_int_equal(vm_config_parse(blob, 39, &cfg, message, sizeof(message)), -EINVAL);
	assert_string_equal(message, "description: 39 bytes are not 40 to 65536");
	assert_int_equal(vm_config_parse(blob, UINT64_MAX, &cfg, message, sizeof(message)), -EINVAL);
	assert_int_equal(vm_config_parse(NULL, 0, &cfg, message, sizeof(message)), -EINVAL);
	assert_int_equal(heap_in_use(), 0);
}

static void every_truncation_is_refused(void **state)
{
	(void)state;
	assert_int_equal(fdt_pack(blob), 0);
	for (uint64_t n = 0; n < fdt_totalsize(blob); n++) {
		char *cut = malloc(n + 1);

		memcpy(cut, blob, n);
		assert_int_equal(vm_config_parse(cut, n, &cfg, message, sizeof(message)), -EINVAL);
		free(cut);
	}
}

static void flipped_bits_never_fault(void **state)
{
	uint64_t seed = 3;

	(void)state;
	set_everything();
	assert_int_equal(fdt_pack(blob), 0);
	for (int round = 0; round < 30000; round++) {
		uint64_t size = fdt_totalsize(blob);
		char *copy = malloc(size);

		memcpy(copy, blob, size);
		for (unsigned i = 0; i <= mock_random(&seed) % 3; i++)
			copy[mock_random(&seed) % size] ^= (char)(1 << mock_random(&seed) % 8);
		if (vm_config_parse(copy, size, &cfg, message, sizeof(message)) == 0)
			assert_true(strlen(cfg.kernel.label) + strlen(cfg.bootargs) < size);
		free(copy);
	}
	assert_int_equal(heap_in_use(), 0);
}

#define TEST(f) cmocka_unit_test_setup(f, make_least)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(H8_least_description_has_the_defaults),
		TEST(H8_every_property_is_applied),
		TEST(H8_any_alignment_will_do_and_strings_are_the_blobs),
		TEST(limits_are_inside),
		TEST(unknown_properties_are_refused_by_name),
		TEST(required_properties_are_missed_by_name),
		TEST(numbers_out_of_range_are_refused),
		TEST(wrong_types_are_refused),
		TEST(bad_strings_are_refused),
		TEST(repeated_properties_are_refused),
		TEST(without_memory_it_says_so),
		TEST(images_that_are_not_there),
		TEST(what_is_no_device_tree_is_refused),
		TEST(every_truncation_is_refused),
		TEST(flipped_bits_never_fault),
	};

	return cmocka_run_group_tests(tests, make_initrd, NULL);
}
