/* The disks of VM descriptions: every property, each refused in every wrong shape. */
// sources: vmm/image/config.c vmm/image/config_disk.c vmm/image/isa_names.c vmm/image/blob.c vmm/channel/description.c vmm/net/description.c fs/cpio.c
#include <test.h>

#include <errno.h>
#include <libfdt.h>

#include <caisson/mm.h>
#include <vmm/config.h>

const struct pt_format *pt_format_by_name(const char *name)
{
	(void)name;
	return NULL;
}

static char blob[8192] __attribute__((aligned(8)));
static struct vm_config cfg;
static char message[256];

static size_t put_file(char *archive, size_t at, const char *name, const char *data)
{
	at += (size_t)sprintf(archive + at, "070701%08X%08X%032X%08X%032X%08X%08X", 1, 0100644, 0,
			      (unsigned)strlen(data), 0, (unsigned)strlen(name) + 1, 0);
	at = ALIGN_UP(at + (size_t)sprintf(archive + at, "%s", name) + 1, 4);
	return ALIGN_UP(at + (size_t)sprintf(archive + at, "%s", data), 4);
}

static int make_least(void **state)
{
	static char archive[512];
	size_t n = put_file(archive, 0, "file/0", "kernel");

	(void)state;
	assert_int_equal(initrd_init(archive, put_file(archive, n, "TRAILER!!!", "")), 1);
	assert_int_equal(fdt_create_empty_tree(blob, sizeof(blob)), 0);
	fdt_setprop_string(blob, 0, "compatible", "caisson,vm");
	fdt_setprop_string(blob, 0, "name", "v");
	fdt_setprop_u32(blob, 0, "cpus", 1);
	fdt_setprop_u64(blob, 0, "memory", 16 * MiB);
	fdt_setprop_string(blob, 0, "kernel", "file/0");
	fdt_setprop_string(blob, 0, "kernel-label", "k");
	return 0;
}

static int node(unsigned n)
{
	char name[8];

	snprintf(name, sizeof(name), "disk%u", n);
	/* At the end: libfdt would put it in front of the others. */
	return fdt_add_subnode(blob, 0, name);
}

static int parse(void)
{
	message[0] = '\0';
	return vm_config_parse(blob, fdt_totalsize(blob), &cfg, message, sizeof(message));
}

static void refuses(const char *why)
{
	assert_int_equal(parse(), -EINVAL);
	if (!strstr(message, why))
		fail_msg("\"%s\" does not say \"%s\"", message, why);
}

static void everything_is_read(void **state)
{
	int at = node(0);

	(void)state;
	fdt_setprop_string(blob, at, "device", "vdb");
	fdt_setprop_string(blob, at, "label", "root.img");
	fdt_setprop_u32(blob, at, "part", 128);
	fdt_setprop_u64(blob, at, "overlay", 5);
	fdt_setprop_string(blob, at, "serial", "12345678901234567890");
	assert_int_equal(parse(), 0);
	assert_int_equal(cfg.n_disks, 1);
	assert_string_equal(cfg.disks[0].device, "vdb");
	assert_string_equal(cfg.disks[0].label, "root.img");
	assert_true(cfg.disks[0].label > blob && cfg.disks[0].label < blob + sizeof(blob));
	assert_string_equal(cfg.disks[0].serial, "12345678901234567890");
	assert_int_equal(cfg.disks[0].part, 128);
	assert_int_equal(cfg.disks[0].overlay, 5);
	assert_false(cfg.disks[0].read_only);
}

static void others_are_read(void **state)
{
	int at = node(0);

	(void)state;
	fdt_setprop_string(blob, at, "device", "vda");
	fdt_setprop_string(blob, at, "store", "vdc");
	assert_int_equal(parse(), 0);
	assert_string_equal(cfg.disks[0].store, "vdc");
	fdt_delprop(blob, at, "store");
	fdt_setprop(blob, at, "read-only", NULL, 0);
	assert_int_equal(parse(), 0);
	assert_true(cfg.disks[0].read_only);
	fdt_delprop(blob, at, "read-only");
	fdt_delprop(blob, at, "device");
	fdt_setprop_u64(blob, at, "ram", 1024);
	assert_int_equal(parse(), 0);
	assert_int_equal(cfg.disks[0].ram, 1024);
}

static void eight_and_no_more(void **state)
{
	(void)state;
	for (unsigned i = 0; i < VM_DISKS_MAX; i++)
		fdt_setprop_u64(blob, node(i), "ram", 512);
	assert_int_equal(parse(), 0);
	assert_int_equal(cfg.n_disks, VM_DISKS_MAX);
	fdt_setprop_u64(blob, node(8), "ram", 512);
	refuses("there are more than 8");
}

static const struct bad { const char *name; const char *value; int len; const char *why; } wrong[] = {
	{ "device", "", 1, "device: \"\" is not 1 to 15 characters" },
	{ "device", "0123456789abcdef", 17, "is not 1 to 15 characters" },
	{ "device", "vda", 3, "is not one string" },
	{ "device", "v\na", 4, "other characters" },
	{ "serial", "123456789012345678901", 22, "serial: \"123456789012345678901\" is not 1 to 20" },
	{ "serial", "\xc3\xa4", 3, "other characters" },
	{ "label", "x", 1, "label: is not one string" },
	{ "store", "", 1, "store: \"\" is not" },
	{ "part", "\0\0\0\0", 4, "part: 0 is not 1 to 128" },
	{ "part", "\0\0\0\x81", 4, "part: 129 is not 1 to 128" },
	{ "part", "\0", 1, "part: has 1 bytes" },
	{ "overlay", "\0\0\0\0\0\0\0\0", 8, "overlay: 0 bytes" },
	{ "overlay", "", 0, "overlay: has 0 bytes" },
	{ "read-only", "x", 2, "read-only: has a value" },
	{ "ram", "\0\0\0\0\0\0\0\0", 8, "ram: 0 bytes are no whole" },
	{ "ram", "\0\0\0\0\0\0\2\1", 8, "ram: 513 bytes are no whole" },
	{ "ram", "\0\0\2\0", 4, "ram: has 4 bytes" },
	{ "ram", "\0\0\0\0\0\0\2\0", 8, "device: a disk in RAM has none" },
	{ "colour", "", 0, "colour: unknown property" },
};

static void wrong_values(void **state)
{
	int at = node(0);

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(wrong); i++) {
		fdt_setprop_string(blob, at, "device", "vda");
		fdt_setprop(blob, at, wrong[i].name, wrong[i].value, wrong[i].len);
		refuses("disk0: ");
		refuses(wrong[i].why);
		fdt_delprop(blob, at, wrong[i].name);
	}
}

static void contradictions(void **state)
{
	int at = node(0);

	(void)state;
	refuses("disk0: device: is missing, and so is ram");
	fdt_setprop_string(blob, at, "device", "vda");
	fdt_setprop_string(blob, at, "store", "vdb");
	fdt_setprop_u64(blob, at, "overlay", 1);
	refuses("store: what is written goes into RAM already");
	fdt_delprop(blob, at, "store");
	fdt_setprop(blob, at, "read-only", NULL, 0);
	refuses("read-only: what is written would go to an overlay");
	fdt_delprop(blob, at, "device");
	fdt_delprop(blob, at, "overlay");
	fdt_setprop_u64(blob, at, "ram", 512);
	refuses("ram: it has no parts");
}

static void nodes_that_are_none(void **state)
{
	int at = fdt_add_subnode(blob, 0, "disk");

	(void)state;
	refuses("disk: unknown node");
	fdt_del_node(blob, at);
	at = node(1);
	fdt_setprop_u64(blob, at, "ram", 512);
	fdt_add_subnode(blob, at, "x");
	refuses("disk1: description: it has a node of its own");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(everything_is_read, make_least),
		cmocka_unit_test_setup(others_are_read, make_least),
		cmocka_unit_test_setup(eight_and_no_more, make_least),
		cmocka_unit_test_setup(wrong_values, make_least),
		cmocka_unit_test_setup(contradictions, make_least),
		cmocka_unit_test_setup(nodes_that_are_none, make_least),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
