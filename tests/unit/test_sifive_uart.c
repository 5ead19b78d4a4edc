/* The SiFive line on registers that a small simulation answers: two FIFOs of 8 bytes and their watermarks. */
// sources: core/dt/dt.c core/dt/bus.c core/dt/map.c core/dt/index.c drivers/serial/line.c
#include <arch/cpu.h>

static uint32_t sim_read(const volatile void *at);
static void sim_write(volatile void *at, uint32_t value);
#define mmio_read32 sim_read
#define mmio_write32 sim_write
#include "drivers/serial/sifive_uart.c"

#include <caisson/irq.h>
#include <test.h>

#define FIFO_BYTES 8

static char registers[REGS_BYTES];
static struct {
	char bytes[FIFO_BYTES];
	unsigned n;
} tx, rx;
static uint32_t txctrl, rxctrl, ie;
static char sent[64], got[64];
static size_t n_sent, n_got, space;
static unsigned tx_ready;
static int irq_error;

static char fdt[4096] ALIGNED_TO(8);
static const struct console_driver *driver;
static irq_handler_t handler;

static uint32_t pending(void)
{
	return (tx.n < (txctrl >> 16 & 7) ? IRQ_TX : 0) | (rx.n > (rxctrl >> 16 & 7) ? IRQ_RX : 0);
}

static uint32_t take_received(void)
{
	uint32_t byte;

	if (rx.n == 0)
		return RXDATA_EMPTY | 'x';
	byte = (unsigned char)rx.bytes[0];
	memmove(rx.bytes, rx.bytes + 1, --rx.n);
	return byte;
}

static uint32_t sim_read(const volatile void *at)
{
	switch ((const volatile char *)at - registers) {
	case REG_TXDATA:
		return tx.n == FIFO_BYTES ? TXDATA_FULL : 0;
	case REG_RXDATA:
		return take_received();
	case REG_TXCTRL:
		return txctrl;
	case REG_RXCTRL:
		return rxctrl;
	case REG_IE:
		return ie;
	case REG_IP:
		return pending();
	default:
		fail_msg("no such register");
		return 0;
	}
}

static void sim_write(volatile void *at, uint32_t value)
{
	switch ((volatile char *)at - registers) {
	case REG_TXDATA:
		assert_true(tx.n < FIFO_BYTES);
		tx.bytes[tx.n++] = (char)value;
		break;
	case REG_TXCTRL:
		txctrl = value;
		break;
	case REG_RXCTRL:
		rxctrl = value;
		break;
	case REG_IE:
		ie = value;
		break;
	default:
		fail_msg("not a register to write");
	}
}

/* The device sends what it has; then it interrupts for as long as it has a reason, as a level does. */
static void sim_send(void)
{
	memcpy(sent + n_sent, tx.bytes, tx.n);
	n_sent += tx.n;
	tx.n = 0;
}

static void sim_interrupt(void)
{
	for (unsigned i = 0; pending() & ie; i++) {
		assert_true(i < 100); /* nothing that the handler does not end */
		handler(&uart.line);
	}
}

static void sim_receive(const char *bytes)
{
	assert_true(rx.n + strlen(bytes) <= FIFO_BYTES);
	memcpy(rx.bytes + rx.n, bytes, strlen(bytes));
	rx.n += (unsigned)strlen(bytes);
	sim_interrupt();
}

void *io_map(hpa_t pa, uint64_t size)
{
	assert_int_equal(pa.v, 0x10010000);
	assert_true(size >= REGS_BYTES);
	return registers;
}

int irq_find(const void *blob, int node, unsigned n, unsigned *source)
{
	return dt_u32(blob, node, "interrupts", n, source);
}

int irq_register(unsigned irq, const char *name, irq_handler_t fn, void *arg)
{
	(void)name;
	assert_int_equal(irq, 4);
	assert_ptr_equal(arg, &uart.line);
	handler = irq_error ? NULL : fn;
	return irq_error;
}

void console_register(const struct console_driver *d, void *dev)
{
	assert_ptr_equal(dev, &uart.line);
	driver = d;
}

/* As the console does when its ring is empty: it wants no more interrupts. */
void console_tx_ready(void)
{
	tx_ready++;
	driver->tx_interrupt(&uart.line, false);
}

size_t console_receive(const char *buf, size_t n)
{
	size_t taken = MIN(n, space);

	memcpy(got + n_got, buf, taken);
	n_got += taken;
	space -= taken;
	if (taken < n)
		driver->rx_hold(&uart.line, true);
	return taken;
}

static void make_tree(const char *stdout_path)
{
	int chosen;

	assert_int_equal(fdt_create_empty_tree(fdt, sizeof(fdt)), 0);
	chosen = fdt_add_subnode(fdt, 0, "chosen");
	assert_int_equal(fdt_setprop_string(fdt, chosen, "stdout-path", stdout_path), 0);
	for (const char *name = "ba"; *name; name++) {
		char text[2] = { *name, '\0' };
		int node = fdt_add_subnode(fdt, 0, text);

		assert_int_equal(fdt_setprop_u64(fdt, node, "reg", 0x10010000), 0);
		assert_int_equal(fdt_appendprop_u32(fdt, node, "reg", 0x1000), 0);
		assert_int_equal(fdt_setprop_u32(fdt, node, "interrupts", 4), 0);
	}
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
	tx.n = rx.n = 0;
	txctrl = BIT(1); /* the firmware's: two stop bits, off */
	rxctrl = CTRL_WATERMARK(3);
	ie = IRQ_RX | IRQ_TX;
	n_sent = n_got = space = tx_ready = 0;
	irq_error = 0;
	driver = NULL;
	handler = NULL;
	make_tree("/a");
	return 0;
}

static int setup_bound(void **state)
{
	setup(state);
	assert_int_equal(probe("/a"), 0);
	return 0;
}

static void only_the_line_that_stdout_path_names(void **state)
{
	(void)state;
	assert_int_equal(probe("/b"), -ENODEV);
	assert_null(driver);
	assert_int_equal(probe("/a"), 0);
	assert_non_null(driver);
	assert_int_equal(probe("/a"), -ENODEV);
}

static void it_is_switched_on_and_the_format_stays(void **state)
{
	(void)state;
	assert_int_equal(txctrl, BIT(1) | CTRL_ENABLE | CTRL_WATERMARK(1));
	assert_int_equal(rxctrl, CTRL_ENABLE);
	assert_int_equal(ie, IRQ_RX);
}

static void without_interrupt_it_prints_only(void **state)
{
	(void)state;
	irq_error = -EINVAL;
	assert_int_equal(probe("/a"), 0);
	assert_null(driver->tx_interrupt);
	assert_null(driver->rx_hold);
	assert_int_equal(ie, 0);
	assert_int_equal(driver->write(&uart.line, "x", 1), 1);
}

static void write_takes_what_the_fifo_takes(void **state)
{
	(void)state;
	assert_true(driver->idle(&uart.line));
	assert_int_equal(driver->write(&uart.line, "0123456789", 10), FIFO_BYTES);
	assert_int_equal(driver->write(&uart.line, "89", 2), 0);
	assert_false(driver->idle(&uart.line));
	sim_send();
	assert_true(driver->idle(&uart.line));
	assert_int_equal(driver->write(&uart.line, "89", 2), 2);
	sim_send();
	assert_memory_equal(sent, "0123456789", 10);
}

static void the_transmit_interrupt_comes_when_the_fifo_is_empty(void **state)
{
	(void)state;
	driver->write(&uart.line, "ab", 2);
	driver->tx_interrupt(&uart.line, true);
	sim_interrupt();
	assert_int_equal(tx_ready, 0);
	sim_send();
	sim_interrupt();
	assert_int_equal(tx_ready, 1);
	assert_int_equal(ie, IRQ_RX);
}

static void input_is_delivered(void **state)
{
	(void)state;
	space = 100;
	sim_receive("q");
	sim_receive("0123456\xff");
	assert_int_equal(n_got, 9);
	assert_memory_equal(got, "q0123456\xff", 9);
}

static void held_input_waits_in_the_device_and_comes_in_order(void **state)
{
	(void)state;
	space = 2;
	sim_receive("abcd");
	assert_int_equal(n_got, 2);
	sim_receive("efgh"); /* held: this stays in the device */
	assert_int_equal(rx.n, 4);
	space = 100;
	driver->rx_hold(&uart.line, false);
	assert_int_equal(n_got, 2); /* not from the caller's context */
	sim_interrupt();
	assert_int_equal(n_got, 8);
	assert_memory_equal(got, "abcdefgh", 8);
	assert_int_equal(ie, IRQ_RX);
}

int main(void)
{
#define CASE(test, start) cmocka_unit_test_setup(test, start)
	const struct CMUnitTest tests[] = {
		CASE(only_the_line_that_stdout_path_names, setup),
		CASE(it_is_switched_on_and_the_format_stays, setup_bound),
		CASE(without_interrupt_it_prints_only, setup),
		CASE(write_takes_what_the_fifo_takes, setup_bound),
		CASE(the_transmit_interrupt_comes_when_the_fifo_is_empty, setup_bound),
		CASE(input_is_delivered, setup_bound),
		CASE(held_input_waits_in_the_device_and_comes_in_order, setup_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
