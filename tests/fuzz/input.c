/* Words of an input: values that are more often at a corner than bytes at random would be. */
#include "fuzz.h"

/* Where things are; corners; far away. */
uint64_t take_address(struct input *in)
{
	static const uint64_t corners[] = {
		0, RAM - 1, RAM, RAM + RAM_SIZE - 1, RAM + RAM_SIZE, RAM + RAM_SIZE - 8, RAM + RAM_SIZE - 4096, UINT64_MAX,
		UINT64_MAX - 15, UINT64_C(1) << 63, 0x10001000, RAM + RAM_REAL - 4, RAM + RAM_SIZE - 16, UINT32_MAX,
	};
	uint16_t c = take16(in), low = c & 0x1fff;

	switch (c >> 13) {
	case 0:
	case 1:
	case 2:
		return DATA + low * 23u;
	case 3:
		return DATA + (low & 31) * PAGE_SIZE + PAGE_SIZE - (low >> 5);
	case 4:
		return RAM + low * 8u;
	case 5:
		return TABLES + low % TABLES_SIZE;
	case 6:
		return RAM + ((uint64_t)low << 21) + (low & 7);
	default:
		return corners[low % ARRAY_SIZE(corners)];
	}
}

uint32_t take_length(struct input *in)
{
	static const uint32_t some[] = {
		0, 200, 255, 256, 511, 512, 513, 528, 1023, 1024, 1500, 1514, 1526, 2048, 4095, 4096, 4097, 8192, 10000,
		16384, 32768, 65535, 65536, 65562, 100000, 262144, 1u << 20, 1u << 30, 0x7fffffff, 0x80000000, 0xfffffff0, UINT32_MAX,
	};
	uint8_t c = take8(in);

	return c < 160 ? c : some[(c - 160u) % ARRAY_SIZE(some)];
}

/* Values for a register: small ones, corners, halves of addresses. */
uint32_t take_value(struct input *in)
{
	uint8_t how = take8(in);

	switch (how % 4) {
	case 0:
		return how / 4 & 15;
	case 1:
		return take8(in);
	case 2:
		return take_length(in);
	default:
		return (uint32_t)(take_address(in) >> (how & 4 ? 32 : 0));
	}
}
