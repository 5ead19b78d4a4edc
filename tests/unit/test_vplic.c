/* The virtual PLIC: registers, gateways, contexts, saved state; random operations against a model. */
// sources: vmm/device/vplic.c vmm/device/vplic_state.c vmm/device/common.c vmm/image/dt_writer.c
#include <errno.h>
#include <mem.h>
#include <vdev_mock.h>
#include <vmm/guest_dt.h>
#include <vmm/memory.h>

#define PRIO(s) ((s) * 4ul)
#define PENDING(w) (0x1000 + (w) * 4ul)
#define ENABLE(c, w) (0x2000 + (c) * 0x80ul + (w) * 4ul)
#define THRESHOLD(c) (0x200000 + (c) * 0x1000ul)
#define CLAIM(c) (THRESHOLD(c) + 4)
#define S_OF(v) (2 * (v) + 1)

static int setup(void **state)
{
	(void)state;
	mv_start(&vplic_type, 4);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	mv_stop();
	assert_true(mock_irq_on);
	return 0;
}

static uint32_t rd(uint64_t off) { return (uint32_t)mv_read(off, 4); }
static void wr(uint64_t off, uint32_t v) { mv_put(off, 4, v); }
static void level(unsigned source, bool up) { vplic_set_level(&mv.dev, source, up); }
static bool pending(unsigned s) { return rd(PENDING(s / 32)) >> (s % 32) & 1; }

static void enable(unsigned context, unsigned source)
{
	uint64_t off = ENABLE(context, source / 32);

	wr(off, rd(off) | UINT32_C(1) << (source % 32));
}

static void H11_priority_enable_claim_complete(void **state)
{
	(void)state;
	level(10, true);
	assert_int_equal(rd(PENDING(0)), 1 << 10);
	assert_false(mv.ext_irq[0]);            /* priority 0: never */
	wr(PRIO(10), 1);
	assert_false(mv.ext_irq[0]);            /* not enabled */
	enable(S_OF(0), 10);
	assert_true(mv.ext_irq[0]);
	assert_int_equal(rd(CLAIM(S_OF(0))), 10);
	assert_false(mv.ext_irq[0]);
	assert_false(pending(10));
	assert_int_equal(rd(CLAIM(S_OF(0))), 0); /* none left */
	level(10, false);
	wr(CLAIM(S_OF(0)), 10);
	assert_false(mv.ext_irq[0]);
	assert_false(pending(10));
	level(10, true);
	assert_true(mv.ext_irq[0]);
	wr(PRIO(10), 0);
	assert_false(mv.ext_irq[0]);
	assert_int_equal(rd(CLAIM(S_OF(0))), 0);
	assert_true(pending(10));
}

static void H11_level_still_up_is_pending_again_after_complete(void **state)
{
	(void)state;
	wr(PRIO(10), 1);
	enable(S_OF(0), 10);
	level(10, true);
	assert_int_equal(rd(CLAIM(S_OF(0))), 10);
	level(10, true);                        /* in service: the gateway holds it back */
	assert_false(pending(10));
	assert_false(mv.ext_irq[0]);
	wr(CLAIM(S_OF(0)), 10);
	assert_true(pending(10));
	assert_true(mv.ext_irq[0]);
	assert_int_equal(rd(CLAIM(S_OF(0))), 10);
	level(10, false);
	level(10, true);                        /* an edge within the service counts once */
	wr(CLAIM(S_OF(0)), 10);
	assert_int_equal(rd(CLAIM(S_OF(0))), 10);
	level(10, false);
	wr(CLAIM(S_OF(0)), 10);
	assert_int_equal(rd(CLAIM(S_OF(0))), 0);
}

static void H11_falling_level_takes_no_request_back(void **state)
{
	(void)state;
	wr(PRIO(64), 1);
	enable(S_OF(1), 64);
	level(64, true);
	level(64, false);
	assert_true(mv.ext_irq[1]);
	assert_int_equal(rd(CLAIM(S_OF(1))), 64);
	assert_false(mv.ext_irq[1]);
}

static void H11_highest_priority_first_and_lowest_id_of_equals(void **state)
{
	static const struct { unsigned source, prio; } s[] = {
		{ 95, 7 }, { 64, 7 }, { 63, 2 }, { 1, 2 }, { 33, 5 }, { 90, 6 },
	};
	static const unsigned order[] = { 64, 95, 90, 33, 1, 63, 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(s); i++) {
		wr(PRIO(s[i].source), s[i].prio);
		enable(S_OF(2), s[i].source);
		level(s[i].source, true);
	}
	for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
		assert_int_equal(mv.ext_irq[2], order[i] != 0);
		assert_int_equal(rd(CLAIM(S_OF(2))), order[i]);
	}
	assert_int_equal(mv.ext_irq_changes, 2);
}

static void H11_every_source_can_be_claimed(void **state)
{
	(void)state;
	for (unsigned s = 1; s < 96; s++) {
		wr(PRIO(s), 1 + s % 7);
		enable(S_OF(3), s);
		level(s, true);
		assert_true(mv.ext_irq[3]);
		assert_int_equal(rd(PENDING(s / 32)), UINT32_C(1) << (s % 32));
		assert_int_equal(rd(CLAIM(S_OF(3))), s);
		assert_false(mv.ext_irq[3]);
		level(s, false);
		wr(CLAIM(S_OF(3)), s);
	}
}

static void H11_threshold_masks(void **state)
{
	(void)state;
	wr(PRIO(5), 3);
	enable(S_OF(0), 5);
	wr(THRESHOLD(S_OF(0)), 3);
	level(5, true);
	assert_false(mv.ext_irq[0]);
	assert_int_equal(rd(CLAIM(S_OF(0))), 0); /* as QEMU's virt */
	wr(THRESHOLD(S_OF(0)), 2);
	assert_true(mv.ext_irq[0]);
	wr(THRESHOLD(S_OF(0)), 7);
	assert_false(mv.ext_irq[0]);
	wr(THRESHOLD(S_OF(0)), 0);
	assert_true(mv.ext_irq[0]);
	wr(PRIO(5), 7);
	wr(THRESHOLD(S_OF(0)), 6);
	assert_int_equal(rd(CLAIM(S_OF(0))), 5);
}

static void H11_contexts_are_separate(void **state)
{
	(void)state;
	wr(PRIO(8), 1);
	wr(PRIO(9), 1);
	enable(S_OF(0), 8);
	enable(S_OF(1), 8);
	enable(S_OF(1), 9);
	wr(THRESHOLD(S_OF(3)), 4);
	level(8, true);
	assert_true(mv.ext_irq[0] && mv.ext_irq[1] && !mv.ext_irq[2] && !mv.ext_irq[3]);
	assert_int_equal(rd(CLAIM(S_OF(1))), 8); /* one takes it, it is gone for both */
	assert_false(mv.ext_irq[0] || mv.ext_irq[1]);
	assert_int_equal(rd(CLAIM(S_OF(0))), 0);
	level(9, true);
	assert_true(!mv.ext_irq[0] && mv.ext_irq[1]);
	assert_int_equal(rd(THRESHOLD(S_OF(3))), 4);
	assert_int_equal(rd(THRESHOLD(S_OF(2))), 0);
	assert_int_equal(rd(ENABLE(S_OF(1), 0)), 3 << 8);
	assert_int_equal(rd(ENABLE(S_OF(2), 0)), 0);
}

static void H11_machine_contexts_work_and_drive_nothing(void **state)
{
	(void)state;
	wr(PRIO(3), 2);
	enable(0, 3);
	wr(THRESHOLD(0), 1);
	level(3, true);
	assert_int_equal(mv.ext_irq_changes, 0);
	assert_int_equal(rd(CLAIM(0)), 3);
	wr(CLAIM(0), 3);
	assert_true(pending(3));
	assert_int_equal(mv.ext_irq_changes, 0);
	wr(ENABLE(0, 0), 0);
	assert_int_equal(rd(CLAIM(0)), 0);
}

static void H11_complete_counts_only_where_enabled_and_claimed(void **state)
{
	(void)state;
	wr(PRIO(7), 1);
	enable(S_OF(0), 7);
	level(7, true);
	assert_int_equal(rd(CLAIM(S_OF(0))), 7);
	wr(CLAIM(S_OF(1)), 7);                  /* not enabled there */
	assert_false(pending(7));
	wr(CLAIM(S_OF(0)), 6);
	wr(CLAIM(S_OF(0)), 0);
	wr(CLAIM(S_OF(0)), 96);
	wr(CLAIM(S_OF(0)), 0xffffffff);
	assert_false(pending(7));
	enable(S_OF(1), 7);
	wr(CLAIM(S_OF(1)), 7);                  /* another context's, but enabled */
	assert_true(pending(7));
	level(7, false);
	wr(CLAIM(S_OF(0)), 7);                  /* pending, not claimed: stays pending */
	assert_true(pending(7));
	assert_int_equal(rd(CLAIM(S_OF(0))), 7);
}

static void H11_line_follows_enable_and_priority_writes(void **state)
{
	(void)state;
	wr(PRIO(20), 1);
	wr(PRIO(70), 1);
	level(20, true);
	level(70, true);
	enable(S_OF(0), 70);
	assert_true(mv.ext_irq[0]);
	wr(ENABLE(S_OF(0), 2), 0);
	assert_false(mv.ext_irq[0]);
	wr(ENABLE(S_OF(0), 0), 0xffffffff);
	assert_true(mv.ext_irq[0]);
	wr(THRESHOLD(S_OF(0)), 1);
	assert_false(mv.ext_irq[0]);
	wr(PRIO(20), 2);
	assert_true(mv.ext_irq[0]);
	wr(PRIO(20), 1);
	assert_false(mv.ext_irq[0]);
	assert_int_equal(mv.ext_irq_changes, 6);
}

static void registers_keep_only_what_exists(void **state)
{
	(void)state;
	wr(PRIO(0), 5);
	wr(PRIO(96), 5);
	wr(PRIO(1023), 5);
	assert_int_equal(rd(PRIO(0)) | rd(PRIO(96)) | rd(PRIO(1023)), 0);
	wr(PRIO(1), 0xfffffff9);
	assert_int_equal(rd(PRIO(1)), 1);
	wr(PRIO(95), 0xff);
	assert_int_equal(rd(PRIO(95)), 7);
	wr(PENDING(0), 0xffffffff);
	assert_int_equal(rd(PENDING(0)) | rd(PENDING(1)) | rd(PENDING(2)) | rd(PENDING(3)), 0);
	for (unsigned w = 0; w < 32; w++) {
		wr(ENABLE(3, w), 0xffffffff);
		assert_int_equal(rd(ENABLE(3, w)), w < 3 ? 0xffffffff : 0);
	}
	wr(ENABLE(3, 1), 0x12345678);
	assert_int_equal(rd(ENABLE(3, 0)), 0xffffffff);
	assert_int_equal(rd(ENABLE(3, 1)), 0x12345678);
	wr(THRESHOLD(7), 0xa);
	assert_int_equal(rd(THRESHOLD(7)), 2);
}

static void reserved_registers_read_zero_and_ignore_writes(void **state)
{
	static const uint64_t off[] = {
		PENDING(3), 0x1ffc, ENABLE(0, 3), ENABLE(8, 0), 0x1ffffc, THRESHOLD(0) + 8,
		THRESHOLD(7) + 0xffc, THRESHOLD(8), CLAIM(8), CLAIM(511), 0x5ffffc,
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(off); i++) {
		wr(off[i], 0xffffffff);
		assert_int_equal(rd(off[i]), 0);
	}
	level(0, true);
	level(96, true);
	level(~0u, true);
	for (unsigned w = 0; w < 4; w++)
		assert_int_equal(rd(PENDING(w)), 0);
}

/* What bare QEMU virt answers to the same accesses. */
static void accesses_of_other_sizes_fault(void **state)
{
	(void)state;
	for (unsigned size = 1; size <= 8; size *= 2)
		if (size != 4)
			mv_faults(PRIO(8), size);
	mv_faults(PRIO(1) + 1, 1);
	mv_faults(PRIO(1) + 2, 4);
	mv_faults(PRIO(1) + 2, 8);
	mv_faults(0x600000, 4);
	mv_faults(0x5ffffc, 8);
	mv_faults(UINT64_MAX - 3, 4);
}

static void misaligned_wide_access_is_two_registers(void **state)
{
	(void)state;
	mv_put(PRIO(1), 8, UINT64_C(0x300000002));
	assert_int_equal(rd(PRIO(1)), 2);
	assert_int_equal(rd(PRIO(2)), 3);
	assert_int_equal(mv_read(PRIO(1), 8), UINT64_C(0x300000002));
}

static void reset_forgets_all_and_lowers_the_lines(void **state)
{
	(void)state;
	wr(PRIO(7), 1);
	enable(S_OF(1), 7);
	enable(0, 70);
	wr(THRESHOLD(5), 3);
	level(7, true);
	assert_true(mv.ext_irq[1]);
	vplic_type.reset(&mv.dev);
	assert_false(mv.ext_irq[1]);
	assert_int_equal(rd(PRIO(7)) | rd(PENDING(0)) | rd(THRESHOLD(5)), 0);
	assert_int_equal(rd(ENABLE(3, 0)) | rd(ENABLE(0, 2)), 0);
	level(7, true);
	wr(PRIO(7), 1);
	assert_false(mv.ext_irq[1]);
}

/* --- random operations against a model that only knows the specification ----- */

#define IDS 96
#define VCPUS 4

struct model {
	bool level[IDS], pending[IDS], serviced[IDS], enable[2 * VCPUS][IDS];
	unsigned prio[IDS], threshold[2 * VCPUS];
};

static unsigned model_best(const struct model *m, unsigned c)
{
	unsigned best = 0, prio = m->threshold[c];

	for (unsigned s = 1; s < IDS; s++)
		if (m->pending[s] && m->enable[c][s] && m->prio[s] > prio) {
			best = s;
			prio = m->prio[s];
		}
	return best;
}

static void model_level(struct model *m, unsigned s, bool up)
{
	m->level[s] = up;
	if (up && !m->serviced[s])
		m->pending[s] = true;
}

static void model_complete(struct model *m, unsigned c, unsigned s)
{
	if (s >= IDS || !m->enable[c][s] || !m->serviced[s])
		return;
	m->serviced[s] = false;
	m->pending[s] = m->level[s];
}

static void compare(const struct model *m)
{
	for (unsigned v = 0; v < VCPUS; v++)
		assert_int_equal(mv.ext_irq[v], model_best(m, S_OF(v)) != 0);
	for (unsigned w = 0; w < 3; w++) {
		uint32_t bits = 0;

		for (unsigned i = 0; i < 32; i++)
			bits |= (uint32_t)m->pending[32 * w + i] << i;
		assert_int_equal(rd(PENDING(w)), bits);
	}
}

static void random_enable(struct model *m, unsigned c, unsigned w, uint32_t bits)
{
	wr(ENABLE(c, w), bits);
	assert_int_equal(rd(ENABLE(c, w)), bits);
	for (unsigned i = 0; i < 32; i++)
		m->enable[c][32 * w + i] = bits >> i & 1;
}

static void random_claim(struct model *m, unsigned c)
{
	unsigned s = model_best(m, c);

	assert_int_equal(rd(CLAIM(c)), s);
	m->pending[s] = false;
	m->serviced[s] = s != 0;
}

static void random_step(struct model *m, uint64_t r)
{
	/* A few sources are chosen more often, so that operations meet. */
	unsigned s = r & 1 ? 1 + (r >> 8) % 95 : 60 + (r >> 8) % 8;
	unsigned c = (r >> 16) % (2 * VCPUS), v = (r >> 24) % 8;

	switch ((r >> 1) % 16) {
	case 0:
		wr(PRIO(s), v);
		m->prio[s] = v;
		break;
	case 1:
		wr(THRESHOLD(c), v / 2);
		m->threshold[c] = v / 2;
		break;
	case 2:
		random_enable(m, c, s / 32, (uint32_t)(r >> 32));
		break;
	case 3 ... 6:
		random_claim(m, c);
		break;
	case 7 ... 11:
		wr(CLAIM(c), s);
		model_complete(m, c, s);
		break;
	default:
		level(s, v & 1);
		model_level(m, s, v & 1);
		break;
	}
}

static void H11_random_operations_as_the_model(void **state)
{
	static struct model m;
	uint64_t seed = 11;

	(void)state;
	memset(&m, 0, sizeof(m));
	for (int i = 0; i < 60000; i++) {
		random_step(&m, mock_random(&seed));
		compare(&m);
	}
	assert_true(mv.ext_irq_changes > 1000);
}

static void save_and_restore_in_the_middle(void **state)
{
	static struct model m;
	uint64_t seed = 12;
	char buf[1024];

	(void)state;
	memset(&m, 0, sizeof(m));
	for (int i = 0; i < 3000; i++) {
		random_step(&m, mock_random(&seed));
		if (i % 50 == 7) {              /* a new machine goes on from here */
			size_t n = mv_save(buf, sizeof(buf));

			mv_stop();
			mv_start(&vplic_type, VCPUS);
			wr(PRIO(60), 3);        /* what was there before must not matter */
			enable(S_OF(0), 60);
			level(60, true);
			assert_int_equal(vplic_type.restore(&mv.dev, buf, n), 0);
			for (unsigned s = 0; s < IDS; s++)
				level(s, m.level[s]); /* devices drive again what they drove */
		}
		compare(&m);
	}
}

static void restore_refuses_what_cannot_be(void **state)
{
	char good[1024], bad[1024];
	size_t n;

	(void)state;
	wr(PRIO(7), 1);
	enable(S_OF(1), 7);
	level(7, true);
	n = mv_save(good, sizeof(good));
	assert_int_equal(vplic_type.restore(&mv.dev, good, n - 1), -EINVAL);
	assert_int_equal(vplic_type.restore(&mv.dev, good, 0), -EINVAL);
	for (size_t i = 0; i < n; i++) {
		memcpy(bad, good, n);
		bad[i] ^= 0x80;
		(void)!vplic_type.restore(&mv.dev, bad, n); /* either way: sane afterwards */
		(void)rd(CLAIM(S_OF(1)));
		level(7, true);
		wr(CLAIM(S_OF(1)), 7);
	}
	memcpy(bad, good, n);
	bad[0]++;
	assert_int_equal(vplic_type.restore(&mv.dev, bad, n), -EINVAL);
	memcpy(bad, good, n);
	bad[8 + 7] = 8; /* priority of source 7 */
	assert_int_equal(vplic_type.restore(&mv.dev, bad, n), -EINVAL);
	assert_int_equal(vplic_type.restore(&mv.dev, good, n), 0);
	assert_true(mv.ext_irq[1]);
	assert_int_equal(rd(CLAIM(S_OF(1))), 7);
}

static void create_out_of_memory_and_absurd(void **state)
{
	struct vdev_host host = { .n_vcpus = 1 };
	struct vdev dev = { .type = &vplic_type, .host = &host };

	(void)state;
	mock_alloc_fail_at = 1;
	assert_int_equal(vplic_type.create(&dev), -ENOMEM);
	mock_alloc_fail_at = 0;
	host.n_vcpus = 0;
	assert_int_equal(vplic_type.create(&dev), -EINVAL);
	host.n_vcpus = 33;
	assert_int_equal(vplic_type.create(&dev), -EINVAL);
	host.n_vcpus = 0x80000001;
	assert_int_equal(vplic_type.create(&dev), -EINVAL);
}

static void node_as_on_qemu_virt(void **state)
{
	static char fdt[4096];
	const char *path = "/soc/plic@c000000";
	int len, node;

	(void)state;
	assert_int_equal(mv_tree(fdt, sizeof(fdt)), 0);
	MV_CELLS(fdt, path, "reg", 0, 0xc000000, 0, 0x600000);
	MV_CELLS(fdt, path, "riscv,ndev", 95);
	MV_CELLS(fdt, path, "phandle", 0x10);
	MV_CELLS(fdt, path, "#interrupt-cells", 1);
	MV_CELLS(fdt, path, "#address-cells", 0);
	MV_CELLS(fdt, path, "interrupts-extended",
		 1, 11, 1, 9, 2, 11, 2, 9, 3, 11, 3, 9, 4, 11, 4, 9);
	node = fdt_path_offset(fdt, path);
	assert_int_equal(fdt_node_check_compatible(fdt, node, "riscv,plic0"), 0);
	assert_int_equal(fdt_node_check_compatible(fdt, node, "sifive,plic-1.0.0"), 0);
	assert_non_null(fdt_getprop(fdt, node, "interrupt-controller", &len));
	mv_node_needs_room();
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(H11_priority_enable_claim_complete),
		T(H11_level_still_up_is_pending_again_after_complete),
		T(H11_falling_level_takes_no_request_back),
		T(H11_highest_priority_first_and_lowest_id_of_equals),
		T(H11_every_source_can_be_claimed),
		T(H11_threshold_masks),
		T(H11_contexts_are_separate),
		T(H11_machine_contexts_work_and_drive_nothing),
		T(H11_complete_counts_only_where_enabled_and_claimed),
		T(H11_line_follows_enable_and_priority_writes),
		T(registers_keep_only_what_exists),
		T(reserved_registers_read_zero_and_ignore_writes),
		T(accesses_of_other_sizes_fault),
		T(misaligned_wide_access_is_two_registers),
		T(reset_forgets_all_and_lowers_the_lines),
		T(H11_random_operations_as_the_model),
		T(save_and_restore_in_the_middle),
		T(restore_refuses_what_cannot_be),
		T(create_out_of_memory_and_absurd),
		T(node_as_on_qemu_virt),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
