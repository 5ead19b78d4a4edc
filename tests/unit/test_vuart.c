/* The virtual 16550A: registers, FIFOs, interrupts, loopback, backpressure. */
// sources: vmm/device/vuart.c vmm/device/vuart_state.c vmm/device/common.c vmm/image/dt_writer.c
#include <vuart_mock.h>

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
		T(reset_is_power_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
