/* The virtual 16550A: its input ring, breaks, saved state, and its beginning. */
// sources: vmm/device/vuart.c vmm/device/vuart_state.c vmm/device/common.c vmm/image/dt_writer.c
#include <vuart_mock.h>

static void input_beyond_the_ring_is_refused_and_nothing_lost(void **state)
{
	size_t all = FIFO_ROOM + RING_ROOM;

	(void)state;
	wr(FCR, 1);
	assert_int_equal(input_n(all + 1), all);
	assert_int_equal(input("x"), 0);
	for (size_t i = 0; i < all; i++) {
		assert_int_equal(rd(LSR), 0x61);
		assert_int_equal(rd(RBR), (i * 7 + i / 256) & 0xff);
		assert_int_equal(mv.readies, i >= RING_ROOM / 2 - 1);
	}
	assert_int_equal(rd(LSR), 0x60);
	assert_int_equal(mv.readies, 1);        /* told once */
	assert_int_equal(input("y"), 1);
	assert_int_equal(rd(RBR), 'y');
	assert_int_equal(mv.readies, 1);
}

/* A BREAK comes in its turn among the bytes, shows in the line status while it is next, and reads as 0. */
static void breaks_come_in_their_turn(void **state)
{
	(void)state;
	wr(FCR, 1);
	wr(IER, 5);
	assert_true(vuart_listens(&mv.dev));
	input("ab");
	assert_true(vuart_break(&mv.dev));
	input("s");
	assert_int_equal(rd(LSR), 0x61);
	assert_int_equal(rd(RBR), 'a');
	assert_int_equal(rd(LSR), 0x61);
	assert_int_equal(rd(RBR), 'b');
	assert_int_equal(rd(IIR) & 0xf, 6);     /* line status */
	assert_int_equal(rd(LSR), 0x79);
	assert_int_equal(rd(LSR), 0x61);        /* told once */
	assert_int_equal(rd(RBR), 0);
	assert_int_equal(rd(LSR), 0x61);
	assert_int_equal(rd(RBR), 's');
	assert_int_equal(rd(LSR), 0x60);
	assert_false(irq());
}

static void a_break_waits_in_the_ring_and_outlasts_a_save(void **state)
{
	static char buf[8192];
	size_t n;

	(void)state;
	wr(FCR, 1);
	input_n(FIFO_ROOM + 9);
	assert_true(vuart_break(&mv.dev));
	n = mv_save(buf, sizeof(buf));
	vuart_type.reset(&mv.dev);
	assert_false(vuart_listens(&mv.dev));
	assert_int_equal(vuart_type.restore(&mv.dev, buf, n), 0);
	for (unsigned i = 0; i < FIFO_ROOM + 9; i++) {
		assert_int_equal(rd(LSR) & 0x18, 0);
		(void)rd(RBR);
	}
	assert_int_equal(rd(LSR), 0x79);
	(void)rd(RBR);
	input_n(FIFO_ROOM + RING_ROOM);
	assert_false(vuart_break(&mv.dev));
	wr(FCR, 3);                             /* what is cleared is gone, a BREAK, too */
	assert_int_equal(rd(LSR) & 0x18, 0);
}

static void save_and_restore_in_the_middle(void **state)
{
	static char buf[8192];
	size_t n, i = 0;

	(void)state;
	wr(FCR, 0xc1);
	wr(IER, 3);
	wr(LCR, 3);
	wr(SCR, 0x77);
	input_n(200);
	while (i < 150)                         /* so that the ring begins in its middle */
		assert_int_equal(rd(RBR), (i++ * 7) & 0xff);
	n = mv_save(buf, sizeof(buf));
	mv_stop();
	mv_start(&vuart_type, 1);
	input("zzz");
	assert_int_equal(vuart_type.restore(&mv.dev, buf, n), 0);
	assert_true(irq());
	assert_int_equal(rd(IIR), 0xc4);
	assert_int_equal(rd(SCR), 0x77);
	for (; i < 200; i++)
		assert_int_equal(rd(RBR), (i * 7) & 0xff);
	assert_int_equal(rd(LSR), 0x60);
	assert_int_equal(rd(IIR), 0xc2);        /* still waited */
	assert_false(irq());
}

static void restore_keeps_a_ring_that_wraps(void **state)
{
	static char buf[8192];
	size_t n;

	(void)state;
	wr(FCR, 1);
	input_n(4000);
	for (size_t i = 0; i < 4000; i++)
		(void)rd(RBR);
	input_n(1000);                          /* over the ring's end */
	n = mv_save(buf, sizeof(buf));
	vuart_type.reset(&mv.dev);
	assert_int_equal(vuart_type.restore(&mv.dev, buf, n), 0);
	for (size_t i = 0; i < 1000; i++)
		assert_int_equal(rd(RBR), (i * 7 + i / 256) & 0xff);
	assert_int_equal(rd(LSR), 0x60);
}

static void restore_refuses_what_cannot_be(void **state)
{
	static char good[8192], bad[8192];
	size_t n;

	(void)state;
	input("abc");
	n = mv_save(good, sizeof(good));
	assert_int_equal(vuart_type.restore(&mv.dev, good, n - 1), -EINVAL);
	assert_int_equal(vuart_type.restore(&mv.dev, good, 0), -EINVAL);
	for (size_t i = 0; i < 64; i++)
		for (unsigned bit = 0; bit < 8; bit++) {
			memcpy(bad, good, n);
			bad[i] ^= (char)(1 << bit);
			(void)!vuart_type.restore(&mv.dev, bad, n); /* either way sane then */
			for (unsigned k = 0; k < 20; k++)
				(void)rd(RBR);
			input("d");
		}
	memcpy(bad, good, n);
	bad[0]++;
	assert_int_equal(vuart_type.restore(&mv.dev, bad, n), -EINVAL);
	memcpy(bad, good, n);
	bad[3] = 0x70;                          /* more in the ring than it holds */
	assert_int_equal(vuart_type.restore(&mv.dev, bad, n), -EINVAL);
	assert_int_equal(vuart_type.restore(&mv.dev, good, n), 0);
	assert_int_equal(rd(RBR), 'a');
	assert_int_equal(rd(RBR), 'b');
}

/* Random accesses and input: no invariant that a saved state has to keep is ever broken. */
static void random_accesses_keep_the_state_plausible(void **state)
{
	static char buf[8192];
	uint64_t seed = 16550;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		uint64_t r = mock_random(&seed), value;
		unsigned size = 1u << (r >> 8) % 4;

		if (r % 3 == 0)
			(void)!mv_try_read((r >> 16) % 10, size, &value);
		else if (r % 3 == 1)
			(void)!mv_try_write((r >> 16) % 10, size, r >> 24);
		else if (r % 7 == 0)
			(void)!vuart_break(&mv.dev);
		else
			input_n((r >> 16) % 40);
		mv.out_n = 0;
		if (i % 16 == 0) {
			size_t n = mv_save(buf, sizeof(buf));
			bool line = irq();

			assert_int_equal(vuart_type.restore(&mv.dev, buf, n), 0);
			assert_int_equal(irq(), line);
		}
	}
	assert_true(mv.irq_changes > 1000);
}

static void node_as_on_qemu_virt(void **state)
{
	static char fdt[4096];
	const char *path = "/soc/serial@10000000";

	(void)state;
	assert_int_equal(mv_tree(fdt, sizeof(fdt)), 0);
	MV_CELLS(fdt, path, "reg", 0, 0x10000000, 0, 0x100);
	MV_CELLS(fdt, path, "clock-frequency", 3686400);
	MV_CELLS(fdt, path, "interrupts", 10);
	MV_CELLS(fdt, path, "interrupt-parent", 0x10);
	assert_int_equal(fdt_node_check_compatible(fdt, fdt_path_offset(fdt, path), "ns16550a"), 0);
	mv_node_needs_room();
}

static void create_out_of_memory(void **state)
{
	struct vdev dev = { .type = &vuart_type, .host = &mv.host };

	(void)state;
	mock_alloc_fail_at = 1;
	assert_int_equal(vuart_type.create(&dev), -ENOMEM);
	mock_alloc_fail_at = 0;
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(input_beyond_the_ring_is_refused_and_nothing_lost),
		T(breaks_come_in_their_turn),
		T(a_break_waits_in_the_ring_and_outlasts_a_save),
		T(save_and_restore_in_the_middle),
		T(restore_keeps_a_ring_that_wraps),
		T(restore_refuses_what_cannot_be),
		T(random_accesses_keep_the_state_plausible),
		T(node_as_on_qemu_virt),
		T(create_out_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
