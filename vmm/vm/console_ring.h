/*
 * The scrollback of one VM: the last bytes it wrote, and how far they were shown
 * and sent. Positions count the bytes that it ever wrote. No locks: the console
 * multiplexer has one for all rings.
 */
#pragma once

#include <caisson/time.h>
#include <caisson/types.h>

#define CONSOLE_RING_DEFAULT 16384
#define CONSOLE_GATHER 64 /* single bytes that go on together at most */

struct vm;

struct console_ring {
	uint64_t head;   /* end of what was written */
	uint64_t seen;   /* what is before it was shown, or is counted as lost */
	uint64_t at;     /* while somebody looks: what is shown next; never after sent */
	uint64_t sent;   /* what is before it left on the VM's own channel, or never will */
	uint64_t gap;    /* bytes overwritten unseen since they were last spoken of */
	uint64_t lost;   /* the same, ever */
	uint32_t size;   /* a power of two */
	struct console_gather {
		struct timer timer;
		struct vm *vm;
		bool armed;      /* the timer is */
		uint32_t n;
		char bytes[CONSOLE_GATHER];
	} gather;        /* written byte by byte after all of these: not in the ring yet (console_mux.c) */
	char bytes[];
};

/** @return a ring of so many bytes (a power of two), or NULL. */
struct console_ring *console_ring_new(uint32_t size);
/** Add bytes; the oldest go. The caller sees to it that nothing goes that still has to be sent or shown. */
void console_ring_put(struct console_ring *r, const char *buf, size_t n);
/** A piece of what is kept from `at` on, with *n bytes at most. @return where it is; *n: how much is in one piece. */
const char *console_ring_piece(const struct console_ring *r, uint64_t at, size_t *n);
/** Position of the oldest byte that is kept. */
uint64_t console_ring_oldest(const struct console_ring *r);
/** Where the last so many lines before `end` begin, at most `bytes` back. One that is not ended counts. */
uint64_t console_ring_lines(const struct console_ring *r, uint64_t end, unsigned lines, uint64_t bytes);
