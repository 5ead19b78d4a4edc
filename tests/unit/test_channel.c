/* Channels between VMs: descriptions, the access list, memory, presence, doorbells; and the registers of the front end. */
// sources: vmm/channel/channel.c vmm/channel/description.c vmm/device/vchannel.c vmm/device/common.c vmm/image/dt_writer.c vmm/image/blob.c
#include <errno.h>

#include <libfdt.h>

#include <caisson/mm.h>
#include <mem.h>
#include <vdev_mock.h>
#include <vmm/channel.h>
#include <vmm/memory.h>

enum { MAGIC = 0x00, VERSION = 0x04, SIZE = 0x08, ACCESS = 0x0c, NUMBER = 0x10, MEMBERS = 0x14, PRESENT = 0x18,
       STATE = 0x1c, DOORBELL = 0x20, PENDING = 0x24, ENABLE = 0x28 };

static char err[256];
static unsigned made;          /* names are unique: each test defines its own channel */
static struct channel_config config;

static int fresh(void **state)
{
	(void)state;
	config = (struct channel_config){
		.size = 16 * KiB, .n_members = 3,
		.members = { { "owner", true }, { "friend", true }, { "reader", false } },
	};
	snprintf(config.name, sizeof(config.name), "c%u", made++);
	err[0] = '\0';
	return 0;
}

static void define(void)
{
	assert_int_equal(channel_define(&config, err, sizeof(err)), 0);
}

static int try_attach(const char *vm, bool write, struct channel_end *end)
{
	struct channel_right want = { .write = write };

	strcpy(want.name, config.name);
	return channel_attach(&want, vm, end, err, sizeof(err));
}

static void attach(const char *vm, bool write, struct channel_end *end)
{
	assert_int_equal(try_attach(vm, write, end), 0);
}

/* --- the access list --- */

static void test_H9_access_list_is_kept(void **state)
{
	struct channel_end end, again;

	(void)state;
	define();
	assert_int_equal(try_attach("stranger", false, &end), -EACCES);
	assert_non_null(strstr(err, "not on its access list"));
	assert_int_equal(try_attach("reader", true, &end), -EACCES);
	assert_non_null(strstr(err, "reading only"));
	assert_int_equal(mock_frames_used, 0);
	attach("reader", false, &end);
	assert_int_equal(end.number, 2);
	assert_int_equal(try_attach("reader", false, &again), -EEXIST);
	channel_detach(&end);
	/* Less than is allowed may be asked for. */
	attach("friend", false, &end);
	assert_false(end.write);
	channel_detach(&end);
}

static void test_unknown_and_twice(void **state)
{
	const struct channel_right want = { "no-such", false };
	struct channel_end end;

	(void)state;
	assert_int_equal(channel_attach(&want, "owner", &end, err, sizeof(err)), -ENOENT);
	define();
	assert_int_equal(channel_define(&config, err, sizeof(err)), -EEXIST);
}

/* --- memory --- */

static void test_memory_lives_as_long_as_a_member(void **state)
{
	struct channel_end a, b;
	uint64_t before = mock_frames_used;
	uint8_t *memory;

	(void)state;
	define();
	attach("owner", true, &a);
	assert_int_equal(mock_frames_used - before, 4);
	memory = (uint8_t *)(uintptr_t)channel_memory(&a).v;
	for (unsigned i = 0; i < config.size; i++)
		assert_int_equal(memory[i], 0);
	memory[5] = 7;
	attach("friend", true, &b);
	assert_int_equal(channel_memory(&b).v, channel_memory(&a).v);
	channel_detach(&a);
	assert_int_equal(memory[5], 7);
	attach("owner", true, &a);
	assert_int_equal(memory[5], 7);
	channel_detach(&b);
	channel_detach(&a);
	assert_int_equal(mock_frames_used, before);
	attach("friend", true, &b);
	assert_int_equal(((uint8_t *)(uintptr_t)channel_memory(&b).v)[5], 0);
	channel_detach(&b);
	assert_int_equal(mock_frames_used, before);
}

static void test_no_memory(void **state)
{
	struct channel_end end;

	(void)state;
	define();
	mock_frames_max_order = 1;
	assert_int_equal(try_attach("owner", true, &end), -ENOMEM);
	mock_frames_max_order = FRAME_MAX_ORDER;
	attach("owner", true, &end);
	channel_detach(&end);
}

/* --- presence and doorbells --- */

static uint32_t seen[3];

static void note(void *arg, unsigned from)
{
	*(uint32_t *)arg |= (uint32_t)BIT(from);
}

static void test_doorbells_reach_those_present(void **state)
{
	struct channel_end ends[3];
	const char *names[] = { "owner", "friend", "reader" };

	(void)state;
	define();
	memset(seen, 0, sizeof(seen));
	for (unsigned i = 0; i < 3; i++) {
		attach(names[i], i < 2, &ends[i]);
		channel_listen(&ends[i], note, &seen[i]);
	}
	channel_ring(&ends[0], 1);
	assert_int_equal(seen[1], 0); /* not present yet */
	channel_set_present(&ends[1], true);
	channel_set_present(&ends[0], true);
	assert_int_equal(channel_present(&ends[2]), 3);
	assert_int_equal(seen[1], BIT(CHANNEL_PRESENCE));
	assert_int_equal(seen[2], 0); /* it is not present itself */
	channel_ring(&ends[0], 1);
	channel_ring(&ends[2], 1);
	assert_int_equal(seen[1], BIT(CHANNEL_PRESENCE) | BIT(0) | BIT(2));
	for (uint64_t to = 2; to <= UINT32_MAX; to = to * 3 + 1)
		channel_ring(&ends[1], (uint32_t)to);
	assert_int_equal(seen[0], 0);
	seen[1] = 0;
	channel_set_present(&ends[0], true); /* no news */
	assert_int_equal(seen[1], 0);
	channel_detach(&ends[0]);
	assert_int_equal(seen[1], BIT(CHANNEL_PRESENCE));
	assert_int_equal(channel_present(&ends[1]), 2);
	channel_ring(&ends[1], 0); /* nobody is there */
	channel_detach(&ends[1]);
	channel_detach(&ends[2]);
}

static void test_what_the_monitor_sees(void **state)
{
	struct channel_state look;
	struct channel_end a, b;
	unsigned i = 0;

	(void)state;
	define();
	attach("owner", true, &a);
	attach("reader", false, &b);
	channel_listen(&b, note, &seen[0]);
	channel_set_present(&b, true);
	channel_ring(&a, 2);
	channel_ring(&a, 2);
	while (channel_look(i, &look) == 0 && strcmp(look.config.name, config.name))
		i++;
	assert_true(look.has_memory && look.members[0].attached && !look.members[1].attached);
	assert_true(look.members[2].present && !look.members[2].write);
	assert_int_equal(look.members[0].rings, 2);
	assert_int_equal(look.members[2].rung, 2);
	assert_int_equal(channel_look(CHANNELS_MAX, &look), -ENOENT);
	channel_detach(&a);
	channel_detach(&b);
}

/* --- registers: the owner's, with a friend and a reader beyond the core --- */

static struct channel_end own, friend;

static int with_device(void **state)
{
	fresh(state);
	define();
	attach("owner", true, &own);
	attach("friend", true, &friend);
	memset(&mv, 0, sizeof(mv));
	mv.host = (struct vdev_host){ .irq_level = mv_irq_level, .n_vcpus = 1, .vm = MOCK_VM };
	mv.dev = (struct vdev){ .type = &vchannel_type, .host = &mv.host, .base = GUEST_CHANNEL_BASE + PAGE_SIZE,
				.irq = 17, .backend = &own };
	assert_int_equal(vchannel_type.create(&mv.dev), 0);
	vchannel_type.reset(&mv.dev);
	memset(seen, 0, sizeof(seen));
	channel_listen(&friend, note, &seen[1]);
	return 0;
}

static int without_device(void **state)
{
	(void)state;
	mv_stop();
	channel_detach(&friend);
	return (int)mock_frames_used;
}

static void test_registers(void **state)
{
	static const unsigned read_only[] = { MAGIC, VERSION, SIZE, ACCESS, NUMBER, MEMBERS, PRESENT };

	(void)state;
	assert_int_equal(mv_read(MAGIC, 4), 0x4c4e4843);
	assert_int_equal(mv_read(VERSION, 4), 1);
	assert_int_equal(mv_read(SIZE, 4), 16 * KiB);
	assert_int_equal(mv_read(ACCESS, 4), 1);
	assert_int_equal(mv_read(NUMBER, 4), 0);
	assert_int_equal(mv_read(MEMBERS, 4), 3);
	for (unsigned i = 0; i < ARRAY_SIZE(read_only); i++) {
		uint64_t before = mv_read(read_only[i], 4);

		mv_put(read_only[i], 4, ~UINT64_C(0));
		assert_int_equal(mv_read(read_only[i], 4), before);
	}
	assert_int_equal(mv_read(DOORBELL, 4), 0);
	mv_put(ENABLE, 4, ~UINT64_C(0));
	assert_int_equal(mv_read(ENABLE, 4), 0x800000ff);
	assert_int_equal(mv_read(MAGIC, 8), UINT64_C(0x14c4e4843));
	mv_faults(MAGIC, 1);
	mv_faults(SIZE + 1, 2);
	mv_faults(0x2c, 4);
	mv_faults(PAGE_SIZE - 4, 4);
}

static void test_state_and_doorbell(void **state)
{
	(void)state;
	channel_set_present(&friend, true);
	assert_int_equal(mv_read(PRESENT, 4), 2);
	mv_put(STATE, 4, 1);
	assert_int_equal(mv_read(STATE, 4), 1);
	assert_int_equal(mv_read(PRESENT, 4), 3);
	assert_int_equal(seen[1], BIT(CHANNEL_PRESENCE));
	mv_put(DOORBELL, 4, 1);
	assert_int_equal(seen[1], BIT(CHANNEL_PRESENCE) | BIT(0));
	mv_put(STATE, 4, 0);
	assert_int_equal(mv_read(PRESENT, 4), 2);
}

static void test_interrupt_follows_pending_and_enable(void **state)
{
	(void)state;
	mv_put(STATE, 4, 1);
	channel_ring(&friend, 0);
	assert_int_equal(mv_read(PENDING, 4), BIT(1));
	assert_false(mv.irq[17]);
	mv_put(ENABLE, 4, BIT(2));
	assert_false(mv.irq[17]); /* that member is another */
	mv_put(ENABLE, 4, BIT(1));
	assert_true(mv.irq[17]);
	channel_ring(&friend, 0);
	assert_int_equal(mv.irq_changes, 1);
	mv_put(PENDING, 4, BIT(0));
	assert_true(mv.irq[17]);
	mv_put(PENDING, 4, BIT(1));
	assert_false(mv.irq[17]);
	channel_set_present(&friend, true);
	assert_int_equal(mv_read(PENDING, 4), BIT(CHANNEL_PRESENCE));
}

static void test_an_ended_vm_is_not_interrupted(void **state)
{
	(void)state;
	channel_set_present(&friend, true);
	mv_put(ENABLE, 4, ~UINT64_C(0));
	mv_put(STATE, 4, 1);
	seen[1] = 0;
	vchannel_type.stop(&mv.dev);
	assert_int_equal(seen[1], BIT(CHANNEL_PRESENCE));
	assert_int_equal(channel_present(&friend), 2);
	channel_ring(&friend, 0);
	mv_put(STATE, 4, 1); /* its last vCPU is still on the way out */
	channel_ring(&friend, 0);
	assert_false(mv.irq[17]);
	vchannel_type.reset(&mv.dev);
	assert_int_equal(mv_read(PENDING, 4) | mv_read(ENABLE, 4) | mv_read(STATE, 4), 0);
	mv_put(ENABLE, 4, BIT(1));
	mv_put(STATE, 4, 1);
	channel_ring(&friend, 0);
	assert_true(mv.irq[17]);
}

static void test_save_and_restore(void **state)
{
	uint32_t saved[4], bad[4];

	(void)state;
	mv_put(ENABLE, 4, BIT(1));
	mv_put(STATE, 4, 1);
	channel_ring(&friend, 0);
	assert_int_equal(mv_save(saved, sizeof(saved)), sizeof(saved));
	vchannel_type.reset(&mv.dev);
	assert_false(mv.irq[17]);
	assert_int_equal(vchannel_type.restore(&mv.dev, saved, sizeof(saved)), 0);
	assert_true(mv.irq[17]);
	assert_int_equal(mv_read(STATE, 4), 1);
	for (unsigned i = 0; i < 4; i++) {
		memcpy(bad, saved, sizeof(bad));
		bad[i] = 0x100;
		assert_int_equal(vchannel_type.restore(&mv.dev, bad, sizeof(bad)), -EINVAL);
	}
	assert_int_equal(vchannel_type.restore(&mv.dev, saved, sizeof(saved) - 1), -EINVAL);
}

static void test_node(void **state)
{
	static char fdt[2048];
	const char *path = "/soc/channel@10011000";

	(void)state;
	assert_int_equal(mv_tree(fdt, sizeof(fdt)), 0);
	MV_CELLS(fdt, path, "reg", 0, 0x10011000, 0, 0x1000, 0, 0x19000000, 0, 0x4000);
	MV_CELLS(fdt, path, "interrupts", 17);
	assert_string_equal(fdt_getprop(fdt, fdt_path_offset(fdt, path), "label", NULL), config.name);
	assert_null(fdt_getprop(fdt, fdt_path_offset(fdt, path), "read-only", NULL));
	mv_node_needs_room();
	own.write = false;
	assert_int_equal(mv_tree(fdt, sizeof(fdt)), 0);
	assert_non_null(fdt_getprop(fdt, fdt_path_offset(fdt, path), "read-only", NULL));
}

/* --- descriptions --- */

static char blob[4096] __attribute__((aligned(8)));

struct description {
	const char *compatible, *name;
	uint64_t size;
	const char *members;   /* each ended by a zero */
	int members_len;
	const char *more;      /* an unknown property */
};

static const struct description good = { "caisson,channel", "c", 64 * KiB, "a:rw\0b:ro", 10, NULL };

static int parse(const struct description *d, struct channel_config *out)
{
	fdt64_t size = cpu_to_fdt64(d->size);

	assert_int_equal(fdt_create(blob, sizeof(blob)), 0);
	assert_int_equal(fdt_finish_reservemap(blob), 0);
	fdt_begin_node(blob, "");
	if (d->compatible)
		fdt_property_string(blob, "compatible", d->compatible);
	if (d->name)
		fdt_property_string(blob, "name", d->name);
	fdt_property(blob, "size", &size, 8);
	if (d->members)
		fdt_property(blob, "members", d->members, d->members_len);
	if (d->more)
		fdt_property_string(blob, d->more, "x");
	fdt_end_node(blob);
	assert_int_equal(fdt_finish(blob), 0);
	return channel_config_parse(blob, fdt_totalsize(blob), out, err, sizeof(err));
}

static void refused(struct description d, const char *message)
{
	struct channel_config out;

	err[0] = '\0';
	assert_int_equal(parse(&d, &out), -EINVAL);
	if (!strstr(err, message))
		fail_msg("\"%s\" does not contain \"%s\"", err, message);
}

#define REFUSED(message, ...) do { struct description d_ = good; d_.__VA_ARGS__; refused(d_, message); } while (0)

static void test_a_good_description(void **state)
{
	struct channel_config out;

	(void)state;
	assert_int_equal(parse(&good, &out), 0);
	assert_string_equal(out.name, "c");
	assert_int_equal(out.size, 64 * KiB);
	assert_int_equal(out.n_members, 2);
	assert_string_equal(out.members[0].name, "a");
	assert_true(out.members[0].write && !out.members[1].write);
}

static void test_bad_descriptions(void **state)
{
	struct channel_config out;
	struct description many = good;

	(void)state;
	REFUSED("compatible: is not", compatible = "caisson,vm");
	REFUSED("compatible: is missing", compatible = NULL);
	REFUSED("name: is missing", name = NULL);
	REFUSED("name: is not", name = "");
	REFUSED("name: is not", name = "a b");
	REFUSED("name: is not", name = "a23456789012345678901234567890123");
	REFUSED("size: 0 is not", size = 0);
	REFUSED("size: 2048 is not", size = 2048);
	REFUSED("size: 12288 is not", size = 12 * KiB);
	REFUSED("size: 33554432 is not", size = 32 * MiB);
	REFUSED("size: 9223372036854775808 is not", size = BIT(63));
	REFUSED("members: is missing", members = NULL);
	REFUSED("members: is not a list", members_len = 9);
	REFUSED("members: is not a list", members_len = 0);
	REFUSED("unknown property", more = "owner");
	many.members = "a\0";
	many.members_len = 2;
	refused(many, "members: \"a\" is not NAME:rw or NAME:ro");
	many.members = "a:rw\0a:ro";
	many.members_len = 10;
	refused(many, "is there twice");
	many.members = "a:ro\0b:ro\0c:ro\0d:ro\0e:ro\0f:ro\0g:ro\0h:ro\0i:ro";
	many.members_len = 45;
	refused(many, "there are more than 8");
	for (uint64_t size = 0; size < 200; size++)
		assert_true(channel_config_parse(blob, size, &out, err, sizeof(err)) < 0);
}

static void test_rights(void **state)
{
	static const char *const bad[] = { "", ":", "a", "a:", ":rw", "a:r", "a:rwx", "a b:rw", "a:b:rw",
					   "a2345678901234567890123456789012:ro" };
	struct channel_right right;

	(void)state;
	assert_int_equal(channel_right_parse("a-1._:ro", &right), 0);
	assert_string_equal(right.name, "a-1._");
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(channel_right_parse(bad[i], &right), -EINVAL);
}

static void test_the_table_is_full_at_some_point(void **state)
{
	int error = 0;
	unsigned n;

	for (n = 0; n <= CHANNELS_MAX && !error; n++) {
		fresh(state);
		error = channel_define(&config, err, sizeof(err));
	}
	assert_int_equal(error, -ENOSPC);
	assert_non_null(strstr(err, "more than 16"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_H9_access_list_is_kept, fresh),
		cmocka_unit_test_setup(test_unknown_and_twice, fresh),
		cmocka_unit_test_setup(test_memory_lives_as_long_as_a_member, fresh),
		cmocka_unit_test_setup(test_no_memory, fresh),
		cmocka_unit_test_setup(test_doorbells_reach_those_present, fresh),
		cmocka_unit_test_setup(test_what_the_monitor_sees, fresh),
		cmocka_unit_test_setup_teardown(test_registers, with_device, without_device),
		cmocka_unit_test_setup_teardown(test_state_and_doorbell, with_device, without_device),
		cmocka_unit_test_setup_teardown(test_interrupt_follows_pending_and_enable, with_device, without_device),
		cmocka_unit_test_setup_teardown(test_an_ended_vm_is_not_interrupted, with_device, without_device),
		cmocka_unit_test_setup_teardown(test_save_and_restore, with_device, without_device),
		cmocka_unit_test_setup_teardown(test_node, with_device, without_device),
		cmocka_unit_test(test_a_good_description),
		cmocka_unit_test(test_bad_descriptions),
		cmocka_unit_test(test_rights),
		cmocka_unit_test(test_the_table_is_full_at_some_point),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
