/* The ChaCha20 block function (RFC 8439, section 2.3). */
#pragma once

#include <caisson/types.h>

#define CHACHA_KEY 32   /* bytes */
#define CHACHA_NONCE 12
#define CHACHA_BLOCK 64

/** 64 bytes that only who has the key can say. */
void chacha_block(const uint8_t key[CHACHA_KEY], uint32_t counter, const uint8_t nonce[CHACHA_NONCE],
		  uint8_t out[CHACHA_BLOCK]);
