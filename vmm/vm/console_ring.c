/* The scrollback of one VM. */
#include "console_ring.h"

#include <string.h>

#include <caisson/mm.h>

struct console_ring *console_ring_new(uint32_t size)
{
	struct console_ring *r = kzalloc(sizeof(*r) + size);

	if (r)
		r->size = size;
	return r;
}

uint64_t console_ring_oldest(const struct console_ring *r)
{
	return r->head > r->size ? r->head - r->size : 0;
}

/* What was overwritten before anybody saw it. */
static void count_lost(struct console_ring *r)
{
	uint64_t oldest = console_ring_oldest(r);

	if (r->seen >= oldest)
		return;
	r->gap += oldest - r->seen;
	r->lost += oldest - r->seen;
	r->seen = oldest;
}

void console_ring_put(struct console_ring *r, const char *buf, size_t n)
{
	while (n) {
		size_t at = r->head & (r->size - 1);
		size_t part = MIN(n, r->size - at);

		memcpy(r->bytes + at, buf, part);
		r->head += part;
		buf += part;
		n -= part;
	}
	count_lost(r);
}

const char *console_ring_piece(const struct console_ring *r, uint64_t at, size_t *n)
{
	size_t offset = at & (r->size - 1);

	*n = MIN(*n, MIN(r->head - at, r->size - offset));
	return r->bytes + offset;
}

uint64_t console_ring_lines(const struct console_ring *r, uint64_t end, unsigned lines, uint64_t bytes)
{
	uint64_t oldest = console_ring_oldest(r), at = end;

	while (at > oldest && end - at < bytes) {
		if (r->bytes[(at - 1) & (r->size - 1)] == '\n' && at != end && --lines == 0)
			break;
		at--;
	}
	return at;
}
