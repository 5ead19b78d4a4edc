/*
 * memcpy, memmove, memset and memcmp by words. picolibc's go byte by byte, at
 * four to seven instructions each, and a guest's kernel has 30 MB of them. These
 * take the C library's place when the kernel is linked.
 *
 * Files of an initrd are aligned to 4 bytes and RAM to pages, so copies between
 * the two go by 4 bytes where they cannot go by 8.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Else the compiler would see what these loops do, and make them calls of themselves. */
#pragma GCC optimize("no-tree-loop-distribute-patterns")

#define WORD sizeof(uint64_t)
#define HALF sizeof(uint32_t)
#define BLOCK (8 * WORD)

/** The largest unit in which two addresses can both be aligned: 8, 4 or 1. */
static size_t common_unit(const void *a, const void *b)
{
	uintptr_t differ = (uintptr_t)a ^ (uintptr_t)b;

	if (differ % WORD == 0)
		return WORD;
	return differ % HALF == 0 ? HALF : 1;
}

/** Bytes up to the next multiple of the unit, at most n. */
static size_t bytes_to_unit(const void *a, size_t unit, size_t n)
{
	size_t head = -(uintptr_t)a % unit;

	return head < n ? head : n;
}

/* --- upwards ------------------------------------------------------------------------ */

static void copy_bytes(uint8_t *to, const uint8_t *from, size_t n)
{
	for (size_t i = 0; i < n; i++)
		to[i] = from[i];
}

static void copy_halves(void *to, const void *from, size_t n)
{
	const uint32_t *f = from;
	uint32_t *t = to;

	for (; n >= 4; n -= 4, t += 4, f += 4) {
		uint32_t a = f[0], b = f[1], c = f[2], d = f[3];

		t[0] = a;
		t[1] = b;
		t[2] = c;
		t[3] = d;
	}
	while (n--)
		*t++ = *f++;
}

static void copy_words(void *to, const void *from, size_t n)
{
	const uint64_t *f = from;
	uint64_t *t = to;

	for (; n >= 8; n -= 8, t += 8, f += 8) {
		uint64_t a = f[0], b = f[1], c = f[2], d = f[3];
		uint64_t e = f[4], g = f[5], h = f[6], i = f[7];

		t[0] = a;
		t[1] = b;
		t[2] = c;
		t[3] = d;
		t[4] = e;
		t[5] = g;
		t[6] = h;
		t[7] = i;
	}
	while (n--)
		*t++ = *f++;
}

/*
 * Reads no byte after a higher one was written, so it also serves moves downwards. It must not be part of a function
 * whose pointers are `restrict`: the compiler could then read ahead of its own stores.
 */
static void __attribute__((noinline)) copy_up(uint8_t *to, const uint8_t *from, size_t n)
{
	size_t unit = common_unit(to, from), head = bytes_to_unit(to, unit, n), units;

	if (unit == 1 || n < 2 * WORD) {
		copy_bytes(to, from, n);
		return;
	}
	copy_bytes(to, from, head);
	units = (n - head) / unit;
	if (unit == WORD)
		copy_words(to + head, from + head, units);
	else
		copy_halves(to + head, from + head, units);
	head += units * unit;
	copy_bytes(to + head, from + head, n - head);
}

void *memcpy(void *restrict to, const void *restrict from, size_t n)
{
	copy_up(to, from, n);
	return to;
}

/* --- downwards ------------------------------------------------------------------------ */

static void copy_bytes_down(uint8_t *to_end, const uint8_t *from_end, size_t n)
{
	while (n--)
		*--to_end = *--from_end;
}

static void copy_words_down(void *to_end, const void *from_end, size_t n)
{
	const uint64_t *f = from_end;
	uint64_t *t = to_end;

	for (; n >= 4; n -= 4) {
		f -= 4;
		t -= 4;
		uint64_t a = f[0], b = f[1], c = f[2], d = f[3];

		t[3] = d;
		t[2] = c;
		t[1] = b;
		t[0] = a;
	}
	while (n--)
		*--t = *--f;
}

static void copy_down(uint8_t *to, const uint8_t *from, size_t n)
{
	size_t tail = (uintptr_t)(to + n) % WORD, words;

	if (common_unit(to, from) != WORD || n < 2 * WORD) {
		copy_bytes_down(to + n, from + n, n);
		return;
	}
	copy_bytes_down(to + n, from + n, tail);
	n -= tail;
	words = n / WORD;
	copy_words_down(to + n, from + n, words);
	n -= words * WORD;
	copy_bytes_down(to + n, from + n, n);
}

void *memmove(void *to, const void *from, size_t n)
{
	if ((uintptr_t)to - (uintptr_t)from >= n)
		copy_up(to, from, n);
	else
		copy_down(to, from, n);
	return to;
}

/* --- fill and compare ------------------------------------------------------------------ */

static void fill_words(void *to, uint64_t word, size_t n)
{
	uint64_t *t = to;

	for (; n >= 8; n -= 8, t += 8) {
		t[0] = word;
		t[1] = word;
		t[2] = word;
		t[3] = word;
		t[4] = word;
		t[5] = word;
		t[6] = word;
		t[7] = word;
	}
	while (n--)
		*t++ = word;
}

static void fill_bytes(uint8_t *to, uint8_t byte, size_t n)
{
	for (size_t i = 0; i < n; i++)
		to[i] = byte;
}

void *memset(void *to, int value, size_t n)
{
	size_t head = bytes_to_unit(to, WORD, n), words = (n - head) / WORD;
	uint8_t *t = to, byte = (uint8_t)value;

	fill_bytes(t, byte, head);
	fill_words(t + head, byte * UINT64_C(0x0101010101010101), words);
	head += words * WORD;
	fill_bytes(t + head, byte, n - head);
	return to;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const uint8_t *p = a, *q = b;

	/* The differing bytes themselves are found below, byte by byte. */
	if (common_unit(a, b) == WORD && (uintptr_t)a % WORD == 0)
		for (; n >= WORD && *(const uint64_t *)p == *(const uint64_t *)q; n -= WORD) {
			p += WORD;
			q += WORD;
		}
	for (; n; n--, p++, q++)
		if (*p != *q)
			return *p - *q;
	return 0;
}
