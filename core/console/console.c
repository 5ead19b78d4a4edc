/*
 * The console: channels, framing, the output ring and the hand-over of input.
 *
 * Output takes the short way, straight into the driver, as long as the ring is
 * empty. What the line does not take at once waits in the ring and leaves by the
 * driver's transmit interrupt. The ring holds finished bytes (frames included),
 * so a channel switch needs no thought when it is drained.
 */
#include <caisson/console.h>

#include <arch/cpu.h>
#include <arch/sbi.h>
#include <caisson/hart.h>
#include <caisson/spinlock.h>
#include <string.h>

#include "unframe.h"

#define DLE CONSOLE_DLE
#define CHANNEL_BASE 0x40
#define NO_CHANNEL (CONSOLE_MAX + 1)
#define RING_SIZE 16384u /* a power of two: the indices run freely */
#define PATIENT_SHARE (RING_SIZE / 4 * 3) /* of the ring: what may wait fills no more */

/* A dead line must not keep a panic from ending the machine: after so many fruitless polls bytes are dropped. */
#define PANIC_POLLS 4000000u

static struct {
	spinlock_t lock; /* innermost: nothing else is taken under it but what the driver uses */
	const struct console_driver *driver;
	void *dev;
	bool framed;
	bool tx_on;           /* the driver's transmit interrupt is asked for */
	bool room_wanted;     /* console_try_write took less than it was given */
	unsigned channel;     /* whose bytes the line carries now */
	volatile bool panic;
	unsigned panic_hart;
	uint32_t head, tail;  /* bytes ever put into and taken out of the ring */
	char ring[RING_SIZE];
	size_t (*input)(const char *buf, size_t n);
	uint32_t resumes;     /* calls of console_rx_resume so far */
	void (*room)(void);
} con = { .channel = NO_CHANNEL };

static bool panic_is_mine(void)
{
	return con.panic && con.panic_hart == this_hart()->index;
}

/* Once a hart is in panic, it alone writes, without the lock. @return false: not this hart. */
static bool con_lock(irqflags_t *flags)
{
	if (unlikely(con.panic)) {
		*flags = irq_save();
		if (panic_is_mine())
			return true;
		irq_restore(*flags);
		return false;
	}
	*flags = spin_lock_irqsave(&con.lock);
	return true;
}

static void con_unlock(irqflags_t flags)
{
	if (unlikely(panic_is_mine()))
		irq_restore(flags);
	else
		spin_unlock_irqrestore(&con.lock, flags);
}

static bool ring_empty(void)
{
	return con.head == con.tail;
}

static size_t line_write(const char *buf, size_t n)
{
	if (con.driver)
		return con.driver->write(con.dev, buf, n);
	for (size_t i = 0; i < n; i++)
		sbi_putchar(buf[i]);
	return n;
}

/* Move bytes from the ring to the line until either has no more. @return how many. */
static size_t ring_drain(void)
{
	size_t total = 0;

	while (!ring_empty()) {
		uint32_t at = con.tail % RING_SIZE;
		uint32_t run = MIN(con.head - con.tail, RING_SIZE - at);
		size_t taken = line_write(con.ring + at, run);

		con.tail += taken;
		total += taken;
		if (taken < run)
			break;
	}
	return total;
}

/* Poll until the line has taken something from the ring. @return false: it is dead and we are in panic. */
static bool ring_wait(void)
{
	uint32_t polls = 0;

	while (ring_drain() == 0) {
		if (con.panic && ++polls > PANIC_POLLS)
			return false;
		cpu_relax();
	}
	return true;
}

static void ring_put(const char *buf, size_t n)
{
	while (n) {
		uint32_t at = con.head % RING_SIZE;
		size_t run = MIN(RING_SIZE - (con.head - con.tail), RING_SIZE - at);

		if (run == 0) {
			if (!ring_wait())
				return;
			continue;
		}
		run = MIN(run, n);
		memcpy(con.ring + at, buf, run);
		con.head += run;
		buf += run;
		n -= run;
	}
}

static void ring_empty_out(void)
{
	while (!ring_empty() && ring_wait())
		;
}

static bool has_interrupts(void)
{
	return con.driver && con.driver->tx_interrupt && !con.panic;
}

/* Have the rest of the ring drained: by interrupt where there is one, else here and now. */
static void ring_settle(void)
{
	bool wanted = !ring_empty() || con.room_wanted;

	if (!has_interrupts()) {
		con.room_wanted = false;
		ring_empty_out();
	} else if (wanted != con.tx_on) {
		con.tx_on = wanted;
		con.driver->tx_interrupt(con.dev, wanted);
	}
}

static void emit(const char *buf, size_t n)
{
	size_t taken = ring_empty() ? line_write(buf, n) : 0;

	if (taken < n)
		ring_put(buf + taken, n - taken);
}

static void emit_switch(unsigned channel)
{
	const char frame[2] = { DLE, (char)(CHANNEL_BASE + channel) };

	if (con.channel == channel)
		return;
	con.channel = channel;
	emit(frame, sizeof(frame));
}

/* Data of the current channel, each DLE in it doubled. */
static void emit_data(const char *buf, size_t n)
{
	static const char dle = DLE;
	const char *hit;

	while ((hit = memchr(buf, DLE, n)) != NULL) {
		size_t span = (size_t)(hit - buf) + 1;

		emit(buf, span);
		emit(&dle, 1);
		buf += span;
		n -= span;
	}
	emit(buf, n);
}

/* Lock held. */
static void write_locked(unsigned channel, const char *buf, size_t n)
{
	if (con.framed) {
		emit_switch(channel);
		emit_data(buf, n);
	} else {
		emit(buf, n);
	}
	if (!ring_empty() || con.tx_on)
		ring_settle();
}

void console_write(unsigned channel, const char *buf, size_t n)
{
	irqflags_t flags;

	if (n == 0 || channel > CONSOLE_MAX || !con_lock(&flags))
		return;
	if (!ring_empty())
		ring_drain();
	write_locked(channel, buf, n);
	con_unlock(flags);
}

/* How many bytes the ring surely has room for, if each is a DLE and the channel is switched. Lock held. */
static size_t room_for_patient(void)
{
	uint32_t used = con.head - con.tail;

	return used + 2 >= PATIENT_SHARE ? 0 : (PATIENT_SHARE - used - 2) / 2;
}

size_t console_try_write(unsigned channel, const char *buf, size_t n)
{
	size_t taken = n;
	irqflags_t flags;

	/* While another hart panics nobody is to wait. */
	if (n == 0 || channel > CONSOLE_MAX || !con_lock(&flags))
		return n;
	if (!ring_empty())
		ring_drain();
	if (has_interrupts())
		taken = MIN(n, room_for_patient());
	con.room_wanted |= taken < n;
	if (taken)
		write_locked(channel, buf, taken);
	else
		ring_settle();
	con_unlock(flags);
	return taken;
}

void console_set_room(void (*room)(void))
{
	__atomic_store_n(&con.room, room, __ATOMIC_RELEASE);
}

void console_want_room(void)
{
	irqflags_t flags;

	if (!con_lock(&flags))
		return;
	con.room_wanted = true;
	ring_settle();
	con_unlock(flags);
}

void console_mark(unsigned channel)
{
	irqflags_t flags;

	if (channel > CONSOLE_MAX || !con_lock(&flags))
		return;
	if (con.framed) {
		con.channel = NO_CHANNEL;
		emit_switch(channel);
		ring_settle();
	}
	con_unlock(flags);
}

void console_tx_ready(void)
{
	void (*room)(void) = NULL;
	irqflags_t flags;

	if (!con_lock(&flags))
		return;
	ring_drain();
	if (con.room_wanted && con.head - con.tail <= PATIENT_SHARE / 2) {
		con.room_wanted = false;
		room = __atomic_load_n(&con.room, __ATOMIC_ACQUIRE);
	}
	ring_settle();
	con_unlock(flags);
	if (room)
		room();
}

void console_flush(void)
{
	uint32_t polls = 0;
	irqflags_t flags;

	if (!con_lock(&flags))
		return;
	ring_empty_out();
	if (con.driver && con.driver->idle)
		while (!con.driver->idle(con.dev) && !(con.panic && ++polls > PANIC_POLLS))
			cpu_relax();
	con_unlock(flags);
}

/* Give whoever holds the lock a moment to finish its line; it may also be ourselves. */
static void lock_wait_bounded(void)
{
	for (unsigned i = 0; i < 1000000; i++) {
		if (!spin_is_locked(&con.lock))
			return;
		cpu_relax();
	}
}

void console_panic(void)
{
	irq_disable();
	if (con.panic)
		return;
	lock_wait_bounded();
	con.panic_hart = this_hart()->index;
	con.panic = true;
	/* The panic may have struck between a DLE and its channel: switch twice, the first may be misread. */
	if (con.framed && con.channel != NO_CHANNEL) {
		con.channel = NO_CHANNEL;
		emit_switch(CONSOLE_LOG);
		con.channel = NO_CHANNEL;
	}
}

void console_register(const struct console_driver *driver, void *dev)
{
	irqflags_t flags = spin_lock_irqsave(&con.lock);

	if (con.tx_on)
		con.driver->tx_interrupt(con.dev, false);
	if (con.driver && con.driver->rx_hold)
		con.driver->rx_hold(con.dev, true); /* for good: another one speaks now */
	con.tx_on = false;
	con.dev = dev;
	con.driver = driver;
	ring_settle();
	spin_unlock_irqrestore(&con.lock, flags);
}

bool console_is_bound(void)
{
	return con.driver;
}

void console_set_framed(bool framed)
{
	irqflags_t flags = spin_lock_irqsave(&con.lock);

	con.framed = framed;
	con.channel = NO_CHANNEL;
	spin_unlock_irqrestore(&con.lock, flags);
}

bool console_framed(void)
{
	return con.framed;
}

/* Hold the line, unless the consumer has made room since `resumes` was read. @return false: it has. */
static bool rx_hold_unless_resumed(uint32_t resumes)
{
	irqflags_t flags = spin_lock_irqsave(&con.lock);
	bool hold = con.resumes == resumes;

	if (hold && con.driver && con.driver->rx_hold)
		con.driver->rx_hold(con.dev, true);
	spin_unlock_irqrestore(&con.lock, flags);
	return hold;
}

size_t console_receive(const char *buf, size_t n)
{
	size_t taken = 0;

	while (taken < n) {
		uint32_t resumes = __atomic_load_n(&con.resumes, __ATOMIC_ACQUIRE);
		size_t (*input)(const char *, size_t) = __atomic_load_n(&con.input, __ATOMIC_ACQUIRE);

		if (input)
			taken += con.framed ? console_unframe(buf + taken, n - taken, input) : input(buf + taken, n - taken);
		if (taken < n && rx_hold_unless_resumed(resumes))
			break;
	}
	return taken;
}

void console_rx_resume(void)
{
	irqflags_t flags = spin_lock_irqsave(&con.lock);

	__atomic_store_n(&con.resumes, con.resumes + 1, __ATOMIC_RELEASE);
	if (con.driver && con.driver->rx_hold)
		con.driver->rx_hold(con.dev, false);
	spin_unlock_irqrestore(&con.lock, flags);
}

void console_set_input(size_t (*handler)(const char *buf, size_t n))
{
	__atomic_store_n(&con.input, handler, __ATOMIC_RELEASE);
	console_rx_resume(); /* what came before there was a consumer was held back */
}
