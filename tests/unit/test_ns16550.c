/* The serial driver on registers that are memory: what it writes stays, what it reads a test has put in. */
// sources: core/dt/dt.c core/dt/bus.c core/dt/map.c core/dt/index.c drivers/serial/line.c
#include "drivers/serial/ns16550.c"

#include <caisson/irq.h>
#include <test.h>

static unsigned char regs[4 * REGS];
static char fdt[4096] ALIGNED_TO(8);

static const struct console_driver *driver;
static irq_handler_t handler;
static int irq_error;
static unsigned tx_ready;

static char got[256];
static size_t n_got, space;

void *io_map(hpa_t pa, uint64_t size)
{
	assert_int_equal(pa.v, 0x10000000);
	assert_true(size >= REGS);
	return regs;
}

int irq_find(const void *blob, int node, unsigned n, unsigned *source)
{
	return dt_u32(blob, node, "interrupts", n, source);
}

int irq_register(unsigned irq, const char *name, irq_handler_t fn, void *arg)
{
	(void)name;
	assert_int_equal(irq, 10);
	assert_ptr_equal(arg, &uart);
	handler = irq_error ? NULL : fn;
	return irq_error;
}

void console_register(const struct console_driver *d, void *dev)
{
	assert_ptr_equal(dev, &uart);
	driver = d;
}

void console_tx_ready(void)
{
	tx_ready++;
}

/* As the console does: what it cannot take is held back. */
size_t console_receive(const char *buf, size_t n)
{
	size_t taken = MIN(n, space);

	memcpy(got + n_got, buf, taken);
	n_got += taken;
	space -= taken;
	if (taken < n)
		driver->rx_hold(&uart, true);
	return taken;
}

static void resume(size_t room)
{
	space = room;
	driver->rx_hold(&uart, false);
}

/* A tree with two lines; stdout names one of them, or none does. */
static void make_tree(const char *stdout_path, const char *prop, uint32_t value)
{
	int chosen, node;

	assert_int_equal(fdt_create_empty_tree(fdt, sizeof(fdt)), 0);
	chosen = fdt_add_subnode(fdt, 0, "chosen");
	if (stdout_path)
		assert_int_equal(fdt_setprop_string(fdt, chosen, "stdout-path", stdout_path), 0);
	for (const char *name = "ba"; *name; name++) {
		char text[2] = { *name, '\0' };

		node = fdt_add_subnode(fdt, 0, text);
		assert_int_equal(fdt_setprop_u64(fdt, node, "reg", 0x10000000), 0);
		assert_int_equal(fdt_appendprop_u32(fdt, node, "reg", 0x100), 0);
		assert_int_equal(fdt_setprop_u32(fdt, node, "interrupts", 10), 0);
		if (prop)
			assert_int_equal(fdt_setprop_u32(fdt, node, prop, value), 0);
	}
	node = fdt_add_subnode(fdt, 0, "aliases");
	assert_int_equal(fdt_setprop_string(fdt, node, "serial0", "/b"), 0);
	assert_int_equal(dt_init(fdt), 0);
}

static int probe(const char *path)
{
	return uart_probe(fdt, fdt_path_offset(fdt, path));
}

static int setup(void **state)
{
	(void)state;
	memset(&uart, 0, sizeof(uart));
	memset(regs, 0, sizeof(regs));
	regs[REG_LCR] = 0x83;
	regs[REG_LSR] = LSR_THRE | LSR_TEMT;
	driver = NULL;
	handler = NULL;
	irq_error = 0;
	n_got = space = tx_ready = 0;
	return 0;
}

static int setup_bound(void **state)
{
	setup(state);
	make_tree(NULL, NULL, 0);
	assert_int_equal(probe("/a"), 0);
	return 0;
}

static void the_first_line_without_stdout_path(void **state)
{
	(void)state;
	make_tree(NULL, NULL, 0);
	assert_int_equal(probe("/a"), 0);
	assert_non_null(driver);
	assert_int_equal(probe("/b"), -ENODEV);
}

static void the_line_that_stdout_path_names(void **state)
{
	static const char *const paths[] = { "/b", "/b:115200n8", "serial0", "serial0:9600" };

	for (unsigned i = 0; i < ARRAY_SIZE(paths); i++) {
		setup(state);
		make_tree(paths[i], NULL, 0);
		assert_int_equal(probe("/a"), -ENODEV);
		assert_null(driver);
		assert_int_equal(probe("/b"), 0);
		assert_non_null(driver);
	}
}

static void the_firmwares_line_settings_stay(void **state)
{
	(void)state;
	assert_int_equal(regs[REG_LCR], 0x03); /* only the divisor latch is closed */
	assert_int_equal(regs[REG_FCR], FCR_ENABLE);
	assert_int_equal(regs[REG_IER], IER_RX);
}

static void without_interrupt_it_prints_only(void **state)
{
	(void)state;
	irq_error = -EINVAL;
	make_tree(NULL, NULL, 0);
	assert_int_equal(probe("/a"), 0);
	assert_null(driver->tx_interrupt);
	assert_null(driver->rx_hold);
	assert_int_equal(driver->write(&uart, "x", 1), 1);
	assert_int_equal(regs[REG_IER], 0);
}

static void wide_registers(void **state)
{
	(void)state;
	make_tree(NULL, "reg-shift", 2);
	regs[REG_LSR << 2] = LSR_THRE;
	assert_int_equal(probe("/a"), 0);
	assert_int_equal(regs[REG_IER << 2], IER_RX);
	assert_int_equal(driver->write(&uart, "x", 1), 1);
	setup(state);
	make_tree(NULL, "reg-shift", 9);
	assert_int_equal(probe("/a"), -EINVAL);
	make_tree(NULL, "reg-io-width", 2);
	assert_int_equal(probe("/a"), -EINVAL);
	make_tree(NULL, NULL, 0);
	mock_io_silent = true;
	assert_int_equal(probe("/a"), -ENXIO);
	mock_io_silent = false;
	assert_null(uart.regs); /* another line may be bound */
	assert_null(driver);
}

static void write_takes_nothing_while_the_line_is_busy(void **state)
{
	(void)state;
	regs[REG_DATA] = '-';
	regs[REG_LSR] = 0;
	assert_int_equal(driver->write(&uart, "abc", 3), 0);
	assert_int_equal(regs[REG_DATA], '-');
	assert_false(driver->idle(&uart));
	regs[REG_LSR] = LSR_THRE | LSR_TEMT;
	assert_int_equal(driver->write(&uart, "abc", 3), 3);
	assert_int_equal(regs[REG_DATA], 'c');
	assert_true(driver->idle(&uart));
}

static void the_transmit_interrupt_is_switched(void **state)
{
	(void)state;
	driver->tx_interrupt(&uart, true);
	assert_int_equal(regs[REG_IER], IER_RX | IER_TX);
	handler(&uart);
	assert_int_equal(tx_ready, 1);
	driver->tx_interrupt(&uart, false);
	assert_int_equal(regs[REG_IER], IER_RX);
	assert_true(mock_irq_on);
}

static void input_is_delivered(void **state)
{
	(void)state;
	space = 100;
	regs[REG_DATA] = 'q';
	regs[REG_LSR] = LSR_DR;
	handler(&uart);
	assert_int_equal(n_got, SERIAL_KEPT); /* so many at a time */
	assert_int_equal(got[15], 'q');
	assert_int_equal(uart.line.n_kept, 0);
	regs[REG_LSR] = 0;
	handler(&uart);
	assert_int_equal(n_got, SERIAL_KEPT);
	assert_int_equal(regs[REG_IER], IER_RX);
}

static void refused_input_is_kept_and_the_line_held(void **state)
{
	(void)state;
	space = 10;
	regs[REG_DATA] = 'a';
	regs[REG_LSR] = LSR_DR;
	handler(&uart);
	assert_int_equal(n_got, 10);
	assert_int_equal(uart.line.n_kept, 6);
	assert_int_equal(regs[REG_IER], 0);
	regs[REG_DATA] = 'b'; /* held: the handler, run for output, takes nothing more from the device */
	handler(&uart);
	assert_int_equal(n_got, 10);
	assert_int_equal(uart.line.n_kept, 6);
	assert_int_equal(regs[REG_IER], 0);
}

static void what_was_kept_comes_first_after_resuming(void **state)
{
	(void)state;
	space = 10;
	regs[REG_DATA] = 'a';
	regs[REG_LSR] = LSR_DR;
	handler(&uart);
	resume(100);
	assert_int_equal(n_got, 10); /* not from the caller's context */
	assert_int_equal(regs[REG_IER], IER_RX | IER_TX); /* borrowed, to have the handler run */
	regs[REG_DATA] = 'b';
	handler(&uart);
	assert_int_equal(n_got, 32);
	assert_memory_equal(got, "aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbb", 32);
	assert_int_equal(regs[REG_IER], IER_RX);
	resume(100); /* nothing is held: no interrupt is borrowed */
	assert_int_equal(regs[REG_IER], IER_RX);
}

static void little_room_at_a_time_loses_nothing(void **state)
{
	(void)state;
	regs[REG_LSR] = LSR_DR;
	for (unsigned i = 0; i < 6; i++) {
		regs[REG_DATA] = (unsigned char)('a' + i);
		handler(&uart);
		assert_int_equal(regs[REG_IER], 0);
		resume(8);
		regs[REG_DATA] = '!'; /* is read only when all that was kept is gone */
		handler(&uart);
		if (i % 2 == 0)
			assert_int_equal(uart.line.n_kept, 8);
	}
	assert_int_equal(n_got, 48);
	assert_memory_equal(got, "aaaaaaaaaaaaaaaa!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!", 48);
}

int main(void)
{
#define CASE(test, start) cmocka_unit_test_setup(test, start)
	const struct CMUnitTest tests[] = {
		CASE(the_first_line_without_stdout_path, setup),
		CASE(the_line_that_stdout_path_names, setup),
		CASE(the_firmwares_line_settings_stay, setup_bound),
		CASE(without_interrupt_it_prints_only, setup),
		CASE(wide_registers, setup),
		CASE(write_takes_nothing_while_the_line_is_busy, setup_bound),
		CASE(the_transmit_interrupt_is_switched, setup_bound),
		CASE(input_is_delivered, setup_bound),
		CASE(refused_input_is_kept_and_the_line_held, setup_bound),
		CASE(what_was_kept_comes_first_after_resuming, setup_bound),
		CASE(little_room_at_a_time_loses_nothing, setup_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
