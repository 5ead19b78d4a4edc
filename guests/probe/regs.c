/* Registers, FP state and CSRs keep their values over many exits. */
#include "probe.h"
#include "regs.h"

#include <string.h>

static uint64_t pattern(uint64_t n)
{
	return (n + 1) * 0x9e3779b97f4a7c15ul;
}

static void fill(uint64_t *words, unsigned n, uint64_t seed)
{
	for (unsigned i = 0; i < n; i++)
		words[i] = pattern(seed * 64 + i);
}

/* @return the first register from 1 to 31 that differs, except those in the mask; 0 if none. */
static unsigned first_difference(const uint64_t *a, const uint64_t *b, uint32_t except)
{
	for (unsigned i = 1; i < 32; i++)
		if (!(except >> i & 1) && a[i] != b[i])
			return i;
	return 0;
}

bool registers_kept_over_call(long ext, long function)
{
	uint64_t in[32], out[32];

	fill(in, 32, ext);
	in[10] = ~0ul;		/* a0: no deadline, no hart, no probe */
	in[11] = 0;
	in[16] = function;
	in[17] = ext;
	registers_ecall(in, out);
	return first_difference(in, out, 3 << 10) == 0;
}

static unsigned round_of_exits(uint64_t seed)
{
	uint64_t in[32], out[32];
	unsigned bad;

	fill(in, 32, seed);
	in[16] = 0;
	in[17] = SBI_EXT_BASE;
	registers_ecall(in, out);
	bad = first_difference(in, out, 3 << 10);
	if (bad || out[10] != 0)
		return bad ? bad : 10;
	in[5] = seed & 0xff;
	in[6] = UART_BASE + UART_SCR;
	registers_store(in, out);
	bad = first_difference(in, out, 0);
	if (bad)
		return bad;
	in[5] = pattern(seed);
	registers_load(in, out);
	if (out[5] != (seed & 0xff))
		return 5;
	return first_difference(in, out, 1 << 5);
}

/* From this register into the device's, and back into it. @return what came back, its sign extended. */
#define THROUGH_DEVICE(reg) do { \
	register uint64_t address_ __asm__("a0") = UART_BASE + UART_SCR; \
	register uint64_t value_ __asm__("a1") = 0x80 + checked; \
	__asm__ volatile("mv t0, " #reg "; mv " #reg ", a1; sb " #reg ", (a0); li " #reg ", 0; lb " #reg ", (a0);" \
			 "mv a1, " #reg "; mv " #reg ", t0" : "+r"(value_) : "r"(address_) : "t0", "memory"); \
	expect(value_ == (uint64_t)(int8_t)(0x80 + checked), #reg " through a device"); \
	checked++; \
} while (0)

/* Those that the C functions of whoever emulates the device preserve are stored and loaded otherwise than the rest. */
static void every_register_reaches_devices(void)
{
	uint64_t checked = 0;

	THROUGH_DEVICE(gp);
	THROUGH_DEVICE(s0);
	THROUGH_DEVICE(s1);
	THROUGH_DEVICE(s2);
	THROUGH_DEVICE(s3);
	THROUGH_DEVICE(s4);
	THROUGH_DEVICE(s5);
	THROUGH_DEVICE(s6);
	THROUGH_DEVICE(s7);
	THROUGH_DEVICE(s8);
	THROUGH_DEVICE(s9);
	THROUGH_DEVICE(s10);
	THROUGH_DEVICE(s11);
	THROUGH_DEVICE(ra);
	THROUGH_DEVICE(tp);
	THROUGH_DEVICE(t6);
}

/* Three exits a round: a call, a device store, a device load. */
void test_regs(void)
{
	uint64_t rounds = bootarg_number("rounds", 1000);

	every_register_reaches_devices();
	for (uint64_t i = 0; i < rounds; i++) {
		unsigned bad = round_of_exits(i);

		if (bad) {
			expect(false, "round %lu: register x%u", i, bad);
			return;
		}
	}
	expect(true, "registers kept over %lu rounds of exits", rounds);
}

static void mixed_exits(unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		sbi_call(SBI_EXT_BASE, BASE_SPEC_VERSION);
		uart_read(UART_LSR);
	}
}

/* Who has changed none of its FP registers finds them as at power-on, whatever others have in theirs meanwhile. */
void test_fp_untouched(void)
{
	uint64_t rounds = bootarg_number("rounds", 300), out[33], all = 0;

	csr_set(sstatus, SSTATUS_FS);
	for (uint64_t i = 0; i < rounds; i++) {
		fp_store(out);
		for (unsigned n = 0; n < 33; n++)
			all |= out[n];
		csr_write(sie, SIE_STIE);
		timer_set(time_now() + machine.timebase / 10000);
		wait_for_interrupt();
		csr_write(sie, 0);
	}
	expect(all == 0, "FP registers never used are zero in %lu rounds", rounds);
}

void test_fp(void)
{
	uint64_t rounds = bootarg_number("rounds", 100), in[33], out[33];

	csr_set(sstatus, SSTATUS_FS);
	for (uint64_t i = 0; i < rounds; i++) {
		fill(in, 33, i);
		in[32] &= 0x9f;		/* rounding mode 0 to 4, five flags */
		fp_load(in);
		mixed_exits(i % 10 + 1);
		fp_store(out);
		if (memcmp(in, out, sizeof(in))) {
			expect(false, "FP registers in round %lu", i);
			return;
		}
	}
	expect(true, "FP registers kept over %lu rounds of exits", rounds);
}

#define CHECK_CSR(name, value) do { \
	uint64_t before_ = csr_read(name), set_; \
	csr_write(name, value); \
	set_ = csr_read(name); \
	mixed_exits(50); \
	expect(csr_read(name) == set_, #name " %lx kept", set_); \
	csr_write(name, before_); \
} while (0)

/* Traps are not taken meanwhile, so that these CSRs belong to the test. */
void test_csrs(void)
{
	CHECK_CSR(sscratch, 0x123456789abcdef0);
	CHECK_CSR(sepc, 0xfedcba9876543210);
	CHECK_CSR(scause, 0x8000000000000005);
	CHECK_CSR(stval, 0x0f1e2d3c4b5a6978);
	CHECK_CSR(stvec, 0x80234560);
	CHECK_CSR(sie, 0x222);
	CHECK_CSR(scounteren, 0);
	CHECK_CSR(scounteren, 7);
	CHECK_CSR(senvcfg, 0);
	CHECK_CSR(senvcfg, 0xf1);
	CHECK_CSR(satp, 0);
	csr_write(sip, 2);
	mixed_exits(50);
	expect(csr_read(sip) & 2, "sip.SSIP kept");
	csr_clear(sip, 2);
	mixed_exits(50);
	expect(!(csr_read(sip) & 2), "sip.SSIP stays clear");
}
