/* Walking through a request's segments. */
#include "segments.h"

#include <string.h>

/* The rest of the present segment, n bytes at most, is taken. @return its first byte. */
static void *take(struct segs *at, uint64_t n, uint32_t *len)
{
	char *data = (char *)at->seg->data + at->offset;

	*len = (uint32_t)MIN(n, at->seg->len - at->offset);
	at->offset += *len;
	if (at->offset == at->seg->len) {
		at->seg++;
		at->offset = 0;
	}
	return data;
}

void segs_get(struct segs *at, void *to, uint64_t n)
{
	uint32_t len;

	for (char *p = to; n > 0; n -= len, p += len) {
		const void *from = take(at, n, &len);

		memcpy(p, from, len);
	}
}

void segs_put(struct segs *at, const void *from, uint64_t n)
{
	uint32_t len;

	for (const char *p = from; n > 0; n -= len, p += len) {
		void *to = take(at, n, &len);

		memcpy(to, p, len);
	}
}

void segs_zero(struct segs *at, uint64_t n)
{
	uint32_t len;

	for (; n > 0; n -= len) {
		void *to = take(at, n, &len);

		memset(to, 0, len);
	}
}

unsigned segs_cut(struct segs *at, uint64_t n, struct segment *out)
{
	unsigned i = 0;

	for (; n > 0; n -= out[i++].len)
		out[i].data = take(at, n, &out[i].len);
	return i;
}
