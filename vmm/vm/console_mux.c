/* The console multiplexer: output. Its input is in console_input.c. */
#include "console_mux_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <caisson/console.h>
#include <caisson/log.h>
#include <caisson/mm.h>
#include <caisson/task.h>
#include <caisson/time.h>
#include <vmm/console_mux.h>
#include <vmm/vm.h>

#include "console_ring.h"

#define LOG_NAME "console"
#define CHUNK 256          /* bytes that leave a ring with interrupts off */
#define PUMP_MAX 1024      /* bytes that one interrupt moves */
#define CONTEXT_LINES 8    /* shown again on attach, if so few are new */
#define CONTEXT_BYTES 2048
#define REDRAW_BYTES 256
#define SETTLE_US 1000
#define GATHER_US 1000     /* a byte that was written alone waits for others so long at most */

struct console_mux mux;

static struct console_ring *ring_of(const struct vm *vm)
{
	return mux.rings[vm->config->number];
}

static bool is_shown(const struct vm *vm)
{
	return mux.batch || vm == __atomic_load_n(&mux.attached, __ATOMIC_RELAXED);
}

/* Where the next byte comes from that the line is to have. */
static uint64_t next_out(const struct vm *vm, const struct console_ring *r)
{
	if (is_shown(vm))
		return r->at;
	return vm->config->console_log ? r->sent : r->head;
}

/*
 * Without the lock: who asks has just written, or was asked to wait and looks again under its device's lock, which
 * vuart_output_ready takes after the last byte has gone (vuart.c).
 */
static bool is_slow(const struct vm *vm, const struct console_ring *r)
{
	return next_out(vm, r) != __atomic_load_n(&r->head, __ATOMIC_RELAXED);
}

bool console_mux_slow(const struct vm *vm)
{
	const struct console_ring *r = ring_of(vm);

	return r && is_slow(vm, r);
}

/* --- from the rings to the line --- */

static void note_sent(const struct vm *vm, struct console_ring *r, size_t n)
{
	if (!is_shown(vm)) {
		r->sent += n;
		return;
	}
	r->at += n;
	r->seen = MAX(r->seen, r->at);
	r->sent = MAX(r->sent, r->at);
}

/* Send one piece, and tell the VM when it was the last. Lock held. @return bytes. */
static size_t pump_vm(struct vm *vm, struct console_ring *r)
{
	unsigned number = vm->config->number, channel = CONSOLE_HIDDEN + number;
	uint64_t from = next_out(vm, r);
	size_t n = CHUNK;
	const char *piece;

	if (from == r->head)
		return 0;
	if (is_shown(vm)) {
		channel = from < r->sent ? CONSOLE_MONITOR : CONSOLE_VM + number;
		n = from < r->sent ? MIN(n, r->sent - from) : n;
	}
	piece = console_ring_piece(r, from, &n);
	n = console_try_write(channel, piece, n);
	note_sent(vm, r, n);
	if (n && next_out(vm, r) == r->head)
		vm_console_ready(vm);
	return n;
}

static bool must_wait_for_line(const struct vm *vm)
{
	return is_shown(vm) || vm->config->console_log;
}

/* How much may be written now: a VM that the line holds up must not overwrite what waits. */
static size_t room_in(const struct vm *vm, const struct console_ring *r)
{
	return must_wait_for_line(vm) ? r->size - (r->head - next_out(vm, r)) : SIZE_MAX;
}

/* All that waits, in pieces, as long as the line takes them; what is left then leaves when it has room. Lock held. */
static void pump_whole(struct vm *vm, struct console_ring *r)
{
	size_t n, total = 0;

	do {
		n = pump_vm(vm, r);
		total += n;
	} while (n && total < PUMP_MAX);
	if (unlikely(n))
		console_want_room();
}

/* Lock held. @return bytes taken. */
static size_t keep(struct vm *vm, struct console_ring *r, const char *buf, size_t n)
{
	n = MIN(n, room_in(vm, r));
	console_ring_put(r, buf, n);
	if (must_wait_for_line(vm))
		pump_whole(vm, r);
	else
		r->sent = r->head;
	return n;
}

/*
 * Bytes that are written one by one are gathered to a line, or for a moment: each way to the line costs as much as
 * dozens of bytes. While any are gathered nothing waits in the ring; so they are sent before anything else of the VM is
 * written or looked at. Lock held.
 */
static void flush_locked(struct console_ring *r)
{
	struct vm *vm = r->gather.vm;
	size_t n = r->gather.n, taken = 0;

	if (n == 0)
		return;
	r->gather.n = 0;
	if (r->gather.armed) { /* else it would make the hart's own timer dearer for a moment, for nothing */
		r->gather.armed = false;
		timer_cancel(&r->gather.timer);
	}
	if (mux.batch)
		taken = console_try_write(CONSOLE_VM + vm->config->number, r->gather.bytes, n);
	if (taken < n)
		(void)!keep(vm, r, r->gather.bytes + taken, n - taken); /* there is room: nothing waited */
}

/* The VM's ring, with all in it that it has written; NULL: it has none, or vm is NULL. Lock held. */
static struct console_ring *whole_ring(const struct vm *vm)
{
	struct console_ring *r = vm ? ring_of(vm) : NULL;

	if (r)
		flush_locked(r);
	return r;
}

static void flush(struct vm *vm)
{
	irqflags_t flags = spin_lock_irqsave(&mux.lock);

	(void)whole_ring(vm);
	spin_unlock_irqrestore(&mux.lock, flags);
}

/* Lock held. r may be gone: it is only compared. */
static bool is_there(const struct console_ring *r)
{
	for (unsigned i = 0; i < CONSOLE_VMS; i++)
		if (mux.rings[i] == r)
			return true;
	return false;
}

/*
 * While this waits for the lock, another hart may flush, arm the timer again and see the VM go: who takes the ring
 * away waits for the timer's last hart only.
 */
static void gathered_long_enough(struct timer *t)
{
	struct console_ring *r = container_of(t, struct console_ring, gather.timer);
	irqflags_t flags = spin_lock_irqsave(&mux.lock);

	if (likely(is_there(r)))
		flush_locked(r);
	spin_unlock_irqrestore(&mux.lock, flags);
}

/* Lock held; nothing waits. */
static void gather(struct console_ring *r, char byte)
{
	struct console_gather *g = &r->gather;

	g->bytes[g->n++] = byte;
	if (byte == '\n' || g->n == CONSOLE_GATHER || g->vm->config->exclusive) { /* no timer's interrupt for its own hart */
		flush_locked(r);
	} else if (!g->armed) {
		g->armed = true;
		timer_arm(&g->timer, time_now() + time_from_us(GATHER_US));
	}
}

/* A piece of the next VM's in turn that has something and finds room. @return bytes. */
static size_t pump_next(void)
{
	static unsigned turn;
	irqflags_t flags = spin_lock_irqsave(&mux.lock);
	size_t n = 0;

	for (unsigned i = 0; n == 0 && i < CONSOLE_VMS; i++) {
		turn = (turn + 1) % CONSOLE_VMS;
		if (mux.rings[turn])
			n = pump_vm(mux.vms[turn], mux.rings[turn]);
	}
	spin_unlock_irqrestore(&mux.lock, flags);
	return n;
}

/* Until the line is full or nothing waits. */
static void pump_all(void)
{
	while (pump_next())
		;
}

/* The line has room: so much at a time, the rest with the next interrupt. */
static void on_room(void)
{
	size_t n, total = 0;

	do {
		n = pump_next();
		total += n;
	} while (n && total < PUMP_MAX);
	if (n)
		console_want_room();
}

void console_mux_settle(struct vm *vm)
{
	flush(vm);
	while (console_mux_slow(vm)) {
		pump_all();
		if (console_mux_slow(vm))
			task_sleep_until(time_now() + time_from_us(SETTLE_US));
	}
}

/* --- from the guest to its ring --- */

/* @return bytes taken. */
static size_t keep_and_pump(struct vm *vm, const char *buf, size_t n)
{
	irqflags_t flags = spin_lock_irqsave(&mux.lock);
	struct console_ring *r = whole_ring(vm); /* another vCPU may have written a byte just now */

	if (r)
		n = keep(vm, r, buf, n);
	spin_unlock_irqrestore(&mux.lock, flags);
	return n;
}

/* Under --batch nobody can ask for what was shown: it need not be kept unless it has to wait. @return bytes taken. */
static size_t straight(const struct vm *vm, const char *buf, size_t n)
{
	return mux.batch ? console_try_write(CONSOLE_VM + vm->config->number, buf, n) : 0;
}

/* Lock held. */
static enum vdev_output put_locked(struct vm *vm, struct console_ring *r, char byte)
{
	if (unlikely(is_slow(vm, r)) || !must_wait_for_line(vm)) {
		if (keep(vm, r, &byte, 1) == 0)
			return VDEV_FULL;
	} else {
		gather(r, byte);
	}
	return unlikely(is_slow(vm, r)) ? VDEV_SLOW : VDEV_TAKEN;
}

enum vdev_output console_mux_put(struct vm *vm, char byte)
{
	irqflags_t flags = spin_lock_irqsave(&mux.lock);
	struct console_ring *r = ring_of(vm);
	enum vdev_output outcome = likely(r) ? put_locked(vm, r, byte) : VDEV_TAKEN;

	spin_unlock_irqrestore(&mux.lock, flags);
	return outcome;
}

size_t console_mux_write(struct vm *vm, const char *buf, size_t n)
{
	const struct console_ring *r = ring_of(vm);
	size_t taken;

	if (r && unlikely(r->gather.n))
		flush(vm);
	if (r && unlikely(is_slow(vm, r)))
		return 0;
	taken = straight(vm, buf, n);
	return likely(taken == n) ? n : taken + keep_and_pump(vm, buf + taken, n - taken);
}

/* --- coming, going, attaching --- */

void console_mux_init(bool batch)
{
	mux.batch = batch;
	console_mux_input_init();
	console_set_room(on_room);
	console_mark(CONSOLE_MONITOR); /* ready for input (docs/host.md) */
}

int console_mux_add(struct vm *vm)
{
	unsigned number = vm->config->number;
	uint32_t size = vm->config->scrollback ? vm->config->scrollback : CONSOLE_RING_DEFAULT;
	struct console_ring *r;

	if (number >= CONSOLE_VMS)
		return -ENOSPC;
	r = console_ring_new(size);
	if (!r)
		return -ENOMEM;
	timer_init(&r->gather.timer, gathered_long_enough);
	r->gather.vm = vm;
	mux.dropped[number] = 0;
	mux.vms[number] = vm;
	__atomic_store_n(&mux.rings[number], r, __ATOMIC_RELEASE);
	return 0;
}

void console_mux_remove(struct vm *vm)
{
	unsigned number = vm->config->number;
	struct console_ring *r = NULL;
	irqflags_t flags;

	if (number >= CONSOLE_VMS)
		return;
	flags = spin_lock_irqsave(&mux.lock);
	if (mux.vms[number] == vm) {
		r = whole_ring(vm);
		mux.rings[number] = NULL;
		mux.vms[number] = NULL;
	}
	if (mux.attached == vm)
		mux.attached = NULL;
	spin_unlock_irqrestore(&mux.lock, flags);
	if (r && r->head != r->seen && !mux.batch && !vm->config->console_log)
		log_info("%s: %lu bytes that it wrote to its console go unseen", vm->config->name,
			 (unsigned long)(r->head - r->seen));
	if (r)
		timer_cancel_sync(&r->gather.timer);
	kfree(r);
}

/* What it wrote and did not get out is shown when somebody looks again. Lock held. */
static void detach(struct vm *vm)
{
	struct console_ring *r = ring_of(vm);

	mux.attached = NULL;
	if (r && next_out(vm, r) == r->head)
		vm_console_ready(vm);
}

static void say_gap(const struct vm *vm, struct console_ring *r)
{
	const char *what = vm->config->console_log ? "left out: they are in the log file" : "lost";
	char text[80];
	int n;

	if (!r->gap)
		return;
	n = snprintf(text, sizeof(text), "[%lu bytes %s]\r\n", (unsigned long)r->gap, what);
	console_write(CONSOLE_MONITOR, text, (size_t)n);
	r->gap = 0;
}

/* From the beginning of the line that nobody has seen the end of, or of the last lines. Lock held. */
static void show_from(struct vm *vm, struct console_ring *r)
{
	uint64_t context = console_ring_lines(r, r->head, CONTEXT_LINES, CONTEXT_BYTES);
	uint64_t line = console_ring_lines(r, r->seen, 1, REDRAW_BYTES);

	if (line == r->seen || r->bytes[(r->seen - 1) & (r->size - 1)] == '\n')
		line = r->seen;
	say_gap(vm, r);
	r->at = MIN(line, context);
	if (!vm->config->console_log)
		r->sent = r->head;
}

static void switch_to(struct vm *vm)
{
	struct vm *before = mux.attached;

	mux.left = false;
	(void)whole_ring(before);
	(void)whole_ring(vm);
	if (vm)
		console_mux_tell_size(vm);
	if (mux.batch || vm == before) {
		mux.attached = vm;
		return;
	}
	if (before)
		detach(before);
	if (!vm || !ring_of(vm))
		return;
	show_from(vm, ring_of(vm));
	__atomic_store_n(&mux.attached, vm, __ATOMIC_RELEASE);
}

void console_mux_attach(struct vm *vm)
{
	irqflags_t flags = spin_lock_irqsave(&mux.lock);

	switch_to(vm);
	spin_unlock_irqrestore(&mux.lock, flags);
	console_rx_resume();
	if (vm)
		pump_all();
}

struct vm *console_mux_attached(void)
{
	return mux.attached;
}

/* Only as far as it was shown: what still waits comes by itself. */
void console_mux_redraw(void)
{
	irqflags_t flags = spin_lock_irqsave(&mux.lock);
	const struct console_ring *r = whole_ring(mux.attached);
	uint64_t at = r ? console_ring_lines(r, r->at, 1, REDRAW_BYTES) : 0;

	if (r && r->at != at && r->bytes[(r->at - 1) & (r->size - 1)] != '\n') {
		while (at < r->at) {
			size_t n = r->at - at;
			const char *piece = console_ring_piece(r, at, &n);

			console_write(CONSOLE_MONITOR, piece, n);
			at += n;
		}
	}
	spin_unlock_irqrestore(&mux.lock, flags);
}

/* --- what is kept --- */

void console_mux_stats(const struct vm *vm, struct console_stats *stats)
{
	irqflags_t flags = spin_lock_irqsave(&mux.lock);
	const struct console_ring *r = whole_ring(vm);

	*stats = (struct console_stats){ 0 };
	if (r) {
		stats->size = r->size;
		stats->unseen = r->head - r->seen;
		stats->lost = r->lost;
		stats->dropped = mux.dropped[vm->config->number];
	}
	spin_unlock_irqrestore(&mux.lock, flags);
}

uint64_t console_mux_tail(const struct vm *vm, unsigned lines)
{
	irqflags_t flags = spin_lock_irqsave(&mux.lock);
	const struct console_ring *r = whole_ring(vm);
	uint64_t at = r && lines ? console_ring_lines(r, r->head, lines, r->size) : UINT64_MAX;

	spin_unlock_irqrestore(&mux.lock, flags);
	return at;
}

size_t console_mux_copy(const struct vm *vm, uint64_t *at, char *buf, size_t n)
{
	irqflags_t flags = spin_lock_irqsave(&mux.lock);
	const struct console_ring *r = whole_ring(vm);

	if (r && *at < r->head) {
		const char *piece;

		*at = MAX(*at, console_ring_oldest(r));
		piece = console_ring_piece(r, *at, &n);
		memcpy(buf, piece, n);
		*at += n;
	} else {
		n = 0;
	}
	spin_unlock_irqrestore(&mux.lock, flags);
	return n;
}
