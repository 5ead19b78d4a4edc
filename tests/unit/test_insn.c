/* Loads and stores of guests: every encoding, as fetched and as htinst tells it; nothing else is taken for one. */
// sources: vmm/vcpu/insn.c
#include <caisson/types.h>
#include <test.h>
#include <vmm/vcpu/insn.h>

enum { LOAD = 0x03, STORE = 0x23, LOAD_FP = 0x07, STORE_FP = 0x27, AMO = 0x2f };

static const struct {
	unsigned funct3, size;
	bool sign;
} loads[] = {
	{ 0, 1, true }, { 1, 2, true }, { 2, 4, true }, { 3, 8, true },
	{ 4, 1, false }, { 5, 2, false }, { 6, 4, false },
};

static uint32_t i_type(unsigned opcode, unsigned funct3, unsigned rd, unsigned rs1, unsigned imm)
{
	return opcode | rd << 7 | funct3 << 12 | rs1 << 15 | (imm & 0xfff) << 20;
}

static uint32_t s_type(unsigned opcode, unsigned funct3, unsigned rs1, unsigned rs2, unsigned imm)
{
	return opcode | (imm & 31) << 7 | funct3 << 12 | rs1 << 15 | rs2 << 20 | (imm >> 5 & 0x7f) << 25;
}

static void is_load(uint64_t t, unsigned size, unsigned reg, unsigned length)
{
	assert_true(insn_is_load(t));
	assert_false(insn_is_store(t));
	assert_int_equal(insn_size(t), size);
	assert_int_equal(insn_rd(t), reg);
	assert_int_equal(insn_length(t), length);
}

static void is_store(uint64_t t, unsigned size, unsigned reg, unsigned length)
{
	assert_true(insn_is_store(t));
	assert_false(insn_is_load(t));
	assert_int_equal(insn_size(t), size);
	assert_int_equal(insn_rs2(t), reg);
	assert_int_equal(insn_length(t), length);
}

static void is_neither(uint64_t t)
{
	assert_false(insn_is_load(t));
	assert_false(insn_is_store(t));
}

static void every_load(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(loads); i++) {
		for (unsigned reg = 0; reg < 32; reg++) {
			uint32_t insn = i_type(LOAD, loads[i].funct3, reg, 31 - reg, 0x7ff * (reg & 1) + reg);

			is_load(insn_transform(insn), loads[i].size, reg, 4);
			/* htinst: the same without base register and offset; compressed ones without bit 1 */
			is_load(i_type(LOAD, loads[i].funct3, reg, 0, 0), loads[i].size, reg, 4);
			is_load(i_type(LOAD, loads[i].funct3, reg, 0, 0) & ~2u, loads[i].size, reg, 2);
		}
	}
	is_neither(insn_transform(i_type(LOAD, 7, 5, 6, 0)));
}

static void every_store(void **state)
{
	(void)state;
	for (unsigned funct3 = 0; funct3 < 8; funct3++) {
		for (unsigned reg = 0; reg < 32; reg++) {
			uint32_t insn = s_type(STORE, funct3, 31 - reg, reg, 0xfff - reg);
			uint32_t transformed = s_type(STORE, funct3, 0, reg, 0);

			if (funct3 > 3) {
				is_neither(insn_transform(insn));
				is_neither(transformed);
				continue;
			}
			is_store(insn_transform(insn), 1u << funct3, reg, 4);
			is_store(transformed, 1u << funct3, reg, 4);
			is_store(transformed & ~2u, 1u << funct3, reg, 2);
		}
	}
}

/* C.LW rd', C.SW rs2' and the 64-bit forms: quadrant 0, x8 to x15; the upper half of the word is other code. */
static void compressed_with_a_base(void **state)
{
	(void)state;
	for (unsigned reg = 8; reg < 16; reg++) {
		uint32_t low = 0xabcd1fe0 | (reg - 8) << 2; /* all offset and base bits set: they do not matter */

		is_load(insn_transform(low | 2u << 13), 4, reg, 2);
		is_load(insn_transform(low | 3u << 13), 8, reg, 2);
		is_store(insn_transform(low | 6u << 13), 4, reg, 2);
		is_store(insn_transform(low | 7u << 13), 8, reg, 2);
		for (unsigned op = 0; op < 6; op++)
			if (op != 2 && op != 3) /* C.ADDI4SPN, C.FLD, reserved (Zcb), C.FSD */
				is_neither(insn_transform(low | op << 13));
	}
}

/* C.LWSP, C.SWSP and the 64-bit forms: quadrant 2, any register. */
static void compressed_on_the_stack(void **state)
{
	(void)state;
	for (unsigned reg = 0; reg < 32; reg++) {
		uint32_t load = 0x1002 | reg << 7, store = 0x1e02 | reg << 2;

		if (reg) {
			is_load(insn_transform(load | 2u << 13), 4, reg, 2);
			is_load(insn_transform(load | 3u << 13), 8, reg, 2);
		} else { /* reserved */
			is_neither(insn_transform(load | 2u << 13));
			is_neither(insn_transform(load | 3u << 13));
		}
		is_store(insn_transform(store | 6u << 13), 4, reg, 2);
		is_store(insn_transform(store | 7u << 13), 8, reg, 2);
		for (unsigned op = 0; op < 6; op++)
			if (op != 2 && op != 3) /* C.SLLI, C.FLDSP, C.JR and others, C.FSDSP */
				is_neither(insn_transform(load | op << 13));
	}
}

static void no_other_instruction(void **state)
{
	static const uint64_t pseudo[] = { 0, 0x2000, 0x2020, 0x3000, 0x3020 };

	(void)state;
	for (unsigned funct3 = 0; funct3 < 8; funct3++) {
		for (unsigned i = 0; i < 3; i++) {
			unsigned opcode = (unsigned[]){ LOAD_FP, STORE_FP, AMO }[i];

			is_neither(insn_transform(i_type(opcode, funct3, 5, 6, 0)));
			is_neither(i_type(opcode, funct3, 5, 0, 0));
			is_neither(i_type(opcode, funct3, 5, 0, 0) & ~2u);
		}
	}
	for (unsigned op = 0; op < 8; op++)
		is_neither(insn_transform(0x1ffd | op << 13)); /* quadrant 1 */
	for (unsigned i = 0; i < ARRAY_SIZE(pseudo); i++) /* faults of the guest's own table walk */
		is_neither(pseudo[i]);
}

static bool looks_right(uint32_t insn)
{
	unsigned funct3 = insn >> 12 & 7, op = insn >> 13 & 7, quadrant = insn & 3;

	if (quadrant == 3)
		return ((insn & 0x7f) == LOAD && funct3 != 7) || ((insn & 0x7f) == STORE && funct3 < 4);
	if (quadrant == 1 || (op & 3) < 2)
		return false;
	return quadrant == 0 || op >= 6 || (insn >> 7 & 31);
}

static void any_word_is_decided_alike(void **state)
{
	uint64_t seed = 1;
	unsigned taken = 0;

	(void)state;
	for (unsigned i = 0; i < 1000000; i++) {
		uint32_t insn = (uint32_t)mock_random(&seed);
		uint32_t t = insn_transform(insn);

		assert_int_equal(insn_is_load(t) || insn_is_store(t), looks_right(insn));
		if (!t)
			continue;
		taken++;
		assert_int_equal(insn_is_load(t) + insn_is_store(t), 1);
		assert_int_equal(t & 0xf8000, 0); /* no base register: htinst has an offset there */
		assert_int_equal(t & ~(insn_is_load(t) ? UINT32_C(0x7fff) : UINT32_C(0x1f0707f)), 0);
		assert_int_equal(insn_length(t), (insn & 3) == 3 ? 4 : 2);
	}
	assert_true(taken > 10000);
}

static void values_are_extended(void **state)
{
	const uint64_t value = UINT64_C(0x8182838485868788);

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(loads); i++) {
		uint64_t got = insn_extend(i_type(LOAD, loads[i].funct3, 1, 0, 0), value);
		uint64_t kept = loads[i].size == 8 ? ~UINT64_C(0) : BIT(8 * loads[i].size) - 1;

		assert_int_equal(got & kept, value & kept);
		assert_int_equal(got | kept, loads[i].sign ? ~UINT64_C(0) : kept);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_load),
		cmocka_unit_test(every_store),
		cmocka_unit_test(compressed_with_a_base),
		cmocka_unit_test(compressed_on_the_stack),
		cmocka_unit_test(no_other_instruction),
		cmocka_unit_test(any_word_is_decided_alike),
		cmocka_unit_test(values_are_extended),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
