/* Decoding the loads and stores with which guests reach devices (RISC-V Unprivileged ISA, RV64I and C). */
#pragma once

#include <caisson/types.h>

struct mem_insn {
	bool store;
	bool sign;        /* load: sign-extend */
	unsigned size;    /* 1, 2, 4 or 8 bytes */
	unsigned reg;     /* destination of a load, source of a store */
	unsigned length;  /* of the instruction, 2 or 4 bytes */
};

/** Decode an instruction as fetched (16 or 32 bits). @return false: not an integer load or store. */
bool insn_decode(uint32_t insn, struct mem_insn *out);

/**
 * Decode a transformed instruction as htinst gives it ("Transformed Instruction or Pseudoinstruction for mtinst or
 * htinst"): an instruction word whose bit 1 is clear if it was a compressed one. Inline: it is on the path of every
 * device access. @return false: zero, a pseudoinstruction, or not an integer load or store.
 */
static inline bool insn_decode_htinst(uint64_t htinst, struct mem_insn *out)
{
	unsigned opcode = htinst & 0x7d, funct3 = htinst >> 12 & 7;

	out->length = 2 + (htinst & 2);
	out->size = 1u << (funct3 & 3);
	out->store = opcode == 0x21;
	if (out->store) {
		out->sign = false;
		out->reg = htinst >> 20 & 31;
		return funct3 <= 3;
	}
	out->sign = !(funct3 & 4);
	out->reg = htinst >> 7 & 31;
	return opcode == 0x01 && funct3 != 7;
}
