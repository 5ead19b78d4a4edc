/*
 * ns16550 serial line: the console's driver.
 *
 * Interrupts go to one hart, and only its handler reads received bytes. What the
 * console does not take stays in `kept`, and the receive interrupt stays masked
 * until console_rx_resume: the device's FIFO fills and holds the sender.
 */
#include <errno.h>
#include <string.h>

#include <arch/cpu.h>
#include <caisson/console.h>
#include <caisson/dt.h>
#include <caisson/init.h>
#include <caisson/irq.h>
#include <caisson/kspace.h>
#include <caisson/log.h>
#include <caisson/spinlock.h>

#define LOG_NAME "ns16550"

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
	volatile char *regs;
	unsigned shift, width;   /* registers are 1 << shift bytes apart and accessed width bytes wide */
	spinlock_t lock;         /* innermost: guards the four below */
	uint8_t ier;
	bool held;               /* the console holds the sender back */
	bool tx_wanted;          /* the console wants to hear when write() takes more */
	bool kick;               /* the transmit interrupt is borrowed to run the handler */
	size_t n_kept;           /* the interrupt handler's own, as the next */
	char kept[FIFO_BYTES];   /* read from the device, not yet taken by the console */
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

static void ier_update(struct uart *u)
{
	uint8_t ier = (u->held ? 0 : IER_RX) | (u->tx_wanted || u->kick ? IER_TX : 0);

	if (ier != u->ier)
		reg_write(u, REG_IER, ier);
	u->ier = ier;
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

static void uart_tx_interrupt(void *dev, bool on)
{
	struct uart *u = dev;
	irqflags_t flags = spin_lock_irqsave(&u->lock);

	u->tx_wanted = on;
	ier_update(u);
	spin_unlock_irqrestore(&u->lock, flags);
}

/*
 * On resuming, what was kept is delivered by the handler, which runs at once when the transmit interrupt is
 * switched on while the transmitter is empty, or else when it gets empty. Off first: only the change counts.
 */
static void uart_rx_hold(void *dev, bool hold)
{
	struct uart *u = dev;
	irqflags_t flags = spin_lock_irqsave(&u->lock);

	if (!hold && u->held) {
		reg_write(u, REG_IER, 0);
		u->ier = 0;
		u->kick = true;
	}
	u->held = hold;
	ier_update(u);
	spin_unlock_irqrestore(&u->lock, flags);
}

static bool uart_idle(void *dev)
{
	return reg_read(dev, REG_LSR) & LSR_TEMT;
}

static void kick_done(struct uart *u)
{
	irqflags_t flags = spin_lock_irqsave(&u->lock);

	u->kick = false;
	ier_update(u);
	spin_unlock_irqrestore(&u->lock, flags);
}

/* Hand the kept bytes on. @return true when the console took all of them. */
static bool deliver(struct uart *u)
{
	size_t taken = console_receive(u->kept, u->n_kept);

	u->n_kept -= taken;
	memmove(u->kept, u->kept + taken, u->n_kept);
	return u->n_kept == 0;
}

/* One FIFO at a time; if there is more, the interrupt comes again. */
static void receive(struct uart *u)
{
	if (u->n_kept && !deliver(u))
		return;
	while (u->n_kept < FIFO_BYTES && (reg_read(u, REG_LSR) & LSR_DR))
		u->kept[u->n_kept++] = (char)reg_read(u, REG_DATA);
	if (u->n_kept)
		deliver(u);
}

static void uart_interrupt(void *arg)
{
	struct uart *u = arg;

	(void)reg_read(u, REG_IIR); /* takes back the transmit interrupt */
	kick_done(u);
	receive(u);
	console_tx_ready();
}

static const struct console_driver interrupt_driver = {
	.name = "ns16550",
	.write = uart_write,
	.tx_interrupt = uart_tx_interrupt,
	.rx_hold = uart_rx_hold,
	.idle = uart_idle,
};

/* Without an interrupt the line is output only. */
static const struct console_driver polled_driver = {
	.name = "ns16550",
	.write = uart_write,
	.idle = uart_idle,
};

/* The console's node by /chosen stdout-path ("path-or-alias:settings"), or a negative number. */
static int stdout_node(void)
{
	const char *path = dt_chosen("stdout-path");

	return path ? dt_path_n(path, strcspn(path, ":")) : -1;
}

static bool is_wanted(int node)
{
	int chosen = stdout_node();

	return !uart.regs && (chosen < 0 || chosen == node);
}

static int map_registers(const void *fdt, int node)
{
	uint32_t shift = 0, width = 1;
	uint64_t base, size;
	int error = dt_reg(fdt, node, 0, &base, &size);

	if (error)
		return error;
	(void)!dt_u32(fdt, node, "reg-shift", 0, &shift);
	(void)!dt_u32(fdt, node, "reg-io-width", 0, &width);
	if (shift > 4 || (width != 1 && width != 4) || (width == 4 && shift < 2))
		return -EINVAL;
	uart.shift = shift;
	uart.width = width;
	uart.regs = io_map(HPA(base), MAX(size, (uint64_t)REGS << shift));
	return uart.regs ? 0 : -ENOMEM;
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
	uint32_t irq;
	int error;

	if (!is_wanted(node))
		return -ENODEV;
	error = map_registers(fdt, node);
	if (error)
		return error;
	quiet(&uart);
	error = IS_ENABLED(CONFIG_IRQ) ? dt_u32(fdt, node, "interrupts", 0, &irq) : -ENODEV;
	if (!error)
		error = irq_register(irq, uart_interrupt, &uart);
	if (error && IS_ENABLED(CONFIG_IRQ))
		log_warn("no interrupt (error %d): output by polling, no input", error);
	console_register(error ? &polled_driver : &interrupt_driver, &uart);
	if (!error)
		uart_rx_hold(&uart, false);
	return 0;
}

static const char *const uart_compatible[] = { "ns16550a", "ns16550", NULL };

DRIVER(ns16550) = {
	.name = "ns16550",
	.compatible = uart_compatible,
	.probe = uart_probe,
	.order = 1,
};
