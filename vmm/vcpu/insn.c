/* Loads and stores as fetched, brought into the transformed form. */
#include "insn.h"

#define LOAD 0x03
#define STORE 0x23
#define NOT_COMPRESSED 2

static uint32_t make(bool store, unsigned funct3, unsigned reg)
{
	return (store ? STORE : LOAD) | funct3 << 12 | reg << (store ? 20 : 7);
}

static uint32_t transform32(uint32_t insn)
{
	bool store = (insn & 0x7f) == STORE;
	unsigned funct3 = insn >> 12 & 7;

	if (store ? funct3 > 3 : (insn & 0x7f) != LOAD || funct3 == 7)
		return 0;
	return make(store, funct3, insn >> (store ? 20 : 7) & 31);
}

/* C.LW, C.LD, C.SW, C.SD and their stack-pointer forms; Zcb's are not offered to guests. */
static uint32_t transform16(uint32_t insn)
{
	unsigned quadrant = insn & 3, op = insn >> 13 & 7;
	bool store = op & 4;
	unsigned funct3 = op & 1 ? 3 : 2;
	unsigned reg;

	if ((op & 3) < 2)
		return 0;
	if (quadrant == 0)
		reg = 8 + (insn >> 2 & 7);
	else if (quadrant == 2)
		reg = insn >> (store ? 2 : 7) & 31;
	else
		return 0;
	if (quadrant == 2 && !store && reg == 0)
		return 0; /* reserved */
	return make(store, funct3, reg) & ~(uint32_t)NOT_COMPRESSED;
}

uint32_t insn_transform(uint32_t insn)
{
	return (insn & 3) == 3 ? transform32(insn) : transform16(insn);
}
