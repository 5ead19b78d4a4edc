/*
 * The loads and stores with which guests reach devices.
 *
 * They are handled in one form, the transformed instruction that htinst gives
 * (Privileged Architecture, "Transformed Instruction or Pseudoinstruction for
 * mtinst or htinst"): the 32-bit load or store, with bit 1 clear if it was a
 * compressed one. The questions are inline: they are asked at every access.
 */
#pragma once

#include <caisson/types.h>

/**
 * The transformed form of an instruction as fetched (16 or 32 bits; RISC-V Unprivileged ISA, RV64I and C).
 * @return 0: not an integer load or store.
 */
uint32_t insn_transform(uint32_t insn);

/*
 * Bits 19 to 15 tell how far into the access the fault is: not 0 for a misaligned one that began before the device.
 * Such an access is none of the device's.
 */

/** Is it an integer load (LB to LWU)? False for 0 and for pseudoinstructions. funct3 is not 7: no such load is executed. */
static inline bool insn_is_load(uint64_t t)
{
	return (t & 0xf807d) == 0x01;
}

/** Is it an integer store (SB to SD)? */
static inline bool insn_is_store(uint64_t t)
{
	return (t & 0xfc07d) == 0x21;
}

/** Register that a load writes. */
static inline unsigned insn_rd(uint64_t t)
{
	return t >> 7 & 31;
}

/** Register that a store reads. */
static inline unsigned insn_rs2(uint64_t t)
{
	return t >> 20 & 31;
}

/** Bytes accessed: 1, 2, 4 or 8. */
static inline unsigned insn_size(uint64_t t)
{
	return 1u << (t >> 12 & 3);
}

/** Length of the original instruction: 2 or 4 bytes. */
static inline unsigned insn_length(uint64_t t)
{
	return 2 + (t & 2);
}

/** What a load puts into its register: the low bytes of value, extended as funct3 says. */
static inline uint64_t insn_extend(uint64_t t, uint64_t value)
{
	unsigned unused = -8 * insn_size(t) % 64; /* the bits above it */

	value <<= unused;
	/* Bit 14 (LBU, LHU, LWU) as a sign: the cheapest way to ask. */
	return (int64_t)(t << 49) < 0 ? value >> unused : (uint64_t)((int64_t)value >> unused);
}
