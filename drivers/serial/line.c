/* What serial drivers have in common: see line.h. */
#include "line.h"

#include <errno.h>
#include <string.h>

#include <caisson/dt.h>
#include <caisson/irq.h>
#include <caisson/log.h>

#define LOG_NAME "serial"

/* The console's node by /chosen stdout-path ("path-or-alias:settings"), or a negative number. */
static int stdout_node(void)
{
	const char *path = dt_chosen("stdout-path");

	return path ? dt_path_n(path, strcspn(path, ":")) : -1;
}

bool serial_is_console(int node)
{
	int chosen = stdout_node();

	return chosen < 0 || chosen == node;
}

static void interrupts_update(struct serial_line *line)
{
	bool rx = !line->held, tx = line->tx_wanted || line->kick;

	if (rx != line->rx_on || tx != line->tx_on)
		line->ops->interrupts(line, rx, tx);
	line->rx_on = rx;
	line->tx_on = tx;
}

void serial_tx_interrupt(void *dev, bool on)
{
	struct serial_line *line = dev;
	irqflags_t flags = spin_lock_irqsave(&line->lock);

	line->tx_wanted = on;
	interrupts_update(line);
	spin_unlock_irqrestore(&line->lock, flags);
}

/*
 * On resuming, what was kept is delivered by the handler, which runs at once when the transmit interrupt is
 * switched on while the transmitter is empty, or else when it gets empty. Off first: only the change counts.
 */
void serial_rx_hold(void *dev, bool hold)
{
	struct serial_line *line = dev;
	irqflags_t flags = spin_lock_irqsave(&line->lock);

	if (!hold && line->held) {
		line->ops->interrupts(line, false, false);
		line->tx_on = false;
		line->kick = true;
	}
	line->held = hold;
	interrupts_update(line);
	spin_unlock_irqrestore(&line->lock, flags);
}

static void kick_done(struct serial_line *line)
{
	irqflags_t flags = spin_lock_irqsave(&line->lock);

	line->kick = false;
	interrupts_update(line);
	spin_unlock_irqrestore(&line->lock, flags);
}

/* Hand the kept bytes on. @return true when the console took all of them. */
static bool deliver(struct serial_line *line)
{
	size_t taken = console_receive(line->kept, line->n_kept);

	line->n_kept -= taken;
	memmove(line->kept, line->kept + taken, line->n_kept);
	return line->n_kept == 0;
}

/* So many bytes at a time; if there are more, the interrupt comes again. */
static void receive(struct serial_line *line)
{
	if (line->n_kept && !deliver(line))
		return;
	while (line->n_kept < SERIAL_KEPT && line->ops->read(line, &line->kept[line->n_kept]))
		line->n_kept++;
	if (line->n_kept)
		deliver(line);
}

void serial_interrupt(void *arg)
{
	struct serial_line *line = arg;

	kick_done(line);
	receive(line);
	console_tx_ready();
}

static int connect_interrupt(struct serial_line *line, const void *fdt, int node)
{
	unsigned irq;
	int error = IS_ENABLED(CONFIG_IRQ) ? irq_find(fdt, node, 0, &irq) : -ENODEV;

	if (!error)
		error = irq_register(irq, fdt_get_name(fdt, node, NULL), line->ops->handler, line);
	if (error && IS_ENABLED(CONFIG_IRQ))
		log_warn("no interrupt (error %d): output by polling, no input", error);
	return error;
}

void serial_start(struct serial_line *line, const void *fdt, int node, const struct console_driver *drv,
		  const struct console_driver *polled)
{
	int error = connect_interrupt(line, fdt, node);

	console_register(error ? polled : drv, line);
	if (!error)
		serial_rx_hold(line, false);
}
