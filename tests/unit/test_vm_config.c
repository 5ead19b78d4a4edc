/* VM descriptions: every property of docs/host.md, each refused in every wrong shape. */
// sources: vmm/image/config.c vmm/image/config_disk.c vmm/image/isa_names.c vmm/image/blob.c vmm/channel/description.c vmm/net/description.c fs/cpio.c
#include <test.h>

#include <errno.h>
#include <libfdt.h>

#include <caisson/mm.h>
#include <mem.h>
#include <vmm/config.h>
#include <vmm/isa.h>

/* The formats, without the table arithmetic that comes with the real ones. */
const struct pt_format pt_sv39 = { .name = "sv39", .guest = false };
const struct pt_format pt_sv48x4 = { .name = "sv48x4", .guest = true };

const struct pt_format *pt_format_by_name(const char *name)
{
	if (!strcmp(name, "sv39"))
		return &pt_sv39;
	return strcmp(name, "sv48x4") ? NULL : &pt_sv48x4;
}

static char blob[8192] __attribute__((aligned(8)));
static struct vm_config cfg;
static char message[256];

/* --- an initrd with three files ------------------------------------------------------ */

static char archive[2048];

static size_t put_file(size_t at, const char *name, const char *data)
{
	at += (size_t)sprintf(archive + at, "070701%08X%08X%032X%08X%032X%08X%08X", 1, 0100644, 0,
			      (unsigned)strlen(data), 0, (unsigned)strlen(name) + 1, 0);
	at = ALIGN_UP(at + (size_t)sprintf(archive + at, "%s", name) + 1, 4);
	return ALIGN_UP(at + (size_t)sprintf(archive + at, "%s", data), 4);
}

static int make_initrd(void **state)
{
	size_t size = put_file(0, "file/0", "kernel bytes");

	(void)state;
	size = put_file(size, "file/1", "initrd bytes!");
	size = put_file(size, "file/2", "dtb");
	size = put_file(size, "TRAILER!!!", "");
	return initrd_init(archive, size) == 3 ? 0 : -1;
}

/* --- descriptions ----------------------------------------------------------------------- */

#define CELL(n) "\0\0\0" n
#define DOUBLE(n) "\0\0\0\0" n

static void set(const char *name, const void *value, int size)
{
	assert_int_equal(fdt_setprop(blob, 0, name, value, size), 0);
}

static void set_text(const char *name, const char *value)
{
	set(name, value, (int)strlen(value) + 1);
}

/** The least that is a description. */
static int make_least(void **state)
{
	(void)state;
	assert_int_equal(fdt_create_empty_tree(blob, sizeof(blob)), 0);
	set_text("compatible", "caisson,vm");
	set_text("name", "debian");
	set("cpus", CELL("\2"), 4);
	set("memory", DOUBLE("\x10\0\0\0"), 8);
	set_text("kernel", "file/0");
	set_text("kernel-label", "boot/vmlinuz");
	return 0;
}

static int parse(void)
{
	message[0] = '\0';
	return vm_config_parse(blob, sizeof(blob), &cfg, message, sizeof(message));
}

static void expect_accepted(void)
{
	int err = parse();

	assert_string_equal(message, "");
	assert_int_equal(err, 0);
}

static void expect_refused(const char *text)
{
	assert_int_equal(parse(), -EINVAL);
	assert_string_equal(message, text);
	make_least(NULL);
}

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

static void restart_policies(void **state)
{
	(void)state;
	expect_accepted();
	assert_int_equal(cfg.restart, VM_RESTART_NEVER);
	set("restart", "never", 6);
	expect_accepted();
	assert_int_equal(cfg.restart, VM_RESTART_NEVER);
	set("restart", "on-crash", 9);
	expect_accepted();
	assert_int_equal(cfg.restart, VM_RESTART_ON_CRASH);
	set("restart", "always", 7);
	expect_accepted();
	assert_int_equal(cfg.restart, VM_RESTART_ALWAYS);
	set("restart", "often", 6);
	expect_refused("restart: \"often\" is not never, on-crash or always");
}

static void kinds_of_consoles(void **state)
{
	(void)state;
	expect_accepted();
	assert_int_equal(cfg.console, VM_CONSOLE_UART);
	assert_false(cfg.entropy);
	set("entropy", "", 0);
	set("console", "virtio", 7);
	expect_accepted();
	assert_true(cfg.entropy);
	assert_int_equal(cfg.console, VM_CONSOLE_VIRTIO);
	set("console", "uart", 5);
	expect_accepted();
	assert_int_equal(cfg.console, VM_CONSOLE_UART);
	set("entropy", "\0\0\0\1", 4);
	expect_refused("entropy: has a value, though its presence says it all");
	set("console", "vga", 4);
	expect_refused("console: \"vga\" is not uart or virtio");
	set("console", "virtio", 6);
	expect_refused("console: is not one string");
}

static void weight_and_cap(void **state)
{
	(void)state;
	expect_accepted();
	assert_int_equal(cfg.weight, 0);
	assert_int_equal(cfg.cap, 0);
	set("weight", "\0\0\x27\x10", 4);
	expect_accepted();
	assert_int_equal(cfg.weight, 10000);
	set("weight", "\0\0\x27\x11", 4);
	expect_refused("weight: 10001 is not 1 to 10000");
	set("weight", "\0\0\0\0", 4);
	expect_refused("weight: 0 is not 1 to 10000");
	set("weight", "\0\0\0\1", 4);
	set("cap", "\0\0\0\0", 4);
	expect_refused("cap: 0 per cent of a hart are none");
	set("cpus", "\0\0\0\2", 4);
	set("cap", "\0\0\0\xc9", 4);
	expect_refused("cap: 201 is more than 2 vCPUs can use, 200");
	set("cap", "\0\0\0\xc8", 4);
	expect_accepted();
	assert_int_equal(cfg.cap, 200);
	set("cap", "\xff\xff\xff\xff", 4);
	expect_refused("cap: 4294967295 is more than 2 vCPUs can use, 200");
	set("cap", "\0\1", 2);
	expect_refused("cap: has 2 bytes, not the 4 of a u32");
}

static void seconds(void **state)
{
	(void)state;
	expect_accepted();
	assert_int_equal(cfg.stop_timeout, 10);
	assert_int_equal(cfg.watchdog, 0);
	set("stop-timeout", "\0\0\0\0", 4);
	set("watchdog", "\0\0\0\7", 4);
	expect_accepted();
	assert_int_equal(cfg.stop_timeout, 0);
	assert_int_equal(cfg.watchdog, 7);
	set("watchdog", "\0\0\x0e\x11", 4);
	expect_refused("watchdog: 3601 s are more than 3600");
	set("watchdog", "\0\0\0\7", 4);
	set("stop-timeout", "\0\0\0\0\0\0\0\1", 8);
	expect_refused("stop-timeout: has 8 bytes, not the 4 of a u32");
}

static void plugins(void **state)
{
	(void)state;
	set("plugins", "one\0other", 10);
	expect_accepted();
	assert_int_equal(cfg.n_plugins, 2);
	assert_string_equal(cfg.plugins[1], "other");
	set("plugins", "one", 3);
	expect_refused("plugins: is not a list of strings");
	set("plugins", "one\0one", 8);
	expect_refused("plugins: \"one\" is there twice");
	set("plugins", "a\0b\0c\0d\0e", 10);
	expect_refused("plugins: there are more than 4");
}

static void channels(void **state)
{
	(void)state;
	set("channels", "a:rw\0b:ro", 10);
	expect_accepted();
	assert_int_equal(cfg.n_channels, 2);
	assert_string_equal(cfg.channels[1].name, "b");
	assert_true(cfg.channels[0].write && !cfg.channels[1].write);
	set("channels", "a:rw", 4);
	expect_refused("channels: is not a list of strings");
	set("channels", "a:rx", 5);
	expect_refused("channels: \"a:rx\" is not NAME:rw or NAME:ro");
	set("channels", "a:rw\0a:ro", 10);
	expect_refused("channels: \"a\" is there twice");
	set("channels", "a:rw\0b:rw\0c:rw\0d:rw\0e:rw", 25);
	expect_refused("channels: there are more than 4");
}

static void networks(void **state)
{
	static const struct { const char *text, *why; } bad[] = {
		{ "", "\"\" is not the name of a switch" },
		{ ",mac=02:00:00:00:00:01", "\"\" is not the name of a switch" },
		{ "a b,mac=02:00:00:00:00:01", "\"a b\" is not the name of a switch" },
		{ "0123456789abcdef0123456789abcdef,mac=02:00:00:00:00:01", "\"0123456789abcdef0123456789abcdef\" is not the name of a switch" },
		{ "lan", "it has no mac" },
		{ "lan,mac=", "mac is not that of one device" },
		{ "lan,mac=02:00:00:00:00:0", "mac is not that of one device" },
		{ "lan,mac=02:00:00:00:00:0g", "mac is not that of one device" },
		{ "lan,mac=02:00:00:00:00:010", "mac is not that of one device" },
		{ "lan,mac=02-00-00-00-00-01", "mac is not that of one device" },
		{ "lan,mac=03:00:00:00:00:01", "mac is not that of one device" },
		{ "lan,mac=02:00:00:00:00:01,mac=02:00:00:00:00:01", "mac is there twice" },
		{ "lan,mac=02:00:00:00:00:01,", "\"\" is unknown" },
		{ "lan,mac=02:00:00:00:00:01,mtu=67", "mtu is not 68 to 9000" },
		{ "lan,mac=02:00:00:00:00:01,mtu=9001", "mtu is not 68 to 9000" },
		{ "lan,mac=02:00:00:00:00:01,mtu=99999999999999999999", "mtu is not 68 to 9000" },
		{ "lan,mac=02:00:00:00:00:01,mtu=1500x", "mtu is not 68 to 9000" },
		{ "lan,mac=02:00:00:00:00:01,mtu", "mtu is not 68 to 9000" },
		{ "lan,mac=02:00:00:00:00:01,isolated=1", "isolated has a value" },
		{ "lan,mac=02:00:00:00:00:01,plain=1", "plain has a value" },
		{ "lan,mac=02:00:00:00:00:01,uplink=", "\"\" is not the name of a device" },
		{ "lan,mac=02:00:00:00:00:01,uplin=net0", "\"uplin\" is unknown" },
	};
	static const char two[] = "lan,mac=02:00:00:ab:00:01\0x.1,mac=02:00:00:00:00:02,mtu=9000,isolated,plain,uplink=net0";
	static const char five[] = "a,mac=02:00:00:00:00:01\0b,mac=02:00:00:00:00:01\0c,mac=02:00:00:00:00:01\0"
				   "d,mac=02:00:00:00:00:01\0e,mac=02:00:00:00:00:01";
	static const uint8_t mac[] = { 2, 0, 0, 0xab, 0, 1 };

	(void)state;
	set("nets", two, sizeof(two));
	expect_accepted();
	assert_int_equal(cfg.n_nets, 2);
	assert_string_equal(cfg.nets[0].net_switch, "lan");
	assert_memory_equal(cfg.nets[0].mac, mac, sizeof(mac));
	assert_int_equal(cfg.nets[0].mtu, 1500);
	assert_false(cfg.nets[0].isolated || cfg.nets[0].plain || cfg.nets[0].uplink[0]);
	assert_int_equal(cfg.nets[1].mtu, 9000);
	assert_true(cfg.nets[1].isolated && cfg.nets[1].plain);
	assert_string_equal(cfg.nets[1].uplink, "net0");
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		char why[128];

		snprintf(why, sizeof(why), "nets: %s", bad[i].why);
		set("nets", bad[i].text, (int)strlen(bad[i].text) + 1);
		expect_refused(why);
	}
	set("nets", "lan", 3);
	expect_refused("nets: is not a list of strings");
	set("nets", five, sizeof(five));
	expect_refused("nets: there are more than 4");
}

static void isa_lists(void **state)
{
	(void)state;
	set("isa-hide", "", 0);
	expect_refused("isa-hide: is not a list of strings");
	set("isa-require", "sstc", 4);
	expect_refused("isa-require: is not a list of strings");
	set("isa-hide", "sstc\0zz", 8);
	expect_refused("isa-hide: unknown extension \"zz\"");
	set("isa-require", "\0", 1);
	expect_refused("isa-require: unknown extension \"\"");
	set("isa-hide", "f\0i", 4);
	expect_refused("isa-hide: \"i\" is the base, which cannot be hidden");
	set("isa-require", "i\0h", 4); /* that is the machine's to answer */
	expect_accepted();
	assert_int_equal(cfg.isa_require, BIT(ISA_I) | BIT(ISA_H));
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
		TEST(restart_policies),
		TEST(kinds_of_consoles),
		TEST(weight_and_cap),
		TEST(seconds),
		TEST(plugins),
		TEST(channels),
		TEST(networks),
		TEST(isa_lists),
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
