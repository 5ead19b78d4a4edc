/* CRC-32 as in Ethernet, zlib and GPT. */
#include "crc32.h"

#define POLYNOMIAL 0xedb88320u

uint32_t crc32_add(uint32_t sum, const void *data, size_t n)
{
	const uint8_t *p = data;

	sum = ~sum;
	for (size_t i = 0; i < n; i++) {
		sum ^= p[i];
		for (unsigned bit = 0; bit < 8; bit++)
			sum = sum >> 1 ^ (sum & 1 ? POLYNOMIAL : 0);
	}
	return ~sum;
}
