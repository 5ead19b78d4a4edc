/*
 * SiFive serial line (FU540-C000 manual, chapter 13): the console's driver on
 * the HiFive boards. What is not of this chip is in line.c.
 */
#include <errno.h>

#include <arch/cpu.h>
#include <caisson/console.h>
#include <caisson/dt.h>
#include <caisson/init.h>

#include "line.h"

enum { REG_TXDATA = 0x00, REG_RXDATA = 0x04, REG_TXCTRL = 0x08, REG_RXCTRL = 0x0c, REG_IE = 0x10, REG_IP = 0x14 };
#define REGS_BYTES 0x1c

#define TXDATA_FULL BIT(31)
#define RXDATA_EMPTY BIT(31)
#define CTRL_ENABLE BIT(0)
#define CTRL_WATERMARK(n) ((uint32_t)(n) << 16)
#define CTRL_WATERMARK_MASK CTRL_WATERMARK(7)
#define IRQ_TX BIT(0) /* fewer bytes wait than the transmit watermark */
#define IRQ_RX BIT(1) /* more bytes wait than the receive watermark */

struct uart {
	struct serial_line line;
	volatile char *regs;
};

static struct uart uart;

static uint32_t reg_read(const struct uart *u, unsigned reg)
{
	return mmio_read32(u->regs + reg);
}

static void reg_write(struct uart *u, unsigned reg, uint32_t value)
{
	mmio_write32(u->regs + reg, value);
}

static size_t uart_write(void *dev, const char *buf, size_t n)
{
	struct uart *u = container_of((struct serial_line *)dev, struct uart, line);
	size_t done = 0;

	while (done < n && !(reg_read(u, REG_TXDATA) & TXDATA_FULL))
		reg_write(u, REG_TXDATA, (unsigned char)buf[done++]);
	return done;
}

/* With a watermark of 1 the transmit interrupt is pending while the FIFO is empty. That the last byte has
 * left the shift register too, the device does not tell. */
static bool uart_idle(void *dev)
{
	return reg_read(container_of((struct serial_line *)dev, struct uart, line), REG_IP) & IRQ_TX;
}

static void uart_interrupts(struct serial_line *line, bool rx, bool tx)
{
	reg_write(container_of(line, struct uart, line), REG_IE, (rx ? IRQ_RX : 0) | (tx ? IRQ_TX : 0));
}

static bool uart_read(struct serial_line *line, char *c)
{
	uint32_t data = reg_read(container_of(line, struct uart, line), REG_RXDATA);

	*c = (char)data;
	return !(data & RXDATA_EMPTY);
}

static const struct serial_ops uart_ops = {
	.interrupts = uart_interrupts,
	.read = uart_read,
	.handler = serial_interrupt,
};

static const struct console_driver interrupt_driver = {
	.name = "sifive-uart",
	.write = uart_write,
	.tx_interrupt = serial_tx_interrupt,
	.rx_hold = serial_rx_hold,
	.idle = uart_idle,
};

/* Without an interrupt the line is output only. */
static const struct console_driver polled_driver = {
	.name = "sifive-uart",
	.write = uart_write,
	.idle = uart_idle,
};

static void control(struct uart *u, unsigned reg, unsigned watermark)
{
	uint32_t kept = reg_read(u, reg) & ~CTRL_WATERMARK_MASK;

	reg_write(u, reg, kept | CTRL_WATERMARK(watermark) | CTRL_ENABLE);
}

/* The firmware's speed and stop bits stay. */
static void set_up(struct uart *u)
{
	reg_write(u, REG_IE, 0);
	control(u, REG_TXCTRL, 1);
	control(u, REG_RXCTRL, 0);
}

static int map_registers(const void *fdt, int node)
{
	volatile char *regs;
	uint64_t size;
	int error = dt_map(fdt, node, 0, REGS_BYTES, &regs, &size);

	if (error)
		return error;
	/* Not by reading a data register: that would take a byte away. */
	if (!arch_io_answers(regs + REG_IE, 4))
		return -ENXIO;
	uart.regs = regs;
	return 0;
}

static int uart_probe(const void *fdt, int node)
{
	int error;

	if (uart.regs || !serial_is_console(node))
		return -ENODEV;
	error = map_registers(fdt, node);
	if (error)
		return error;
	set_up(&uart);
	uart.line.ops = &uart_ops;
	serial_start(&uart.line, fdt, node, &interrupt_driver, &polled_driver);
	return 0;
}

static const char *const uart_compatible[] = { "sifive,uart0", NULL };

DRIVER(sifive_uart) = {
	.name = "sifive-uart",
	.compatible = uart_compatible,
	.probe = uart_probe,
	.order = 1,
};
