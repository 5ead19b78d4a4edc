/*
 * What serial drivers have in common: which line is the console's, input that the
 * console may hold back, and when the device is to interrupt.
 *
 * Interrupts go to one hart, and only its handler reads received bytes. What the
 * console does not take stays in `kept`, and the receive interrupt stays off until
 * console_rx_resume: the device's FIFO fills and holds the sender.
 */
#pragma once

#include <caisson/console.h>
#include <caisson/spinlock.h>
#include <caisson/types.h>

#define SERIAL_KEPT 16 /* bytes that are read from the device in one go */

struct serial_line;

struct serial_ops {
	/** Have the device interrupt when a byte has come (rx), when it can take more (tx). A transmit
	 *  interrupt that is switched on while the device can take more comes at once. */
	void (*interrupts)(struct serial_line *line, bool rx, bool tx);
	/** Take one received byte. @return false: there is none. */
	bool (*read)(struct serial_line *line, char *c);
	/** The interrupt handler, arg is the line: serial_interrupt, or one that does more and calls it. */
	void (*handler)(void *arg);
};

/** A driver's device begins with one: it is the `dev` of its console driver. */
struct serial_line {
	const struct serial_ops *ops;
	spinlock_t lock;         /* innermost: guards the five below */
	bool rx_on, tx_on;       /* what the device was told last */
	bool held;               /* the console holds the sender back */
	bool tx_wanted;          /* the console wants to hear when write() takes more */
	bool kick;               /* the transmit interrupt is borrowed to run the handler */
	size_t n_kept;           /* the interrupt handler's own, as the next */
	char kept[SERIAL_KEPT];  /* read from the device, not yet taken by the console */
};

/** Is this node the console's? With no (usable) stdout-path in /chosen, every one is. */
bool serial_is_console(int node);

/** The two of struct console_driver that are the same for all. */
void serial_tx_interrupt(void *dev, bool on);
void serial_rx_hold(void *dev, bool hold);

void serial_interrupt(void *arg);

/**
 * Give the line to the console and, where it has an interrupt, begin to take input.
 * @param drv     what to register when the interrupt works
 * @param polled  what to register when there is none: the line is output only
 */
void serial_start(struct serial_line *line, const void *fdt, int node, const struct console_driver *drv,
		  const struct console_driver *polled);
