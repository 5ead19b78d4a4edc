/* CRC-32 as in Ethernet, zlib and GPT. */
#pragma once

#include <caisson/types.h>

/** Go on with a sum: 0 at first. */
uint32_t crc32_add(uint32_t sum, const void *data, size_t n);
