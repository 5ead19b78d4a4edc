/* The virtual 16550A: registers, FIFOs, interrupts, loopback, backpressure, saved state. */
// sources: vmm/device/vuart.c vmm/device/vuart_state.c vmm/device/common.c vmm/image/dt_writer.c
#include <errno.h>
#include <mem.h>
#include <vdev_mock.h>
#include <vmm/memory.h>

enum { RBR, IER, IIR, LCR, MCR, LSR, MSR, SCR, THR = RBR, FCR = IIR };
enum { FIFO_ROOM = 16, RING_ROOM = 4096 };

static int setup(void **state)
{
	(void)state;
	mv_start(&vuart_type, 1);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	mv_stop();
	assert_true(mock_irq_on);
	return 0;
}

static uint8_t rd(unsigned reg) { return (uint8_t)mv_read(reg, 1); }
static void wr(unsigned reg, uint8_t v) { mv_put(reg, 1, v); }
static bool irq(void) { return mv.irq[GUEST_UART_IRQ]; }

static size_t input(const char *s)
{
	return vuart_input(&mv.dev, s, strlen(s));
}

/* Fill from a counter, so that order and loss show. */
static size_t input_n(size_t n)
{
	static char buf[8192];

	for (size_t i = 0; i < n; i++)
		buf[i] = (char)(i * 7 + i / 256);
	return vuart_input(&mv.dev, buf, n);
}

static void power_on_values(void **state)
{
	static const uint8_t value[] = { 0, 0, 1, 0, 0x08, 0x60, 0xb0, 0 };

	(void)state;
	for (unsigned reg = 0; reg < ARRAY_SIZE(value); reg++)
		assert_int_equal(rd(reg), value[reg]);
	wr(LCR, 0x80);
	assert_int_equal(rd(0), 0x0c);
	assert_int_equal(rd(1), 0);
	assert_false(irq());
}

static void output_leaves_at_once(void **state)
{
	(void)state;
	for (const char *s = "hello\n"; *s; s++) {
		assert_int_equal(rd(LSR), 0x60);
		wr(THR, (uint8_t)*s);
	}
	wr(FCR, 1);
	wr(IER, 2);
	mv_put(THR, 8, 0x4141414141414142);     /* one byte, however wide */
	assert_string_equal(mv.out, "hello\nB");
}

static void divisor_latch_hides_data_and_ier(void **state)
{
	(void)state;
	wr(IER, 1);
	wr(LCR, 0x83);
	wr(0, 0x34);
	wr(1, 0x12);
	assert_int_equal(rd(0), 0x34);
	assert_int_equal(rd(1), 0x12);
	input("x");
	assert_int_equal(rd(0), 0x34);
	wr(LCR, 0x03);
	assert_int_equal(rd(IER), 1);
	assert_int_equal(rd(RBR), 'x');
	assert_int_equal(mv.out_n, 0);
}

static void registers_keep_only_what_exists(void **state)
{
	(void)state;
	wr(SCR, 0xa5);
	assert_int_equal(rd(SCR), 0xa5);
	wr(IER, 0xff);
	assert_int_equal(rd(IER), 0x0f);
	wr(MCR, 0xff);
	assert_int_equal(rd(MCR), 0x1f);
	wr(LCR, 0xff);
	assert_int_equal(rd(LCR), 0xff);
	wr(LSR, 0);
	wr(MSR, 0);
	assert_int_equal(rd(LSR), 0x60);
}

/* As on bare QEMU virt: an aligned access is one register, beyond the eighth nothing answers. */
static void widths_and_the_end_of_the_registers(void **state)
{
	(void)state;
	wr(SCR, 0xa7);
	wr(MCR, 0x0b);
	for (unsigned size = 2; size <= 8; size *= 2)
		assert_int_equal(mv_read(MCR & ~(size - 1), size), size == 8 ? 0 : 0x0b);
	mv_put(MCR, 4, 0xa1a2a303);
	assert_int_equal(rd(MCR), 3);
	assert_int_equal(mv_read(MSR, 2), 0xb0);
	assert_int_equal(mv_read(5, 2), 0xb060);
	assert_int_equal(mv_read(1, 4), 0x03000100);
	mv_put(3, 2, 0x0b1b);
	assert_int_equal(rd(LCR), 0x1b);
	assert_int_equal(rd(MCR), 0x0b);
	for (unsigned off = 8; off < 0x1000; off = off * 2 + 1)
		for (unsigned size = 1; size <= 8; size *= 2)
			mv_faults(off, size);
	assert_true(mv_try_write(7, 2, 0x3344) < 0);
	assert_int_equal(rd(SCR), 0x44);        /* the first piece has happened */
	mv_faults(6, 4);
}

static void received_bytes_without_fifo(void **state)
{
	(void)state;
	assert_int_equal(input("ab"), 2);
	assert_int_equal(rd(LSR), 0x61);
	assert_int_equal(rd(RBR), 'a');
	assert_int_equal(rd(LSR), 0x61);
	assert_int_equal(rd(RBR), 'b');
	assert_int_equal(rd(LSR), 0x60);
	assert_int_equal(rd(RBR), 'b');         /* stays in the register */
}

static void received_data_interrupt(void **state)
{
	(void)state;
	input("a");
	assert_false(irq());
	wr(IER, 1);
	assert_true(irq());
	assert_int_equal(rd(IIR), 0x04);
	assert_int_equal(rd(IIR), 0x04);        /* reading does not acknowledge it */
	assert_true(irq());
	assert_int_equal(rd(RBR), 'a');
	assert_false(irq());
	assert_int_equal(rd(IIR), 0x01);
	input("b");
	assert_true(irq());
	wr(IER, 0);
	assert_false(irq());
}

static void fifo_trigger_levels_and_timeout(void **state)
{
	static const unsigned level[4] = { 1, 4, 8, 14 };

	(void)state;
	for (unsigned t = 0; t < 4; t++) {
		wr(FCR, (uint8_t)(t << 6 | 3));
		wr(IER, 1);
		for (unsigned n = 1; n <= FIFO_ROOM; n++) {
			input("x");
			assert_int_equal(rd(IIR), n < level[t] ? 0xcc : 0xc4);
			assert_true(irq());
		}
		for (unsigned n = FIFO_ROOM; n; n--) {
			assert_int_equal(rd(IIR), n < level[t] ? 0xcc : 0xc4);
			assert_int_equal(rd(RBR), 'x');
		}
		assert_false(irq());
		assert_int_equal(rd(RBR), 0);   /* an empty FIFO */
	}
}

static void transmitter_empty_interrupt(void **state)
{
	(void)state;
	wr(IER, 2);                             /* it is empty: at once */
	assert_true(irq());
	assert_int_equal(rd(IIR), 0x02);        /* reading acknowledges */
	assert_false(irq());
	assert_int_equal(rd(IIR), 0x01);
	wr(THR, 'x');
	assert_true(irq());
	wr(THR, 'y');
	assert_int_equal(rd(IIR), 0x02);
	assert_int_equal(rd(IIR), 0x01);
	wr(IER, 2);                             /* no change, no event */
	assert_false(irq());
	wr(IER, 0);
	wr(IER, 2);                             /* enabled anew */
	assert_true(irq());
	wr(IER, 0);
	assert_false(irq());
	wr(THR, 'z');
	assert_false(irq());
	assert_string_equal(mv.out, "xyz");
}

static void console_slow(bool slow)
{
	mv.slow = slow;
	mv.answer = slow ? VDEV_SLOW : VDEV_TAKEN;
}

/* While the line is slow the transmitter is full; that it is empty again is an event. */
static void slow_console_is_a_full_transmitter(void **state)
{
	(void)state;
	wr(IER, 2);
	assert_int_equal(rd(IIR), 0x02);
	console_slow(true);
	wr(THR, 'a');
	assert_int_equal(rd(LSR), 0);
	assert_false(irq());
	wr(THR, 'b');                           /* a guest that does not ask: taken all the same */
	mv.answer = VDEV_FULL;
	assert_int_equal(mv_try_write(THR, 1, 'c'), -EAGAIN);
	wr(IER, 0);
	wr(IER, 2);                             /* it is not empty: no event */
	wr(FCR, 5);
	assert_false(irq());
	console_slow(false);
	assert_int_equal(rd(LSR), 0);
	vuart_output_ready(&mv.dev);
	assert_int_equal(rd(LSR), 0x60);
	assert_true(irq());
	assert_int_equal(rd(IIR), 0xc2);
	vuart_output_ready(&mv.dev);            /* it was empty: no event */
	assert_false(irq());
	wr(THR, 'd');
	assert_int_equal(rd(IIR), 0xc2);
	assert_string_equal(mv.out, "abd");
}

/* What the byte waited for came before the device was told to wait. */
static void slow_console_that_has_caught_up(void **state)
{
	(void)state;
	wr(IER, 2);
	(void)rd(IIR);
	mv.answer = VDEV_SLOW;
	wr(THR, 'a');
	assert_int_equal(rd(LSR), 0x60);
	assert_int_equal(rd(IIR), 0x02);
}

static void slow_console_is_not_saved(void **state)
{
	static char buf[8192];
	size_t n;

	(void)state;
	wr(IER, 2);
	(void)rd(IIR);
	console_slow(true);
	wr(THR, 'a');
	n = mv_save(buf, sizeof(buf));
	assert_int_equal(rd(LSR), 0);
	assert_int_equal(vuart_type.restore(&mv.dev, buf, n), 0);
	assert_int_equal(rd(LSR), 0x60);
	assert_int_equal(rd(IIR), 0x02);
	wr(THR, 'a');
	assert_int_equal(rd(LSR), 0);
	vuart_type.reset(&mv.dev);
	assert_int_equal(rd(LSR), 0x60);
}

static void more_urgent_interrupt_first(void **state)
{
	(void)state;
	input("q");
	wr(IER, 3);
	assert_int_equal(rd(IIR), 0x04);        /* shows data and does not acknowledge the other */
	assert_int_equal(rd(RBR), 'q');
	assert_true(irq());
	assert_int_equal(rd(IIR), 0x02);
	assert_false(irq());
}

static void fifo_control(void **state)
{
	(void)state;
	wr(FCR, 0xc8);                          /* without its enable no FIFO */
	assert_int_equal(rd(IIR), 0x01);
	wr(FCR, 0x01);
	assert_int_equal(rd(IIR), 0xc1);
	wr(IER, 2);
	assert_int_equal(rd(IIR), 0xc2);
	wr(FCR, 0x05);                          /* clearing the transmitter empties it again */
	assert_int_equal(rd(IIR), 0xc2);
	wr(FCR, 0x01);
	assert_int_equal(rd(IIR), 0xc1);
	wr(FCR, 0x00);                          /* so does switching */
	assert_int_equal(rd(IIR), 0x02);
	wr(IER, 0);
	wr(FCR, 0x01);
	input("12345");
	assert_int_equal(rd(RBR), '1');
	wr(FCR, 0x03);
	assert_int_equal(rd(LSR), 0x60);
	input("6789");
	wr(FCR, 0x00);                          /* both FIFOs are cleared */
	assert_int_equal(rd(LSR), 0x60);
}

static void loopback_modem_lines(void **state)
{
	(void)state;
	for (unsigned out = 0; out < 16; out++) {
		unsigned in = (out & 1) << 5 | (out & 2) << 3 | (out & 4) << 4 | (out & 8) << 4;

		wr(MCR, (uint8_t)(0x10 | out));
		assert_int_equal(rd(MSR), in);
	}
	wr(MCR, 0x0b);
	assert_int_equal(rd(MSR), 0xb0);
}

static void loopback_data_and_overrun(void **state)
{
	(void)state;
	wr(FCR, 0x07);
	wr(IER, 0x04);
	wr(MCR, 0x10);
	for (uint8_t i = 1; i <= FIFO_ROOM; i++)
		wr(THR, i);
	assert_false(irq());
	wr(THR, 99);
	assert_true(irq());
	assert_int_equal(rd(IIR), 0xc6);
	assert_int_equal(rd(LSR), 0x63);        /* reading acknowledges */
	assert_int_equal(rd(LSR), 0x61);
	assert_false(irq());
	for (uint8_t i = 1; i <= FIFO_ROOM; i++)
		assert_int_equal(rd(RBR), i);
	assert_int_equal(rd(LSR), 0x60);
	wr(FCR, 0);
	wr(THR, 'A');
	wr(THR, 'B');                           /* without FIFO: over the top */
	assert_int_equal(rd(LSR), 0x63);
	assert_int_equal(rd(RBR), 'B');
	assert_int_equal(rd(LSR), 0x60);
	assert_int_equal(mv.out_n, 0);
}

static void loopback_keeps_input_waiting(void **state)
{
	(void)state;
	wr(MCR, 0x10);
	assert_int_equal(input("hi"), 2);
	assert_int_equal(rd(LSR), 0x60);
	wr(THR, 'L');
	assert_int_equal(rd(RBR), 'L');
	wr(MCR, 0x00);
	assert_int_equal(rd(RBR), 'h');
	assert_int_equal(rd(RBR), 'i');
}

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

static void reset_is_power_on(void **state)
{
	(void)state;
	wr(FCR, 1);
	wr(IER, 3);
	wr(LCR, 0x83);
	wr(0, 1);
	wr(SCR, 9);
	assert_int_equal(input_n(5000), FIFO_ROOM + RING_ROOM);
	assert_true(irq());
	vuart_type.reset(&mv.dev);
	assert_false(irq());
	assert_int_equal(mv.readies, 1);
	power_on_values(state);
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
		T(power_on_values),
		T(output_leaves_at_once),
		T(divisor_latch_hides_data_and_ier),
		T(registers_keep_only_what_exists),
		T(widths_and_the_end_of_the_registers),
		T(received_bytes_without_fifo),
		T(received_data_interrupt),
		T(fifo_trigger_levels_and_timeout),
		T(transmitter_empty_interrupt),
		T(slow_console_is_a_full_transmitter),
		T(slow_console_that_has_caught_up),
		T(slow_console_is_not_saved),
		T(more_urgent_interrupt_first),
		T(fifo_control),
		T(loopback_modem_lines),
		T(loopback_data_and_overrun),
		T(loopback_keeps_input_waiting),
		T(input_beyond_the_ring_is_refused_and_nothing_lost),
		T(breaks_come_in_their_turn),
		T(a_break_waits_in_the_ring_and_outlasts_a_save),
		T(reset_is_power_on),
		T(save_and_restore_in_the_middle),
		T(restore_keeps_a_ring_that_wraps),
		T(restore_refuses_what_cannot_be),
		T(random_accesses_keep_the_state_plausible),
		T(node_as_on_qemu_virt),
		T(create_out_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
