/* Records of the journal. */
#include "record.h"

#include <string.h>

#define CRC_POLYNOMIAL 0xedb88320u

uint64_t mix(uint64_t x)
{
	x += 0x9e3779b97f4a7c15ul;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ul;
	x = (x ^ x >> 27) * 0x94d049bb133111ebul;
	return x ^ x >> 31;
}

static uint32_t crc_of_byte(uint32_t byte)
{
	for (unsigned bit = 0; bit < 8; bit++)
		byte = byte & 1 ? byte >> 1 ^ CRC_POLYNOMIAL : byte >> 1;
	return byte;
}

static uint32_t crc32(const void *data, uint32_t len)
{
	static uint32_t table[256];
	const uint8_t *bytes = data;
	uint32_t crc = ~0u;

	for (unsigned i = 0; !table[255] && i < 256; i++)
		table[i] = crc_of_byte(i);
	for (uint32_t i = 0; i < len; i++)
		crc = table[(crc ^ bytes[i]) & 0xff] ^ crc >> 8;
	return ~crc;
}

unsigned record_count(uint64_t number)
{
	return 1 + mix(number) % RECORD_SECTORS;
}

static void make_sector(struct record_sector *s, uint64_t number, uint32_t boot, uint32_t index)
{
	uint64_t first = mix(number * RECORD_SECTORS + index);

	*s = (struct record_sector){ RECORD_MAGIC, number, index, record_count(number), boot, 0, { 0 } };
	for (unsigned i = 0; i < RECORD_FILL; i++)
		s->fill[i] = first + i;
	s->crc = crc32(s, sizeof(*s));
}

void record_make(struct record_sector *sectors, uint64_t number, uint32_t boot)
{
	for (unsigned i = 0; i < record_count(number); i++)
		make_sector(&sectors[i], number, boot, i);
}

uint64_t record_whole(const struct record_sector *sectors)
{
	static struct record_sector wanted[RECORD_SECTORS];
	uint64_t number = sectors[0].number;

	if (sectors[0].magic != RECORD_MAGIC || number == 0)
		return 0;
	record_make(wanted, number, sectors[0].boot);
	return memcmp(wanted, sectors, record_count(number) * sizeof(wanted[0])) ? 0 : number;
}
