/* ns16550 serial line: the console's driver (what is not of this chip is in line.c). */
#include <errno.h>

#include <arch/cpu.h>
#include <caisson/console.h>
#include <caisson/dt.h>
#include <caisson/init.h>

#include "line.h"

enum { REG_DATA = 0, REG_IER = 1, REG_IIR = 2, REG_FCR = 2, REG_LCR = 3, REG_LSR = 5, REGS = 8 };

#define IER_RX 0x01
#define IER_TX 0x02
#define FCR_ENABLE 0x01
#define LCR_DLAB 0x80
#define LSR_DR 0x01
#define LSR_THRE 0x20
#define LSR_TEMT 0x40

#define FIFO_BYTES 16

struct uart {
	struct serial_line line;
	volatile char *regs;
	unsigned shift, width;   /* registers are 1 << shift bytes apart and accessed width bytes wide */
};

static struct uart uart;

static uint8_t reg_read(const struct uart *u, unsigned reg)
{
	const volatile char *at = u->regs + ((size_t)reg << u->shift);

	return u->width == 4 ? (uint8_t)mmio_read32(at) : mmio_read8(at);
}

static void reg_write(struct uart *u, unsigned reg, uint8_t value)
{
	volatile char *at = u->regs + ((size_t)reg << u->shift);

	if (u->width == 4)
		mmio_write32(at, value);
	else
		mmio_write8(at, value);
}

static void uart_interrupts(struct serial_line *line, bool rx, bool tx)
{
	reg_write(container_of(line, struct uart, line), REG_IER, (rx ? IER_RX : 0) | (tx ? IER_TX : 0));
}

/* Each "transmitter empty" is good for a whole FIFO without asking again. */
static size_t uart_write(void *dev, const char *buf, size_t n)
{
	struct uart *u = dev;
	size_t done = 0;

	while (done < n && (reg_read(u, REG_LSR) & LSR_THRE)) {
		size_t end = MIN(n, done + FIFO_BYTES);

		while (done < end)
			reg_write(u, REG_DATA, (uint8_t)buf[done++]);
	}
	return done;
}

static bool uart_idle(void *dev)
{
	return reg_read(dev, REG_LSR) & LSR_TEMT;
}

static bool uart_read(struct serial_line *line, char *c)
{
	struct uart *u = container_of(line, struct uart, line);

	if (!(reg_read(u, REG_LSR) & LSR_DR))
		return false;
	*c = (char)reg_read(u, REG_DATA);
	return true;
}

static void uart_interrupt(void *arg)
{
	struct serial_line *line = arg;

	(void)reg_read(container_of(line, struct uart, line), REG_IIR); /* takes back the transmit interrupt */
	serial_interrupt(line);
}

static const struct serial_ops uart_ops = {
	.interrupts = uart_interrupts,
	.read = uart_read,
	.handler = uart_interrupt,
};

static const struct console_driver interrupt_driver = {
	.name = "ns16550",
	.write = uart_write,
	.tx_interrupt = serial_tx_interrupt,
	.rx_hold = serial_rx_hold,
	.idle = uart_idle,
};

/* Without an interrupt the line is output only. */
static const struct console_driver polled_driver = {
	.name = "ns16550",
	.write = uart_write,
	.idle = uart_idle,
};

static int map_registers(const void *fdt, int node)
{
	uint32_t shift = 0, width = 1;
	volatile char *regs;
	uint64_t size;
	int error;

	(void)!dt_u32(fdt, node, "reg-shift", 0, &shift);
	(void)!dt_u32(fdt, node, "reg-io-width", 0, &width);
	if (shift > 4 || (width != 1 && width != 4) || (width == 4 && shift < 2))
		return -EINVAL;
	error = dt_map(fdt, node, 0, (uint64_t)REGS << shift, &regs, &size);
	if (error)
		return error;
	/* Not by reading the first register: that would take a byte away. */
	if (!arch_io_answers(regs + (REG_LSR << shift), width))
		return -ENXIO;
	uart.shift = shift;
	uart.width = width;
	uart.regs = regs;
	return 0;
}

/* The firmware's speed and format stay. */
static void quiet(struct uart *u)
{
	reg_write(u, REG_LCR, reg_read(u, REG_LCR) & (uint8_t)~LCR_DLAB);
	reg_write(u, REG_IER, 0);
	reg_write(u, REG_FCR, FCR_ENABLE);
}

static int uart_probe(const void *fdt, int node)
{
	int error;

	if (uart.regs || !serial_is_console(node))
		return -ENODEV;
	error = map_registers(fdt, node);
	if (error)
		return error;
	quiet(&uart);
	uart.line.ops = &uart_ops;
	serial_start(&uart.line, fdt, node, &interrupt_driver, &polled_driver);
	return 0;
}

static const char *const uart_compatible[] = { "ns16550a", "ns16550", NULL };

DRIVER(ns16550) = {
	.name = "ns16550",
	.compatible = uart_compatible,
	.probe = uart_probe,
	.order = 1,
};
