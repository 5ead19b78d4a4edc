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
 * htinst"). @return false: zero, a pseudoinstruction, or not an integer load or store.
 */
bool insn_decode_htinst(uint64_t htinst, struct mem_insn *out);
