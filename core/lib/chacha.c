/* The ChaCha20 block function (RFC 8439, section 2.3). Words are little-endian, as we are. */
#include "chacha.h"

#include <string.h>

#define WORDS 16u
#define DOUBLE_ROUNDS 10u

static uint32_t rotate(uint32_t value, unsigned n)
{
	return value << n | value >> (32 - n);
}

static void quarter(uint32_t *a, uint32_t *b, uint32_t *c, uint32_t *d)
{
	*a += *b; *d = rotate(*d ^ *a, 16);
	*c += *d; *b = rotate(*b ^ *c, 12);
	*a += *b; *d = rotate(*d ^ *a, 8);
	*c += *d; *b = rotate(*b ^ *c, 7);
}

/* Four columns, then four diagonals. */
static void double_round(uint32_t *s)
{
	for (unsigned i = 0; i < 4; i++)
		quarter(&s[i], &s[4 + i], &s[8 + i], &s[12 + i]);
	for (unsigned i = 0; i < 4; i++)
		quarter(&s[i], &s[4 + (i + 1) % 4], &s[8 + (i + 2) % 4], &s[12 + (i + 3) % 4]);
}

void chacha_block(const uint8_t key[CHACHA_KEY], uint32_t counter, const uint8_t nonce[CHACHA_NONCE],
		  uint8_t out[CHACHA_BLOCK])
{
	uint32_t first[WORDS] = { 0x61707865, 0x3320646e, 0x79622d32, 0x6b206574 }, s[WORDS];

	memcpy(&first[4], key, CHACHA_KEY);
	first[12] = counter;
	memcpy(&first[13], nonce, CHACHA_NONCE);
	memcpy(s, first, sizeof(s));
	for (unsigned i = 0; i < DOUBLE_ROUNDS; i++)
		double_round(s);
	for (unsigned i = 0; i < WORDS; i++)
		s[i] += first[i];
	memcpy(out, s, CHACHA_BLOCK);
}
