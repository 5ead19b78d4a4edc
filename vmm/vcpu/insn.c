/* Decoding loads and stores. */
#include "insn.h"

#define OPCODE_LOAD 0x03
#define OPCODE_STORE 0x23

static bool decode32(uint32_t insn, struct mem_insn *out)
{
	unsigned funct3 = insn >> 12 & 7;

	out->length = 4;
	out->size = 1u << (funct3 & 3);
	switch (insn & 0x7f) {
	case OPCODE_LOAD:
		out->store = false;
		out->sign = !(funct3 & 4);
		out->reg = insn >> 7 & 31;
		return funct3 != 7;
	case OPCODE_STORE:
		out->store = true;
		out->sign = false;
		out->reg = insn >> 20 & 31;
		return funct3 <= 3;
	default:
		return false;
	}
}

/* C.LW, C.LD, C.SW, C.SD and their stack-pointer forms; Zcb's are not offered to guests. */
static bool decode16(uint32_t insn, struct mem_insn *out)
{
	unsigned funct3 = insn >> 13 & 7;
	unsigned quadrant = insn & 3;

	out->length = 2;
	out->size = funct3 & 1 ? 8 : 4;
	out->store = funct3 & 4;
	out->sign = true;
	if (quadrant == 0)
		out->reg = 8 + (insn >> 2 & 7);
	else if (quadrant == 2)
		out->reg = out->store ? insn >> 2 & 31 : insn >> 7 & 31;
	else
		return false;
	return (funct3 & 3) >= 2;
}

bool insn_decode(uint32_t insn, struct mem_insn *out)
{
	return (insn & 3) == 3 ? decode32(insn, out) : decode16(insn, out);
}
