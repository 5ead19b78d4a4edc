/*
 * The console: one serial line carrying several channels.
 *
 * Output. With framing off (the default) every channel's bytes go to the line
 * as they are. With framing on (`framed` in our boot arguments; docs/host.md)
 * the line is a stream of frames that ./caisson undoes:
 *
 *     DLE (0x10), channel (0x40 + number)   what follows belongs to this channel
 *     DLE DLE                               one data byte 0x10
 *     any other byte                        one data byte of the current channel
 *
 * Whatever comes before the first frame was printed by the firmware.
 *
 * Input. Received bytes are handed, in interrupt context, to the one input
 * handler (the monitor's console multiplexer in the hypervisor). On a framed line
 * the other side can put something of its own between them:
 *
 *     DLE DLE                               one data byte 0x10
 *     DLE 'S' COLUMNS 'x' ROWS '\n'         the terminal has this size (decimal)
 *     DLE 'E'                               there is no more input to come
 *     DLE, any other byte                   nothing, and not data
 *
 * A driver registers a struct console_driver; before that, output goes through
 * the firmware's debug console. Output is buffered (ring) and drained by the
 * driver's transmit interrupt when the line is slow; it is never lost. A writer
 * that may wait (a guest) uses console_try_write, which leaves room for others.
 */
#pragma once

#include <caisson/types.h>

/** Channel numbers. A VM's console is CONSOLE_VM + the number of its description; what it writes while nobody looks
 *  goes to CONSOLE_HIDDEN + that number, if at all. */
enum { CONSOLE_LOG = 0, CONSOLE_MONITOR = 1, CONSOLE_ERROR = 2, CONSOLE_END = 3, CONSOLE_VM = 8, CONSOLE_HIDDEN = 72,
       CONSOLE_MAX = 127 };
#define CONSOLE_VMS (CONSOLE_HIDDEN - CONSOLE_VM)

/** What a serial driver offers. All called with interrupts off and the console lock held. */
struct console_driver {
	const char *name;
	/** Write up to n bytes without waiting. @return how many were taken. */
	size_t (*write)(void *dev, const char *buf, size_t n);
	/** Ask for (or stop asking for) an interrupt when write() can take more;
	 *  the driver's handler then calls console_tx_ready(). NULL: the console polls. */
	void (*tx_interrupt)(void *dev, bool on);
	/** Stop (or resume) taking received bytes, so that the sender is held back.
	 *  On resuming, the driver delivers what it kept from its interrupt handler,
	 *  not from here. NULL: the driver receives nothing. */
	void (*rx_hold)(void *dev, bool hold);
	/** Has the last byte left the device itself? NULL: no way to tell. */
	bool (*idle)(void *dev);
};

/** Bind the line. A serial driver's probe calls it, and at most once after boot's drivers another line that is to take over. */
void console_register(const struct console_driver *driver, void *dev);
/** Is there a line, other than the firmware's? */
bool console_is_bound(void);
void console_set_framed(bool framed);
bool console_framed(void);

/** Write bytes to a channel (above CONSOLE_MAX: to none). Any context. Never sleeps; spins only when the
 *  ring is full. */
void console_write(unsigned channel, const char *buf, size_t n);

/**
 * Write as many of the bytes as there is room for without waiting; a quarter of the ring stays free for what
 * console_write brings. Any context. Nothing is refused on a line that is polled.
 * @return how many were taken; if fewer than n, the function of console_set_room is called later
 */
size_t console_try_write(unsigned channel, const char *buf, size_t n);
/** What to call, in interrupt context and with no lock held, when refused bytes may be tried again. */
void console_set_room(void (*room)(void));
/** Have it called soon, as if something had been refused. Any context. */
void console_want_room(void);

/** On a framed line, send a frame without data: the other side learns that this channel is in use. Any context. */
void console_mark(unsigned channel);

/** Wait until every buffered byte has left. For the exit and panic paths. */
void console_flush(void);

/** The panic path: from now on this hart alone writes, by polling and ignoring the lock.
 *  Leaves interrupts off. */
void console_panic(void);

/**
 * Bytes received. Called by the serial driver's interrupt handler.
 * @return how many were taken; if fewer than n, the driver keeps the rest, and
 *         its rx_hold has been called.
 */
size_t console_receive(const char *buf, size_t n);
void console_tx_ready(void);

/** Set the consumer of received bytes; it returns how many it takes. It is called in interrupt context.
 *  Until there is one, input is held back. */
void console_set_input(size_t (*handler)(const char *buf, size_t n));
/** What to call, in interrupt context, when the host says that its input has ended. NULL: nobody wants to know. */
void console_set_ended(void (*fn)(void));

/** The terminal that shows the console; 0: not known. */
struct console_size {
	uint16_t columns, rows;
};

struct console_size console_size(void);
/** It has this size now, says a line that knows it. Any context, no lock held. */
void console_resize(struct console_size size);
/** What to call, in the context of who says it and with no lock held, when it has another size. */
void console_set_resized(void (*resized)(void));

/** The consumer has room again: the driver may deliver what it held back. Any context, but not from
 *  inside the consumer. Call it after making the room. */
void console_rx_resume(void);
