/* VM descriptions: what the values of single properties may be, and what is said of others. */
// sources: vmm/image/config.c vmm/image/config_disk.c vmm/image/isa_names.c vmm/image/blob.c vmm/channel/description.c vmm/net/description.c fs/cpio.c
#include <vm_description.h>

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

#define TEST(f) cmocka_unit_test_setup(f, make_least)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(restart_policies), TEST(kinds_of_consoles), TEST(weight_and_cap), TEST(seconds),
		TEST(plugins), TEST(channels), TEST(networks), TEST(isa_lists),
	};

	return cmocka_run_group_tests(tests, make_initrd, NULL);
}
