/* Every SBI call, with good and with bad arguments. */
#include "probe.h"
#include "regs.h"

#include <string.h>

#define NO_HART 77ul

static void call_gives(const char *name, long error, struct sbi_result r)
{
	expect(r.error == error, "%s: error %ld", name, r.error);
}

static void call_value(const char *name, long value, struct sbi_result r)
{
	expect(r.error == SBI_SUCCESS && r.value == value, "%s: error %ld value %ld",
	       name, r.error, r.value);
}

static void check_base(void)
{
	struct sbi_result version = sbi_call(SBI_EXT_BASE, BASE_SPEC_VERSION);

	expect(version.error == 0 && version.value >= 0x02000000 && !(version.value >> 31),
	       "base version at least 2.0");
	for (long f = BASE_IMPL_ID; f <= BASE_IMPL; f++)
		expect(sbi_call(SBI_EXT_BASE, f, f == BASE_PROBE ? SBI_EXT_TIME : 0).error == 0,
		       "base function %ld", f);
	call_gives("base function 7", SBI_NOT_SUPPORTED, sbi_call(SBI_EXT_BASE, 7));
	call_gives("base function -1", SBI_NOT_SUPPORTED, sbi_call(SBI_EXT_BASE, -1l));
}

static void check_probe(void)
{
	static const struct {
		const char *name;
		long ext;
	} present[] = {
		{ "BASE", SBI_EXT_BASE }, { "TIME", SBI_EXT_TIME }, { "IPI", SBI_EXT_IPI },
		{ "RFENCE", SBI_EXT_RFENCE }, { "HSM", SBI_EXT_HSM }, { "SRST", SBI_EXT_SRST },
		{ "DBCN", SBI_EXT_DBCN }, { "set_timer", SBI_EXT_SET_TIMER },
		{ "putchar", SBI_EXT_PUTCHAR }, { "getchar", SBI_EXT_GETCHAR },
		{ "clear_ipi", SBI_EXT_CLEAR_IPI }, { "send_ipi", SBI_EXT_SEND_IPI },
		{ "remote_fence_i", SBI_EXT_REMOTE_FENCE_I },
		{ "remote_sfence", SBI_EXT_REMOTE_SFENCE },
		{ "remote_sfence_asid", SBI_EXT_REMOTE_SFENCE_ASID },
		{ "shutdown", SBI_EXT_SHUTDOWN },
	}, absent[] = {
		{ "9", 9 }, { "15", 15 }, { "0x123", 0x123 }, { "NACL", SBI_EXT_NACL },
		{ "MPXY", SBI_EXT_MPXY }, { "0x0a000000", 0x0a000000 }, { "-1", -1 },
		{ "2^32 + BASE", (1l << 32) + SBI_EXT_BASE },
	};

	for (size_t i = 0; i < sizeof(present) / sizeof(present[0]); i++)
		call_value(present[i].name, 1, sbi_call(SBI_EXT_BASE, BASE_PROBE, present[i].ext));
	for (size_t i = 0; i < sizeof(absent) / sizeof(absent[0]); i++)
		call_value(absent[i].name, 0, sbi_call(SBI_EXT_BASE, BASE_PROBE, absent[i].ext));
}

/* An extension that probes as absent must not answer, whichever it is. */
static void check_honest_probe(void)
{
	static const long maybe[] = { SBI_EXT_PMU, SBI_EXT_SUSP, SBI_EXT_STA, SBI_EXT_FWFT,
				      SBI_EXT_CPPC, SBI_EXT_SSE, SBI_EXT_DBTR };

	for (size_t i = 0; i < sizeof(maybe) / sizeof(maybe[0]); i++) {
		bool there = sbi_call(SBI_EXT_BASE, BASE_PROBE, maybe[i]).value != 0;
		bool answers = sbi_call(maybe[i], 0x7f).error != SBI_NOT_SUPPORTED;

		expect(there || !answers, "honest about %lx", maybe[i]);
	}
}

static void check_unknown(void)
{
	call_gives("unknown extension", SBI_NOT_SUPPORTED, sbi_call(0x123, 0));
	call_gives("unknown extension -1", SBI_NOT_SUPPORTED, sbi_call(-1l, -1l));
	call_gives("time function 1", SBI_NOT_SUPPORTED, sbi_call(SBI_EXT_TIME, 1));
	call_gives("ipi function 1", SBI_NOT_SUPPORTED, sbi_call(SBI_EXT_IPI, 1, 1, this_hart->id));
	call_gives("rfence function 99", SBI_NOT_SUPPORTED, sbi_call(SBI_EXT_RFENCE, 99, 1, this_hart->id));
	call_gives("hsm function 4", SBI_NOT_SUPPORTED, sbi_call(SBI_EXT_HSM, 4));
	call_gives("srst function 1", SBI_NOT_SUPPORTED, sbi_call(SBI_EXT_SRST, 1));
	call_gives("dbcn function 3", SBI_NOT_SUPPORTED, sbi_call(SBI_EXT_DBCN, 3));
	call_gives("2^32 + base", SBI_NOT_SUPPORTED, sbi_call((1l << 32) + SBI_EXT_BASE, 0));
}

static bool becomes_pending(uint64_t bit)
{
	uint64_t end = time_now() + machine.timebase / 20;

	while (time_now() < end)
		if (csr_read(sip) & bit)
			return true;
	return false;
}

static void check_ipi_form(const char *name, uint64_t mask, uint64_t base, bool arrives)
{
	csr_clear(sip, SIE_SSIE);
	call_gives(name, SBI_SUCCESS, sbi_call(SBI_EXT_IPI, 0, mask, base));
	expect(becomes_pending(SIE_SSIE) == arrives, "%s %s", name, arrives ? "arrives" : "reaches nobody");
}

static void check_ipi(void)
{
	uint64_t id = this_hart->id;

	check_ipi_form("ipi mask 1 from own id", 1, id, true);
	check_ipi_form("ipi own bit from 0", 1ul << id, 0, true);
	check_ipi_form("ipi base -1", 0, ~0ul, true);
	check_ipi_form("ipi base -1 with a mask", 1ul << 63, ~0ul, true);
	check_ipi_form("ipi to nobody", 0, 0, false);
	csr_clear(sip, SIE_SSIE);
	call_gives("ipi base far beyond", SBI_INVALID_PARAM, sbi_call(SBI_EXT_IPI, 0, 1, NO_HART));
}

static void check_rfence(void)
{
	static const uint64_t sizes[][2] = {
		{ 0, 0 }, { 0, ~0ul }, { ~0ul, ~0ul }, { 0x1234, 1 }, { 0x80200000, 0x1000 },
		{ 0, 1ul << 40 },
	};
	uint64_t id = this_hart->id;

	call_gives("fence.i", SBI_SUCCESS, sbi_call(SBI_EXT_RFENCE, RFENCE_FENCE_I, 1, id));
	call_gives("fence.i all", SBI_SUCCESS, sbi_call(SBI_EXT_RFENCE, RFENCE_FENCE_I, 0, ~0ul));
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct sbi_result r =
			sbi_call(SBI_EXT_RFENCE, RFENCE_SFENCE, 1, id, sizes[i][0], sizes[i][1]);
		struct sbi_result s =
			sbi_call(SBI_EXT_RFENCE, RFENCE_SFENCE_ASID, 1, id, sizes[i][0], sizes[i][1], 1);

		expect(!r.error && !s.error, "sfence of %lx from %lx", sizes[i][1], sizes[i][0]);
	}
	call_gives("sfence far beyond", SBI_INVALID_PARAM,
		   sbi_call(SBI_EXT_RFENCE, RFENCE_SFENCE, 1, NO_HART, 0, 0x1000));
}

static void check_hsm(void)
{
	uint64_t id = this_hart->id;

	call_value("status of this hart", HSM_STARTED, sbi_call(SBI_EXT_HSM, HSM_STATUS, id));
	call_gives("status of no hart", SBI_INVALID_PARAM, sbi_call(SBI_EXT_HSM, HSM_STATUS, NO_HART));
	call_gives("status of hart -1", SBI_INVALID_PARAM, sbi_call(SBI_EXT_HSM, HSM_STATUS, ~0ul));
	call_gives("start of this hart", SBI_ALREADY_AVAILABLE,
		   sbi_call(SBI_EXT_HSM, HSM_START, id, guest_end, 0));
	call_gives("start of no hart", SBI_INVALID_PARAM,
		   sbi_call(SBI_EXT_HSM, HSM_START, NO_HART, guest_end, 0));
	for (unsigned i = 1; i < machine.harts; i++)
		call_value("status of another", HSM_STOPPED, sbi_call(SBI_EXT_HSM, HSM_STATUS, harts[i].id));
}

static void wake_soon(void)
{
	csr_write(sie, SIE_STIE);
	timer_set(time_now() + machine.timebase / 1000);
}

static void check_suspend(void)
{
	static const uint64_t refused[] = { 1, 0x0fffffff, 0x80000001, 0x8fffffff };

	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		struct sbi_result r = sbi_call(SBI_EXT_HSM, HSM_SUSPEND, refused[i], guest_end, 0);

		expect(r.error == SBI_INVALID_PARAM, "suspend type %lx: error %ld", refused[i], r.error);
	}
	wake_soon();
	call_gives("retentive suspend", SBI_SUCCESS, sbi_call(SBI_EXT_HSM, HSM_SUSPEND, 0, 0, 0));
	expect(csr_read(sip) & SIE_STIE, "woken by the timer");
	wake_soon();
	expect(suspend_and_resume(0x80000000, this_hart->id, SBI_EXT_HSM, HSM_SUSPEND) == 0,
	       "suspend resumes at its address");
	csr_write(sie, 0);
	timer_set(~0ul);
}

/* No newline in what is written: OpenSBI makes two bytes of it. */
static void check_dbcn(void)
{
	static const char text[] = "written by the firmware";
	char buf[8];
	struct sbi_result r = sbi_call(SBI_EXT_DBCN, DBCN_WRITE, sizeof(text) - 1, text, 0);

	print("\n");
	call_value("dbcn write", sizeof(text) - 1, r);
	call_value("dbcn write of nothing", 0, sbi_call(SBI_EXT_DBCN, DBCN_WRITE, 0, text, 0));
	call_gives("dbcn write_byte", 0, sbi_call(SBI_EXT_DBCN, DBCN_WRITE_BYTE, '.'));
	print("\n");
	call_value("dbcn read of nothing", 0, sbi_call(SBI_EXT_DBCN, DBCN_READ, 0, buf, 0));
}

static void check_time(void)
{
	expect(sbi_call(SBI_EXT_TIME, 0, ~0ul).error == 0, "set_timer never");
	expect(!(csr_read(sip) & SIE_STIE), "timer not pending");
	expect(sbi_call(SBI_EXT_TIME, 0, 0).error == 0, "set_timer in the past");
	expect(becomes_pending(SIE_STIE), "timer pending");
	expect(sbi_call(SBI_EXT_TIME, 0, ~0ul).error == 0, "set_timer never again");
	expect(!(csr_read(sip) & SIE_STIE), "timer not pending again");
}

static void check_srst(void)
{
	static const uint64_t types[] = { 3, 0x7fffffff, 0xefffffff, 0xf0000000 };

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		struct sbi_result r = sbi_call(SBI_EXT_SRST, 0, types[i], 0);

		expect(r.error == SBI_INVALID_PARAM, "reset type %lx: error %ld", types[i], r.error);
	}
}

/* Whatever the call, every register but a0 and a1 is as before. */
static void check_preserved(void)
{
	static const long calls[][2] = {
		{ SBI_EXT_BASE, 0 }, { SBI_EXT_BASE, 3 }, { 0x123, 0 }, { SBI_EXT_TIME, 0 },
		{ SBI_EXT_IPI, 1 }, { SBI_EXT_HSM, 2 }, { SBI_EXT_RFENCE, 99 },
		{ SBI_EXT_DBCN, 3 }, { SBI_EXT_SRST, 1 }, { SBI_EXT_CLEAR_IPI, 0 },
	};

	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		expect(registers_kept_over_call(calls[i][0], calls[i][1]),
		       "registers kept over %lx %ld", calls[i][0], calls[i][1]);
}

void test_sbi(void)
{
	check_base();
	check_probe();
	check_honest_probe();
	check_unknown();
	check_time();
	check_ipi();
	check_rfence();
	check_hsm();
	check_suspend();
	check_dbcn();
	check_srst();
	check_preserved();
}

static void check_absurd_buffer(const char *name, uint64_t len, uint64_t low, uint64_t high)
{
	struct sbi_result w = sbi_call(SBI_EXT_DBCN, DBCN_WRITE, len, low, high);
	struct sbi_result r = sbi_call(SBI_EXT_DBCN, DBCN_READ, len, low, high);

	expect(w.error == SBI_INVALID_PARAM, "dbcn write %s: error %ld", name, w.error);
	expect(r.error == SBI_INVALID_PARAM, "dbcn read %s: error %ld", name, r.error);
}

static void check_absurd_masks(uint64_t mask, uint64_t base)
{
	struct sbi_result i = sbi_call(SBI_EXT_IPI, 0, mask, base);
	struct sbi_result f = sbi_call(SBI_EXT_RFENCE, RFENCE_FENCE_I, mask, base);
	struct sbi_result s = sbi_call(SBI_EXT_RFENCE, RFENCE_SFENCE, mask, base, 0, 0);

	expect(i.error == SBI_INVALID_PARAM && f.error == SBI_INVALID_PARAM && s.error == SBI_INVALID_PARAM,
	       "hart mask %lx from %lx: errors %ld %ld %ld", mask, base, i.error, f.error, s.error);
}

/* A range beyond the last address: an error of its own, or no error. */
static void check_wrapping_fence(void)
{
	long error = sbi_call(SBI_EXT_RFENCE, RFENCE_SFENCE, 1, this_hart->id, ~0ul - 0xfff, 0x2000).error;

	expect(error == SBI_SUCCESS || error == SBI_INVALID_ADDRESS,
	       "sfence of a range that wraps: error %ld", error);
}

static void check_absurd_starts(void)
{
	static const uint64_t outside[] = { 0, 0x10000000, 0x50000, 1ul << 40, ~0ul - 1 };

	for (size_t i = 0; machine.harts > 1 && i < sizeof(outside) / sizeof(outside[0]); i++)
		call_gives("start outside RAM", SBI_INVALID_ADDRESS,
			   sbi_call(SBI_EXT_HSM, HSM_START, harts[1].id, outside[i], 0));
	for (size_t i = 0; i < sizeof(outside) / sizeof(outside[0]); i++)
		call_gives("resume outside RAM", SBI_INVALID_ADDRESS,
			   sbi_call(SBI_EXT_HSM, HSM_SUSPEND, 0x80000000, outside[i], 0));
}

/* What a specification-conforming firmware refuses, though OpenSBI may not survive it. */
void test_sbi_absurd(void)
{
	uint64_t end = machine.ram_base + machine.ram_size;

	check_absurd_buffer("below RAM", 8, 0x1000, 0);
	check_absurd_buffer("in a device", 8, UART_BASE, 0);
	check_absurd_buffer("at the end of RAM", 1, end, 0);
	check_absurd_buffer("across the end of RAM", 8, end - 4, 0);
	check_absurd_buffer("across the start of RAM", 8, machine.ram_base - 4, 0);
	check_absurd_buffer("with an all-ones length", ~0ul, machine.ram_base, 0);
	check_absurd_buffer("that wraps around", ~0ul - machine.ram_base + 2, machine.ram_base, 0);
	check_absurd_buffer("in the high half", 8, machine.ram_base, 1);
	check_absurd_buffer("at all-ones", 8, ~0ul, ~0ul);
	check_absurd_masks(1ul << 63, 0);
	check_absurd_masks(1ul << machine.harts, 0);
	check_absurd_masks(1, machine.harts);
	check_absurd_masks(~0ul, 0);
	check_absurd_masks(1, ~0ul - 1);
	check_absurd_masks(2, ~0ul - 1);
	check_absurd_starts();
	check_wrapping_fence();
	for (long f = 3; f <= 6; f++)
		expect(sbi_call(SBI_EXT_RFENCE, f, 1, this_hart->id).error == SBI_NOT_SUPPORTED,
		       "hfence function %ld without the H extension", f);
	call_gives("reset reason 2", SBI_INVALID_PARAM, sbi_call(SBI_EXT_SRST, 0, 0, 2));
	call_gives("reset reason -1", SBI_INVALID_PARAM, sbi_call(SBI_EXT_SRST, 0, 0, 0xffffffff));
	call_gives("platform reset reason", SBI_INVALID_PARAM, sbi_call(SBI_EXT_SRST, 0, 0, 0xf0000000));
	for (uint64_t type = 0x10000000; type <= 0x90000000; type += 0x80000000)
		call_gives("platform suspend type", SBI_INVALID_PARAM,
			   sbi_call(SBI_EXT_HSM, HSM_SUSPEND, type, guest_end, 0));
}

/* Legacy calls give one value, and leave a1 alone. */
static long legacy(long ext, uint64_t arg0)
{
	struct sbi_result r = sbi_call(ext, 0, arg0, 0x5a5a);

	if (r.value != 0x5a5a)
		expect(false, "legacy call %ld changes a1", ext);
	return r.error;
}

void test_legacy(void)
{
	uint64_t mask = 1ul << this_hart->id;

	for (const char *s = "legacy putchar"; *s; s++)
		legacy(SBI_EXT_PUTCHAR, *s);
	print("\n");
	expect(legacy(SBI_EXT_GETCHAR, 0) == -1, "getchar with nothing typed");
	expect(legacy(SBI_EXT_SET_TIMER, 0) == 0, "set_timer in the past");
	expect(becomes_pending(SIE_STIE), "timer pending");
	expect(legacy(SBI_EXT_SET_TIMER, ~0ul) == 0, "set_timer never");
	expect(!(csr_read(sip) & SIE_STIE), "timer not pending");
	csr_clear(sip, SIE_SSIE);
	expect(legacy(SBI_EXT_SEND_IPI, (uint64_t)&mask) == 0, "send_ipi");
	expect(becomes_pending(SIE_SSIE), "software interrupt pending");
	legacy(SBI_EXT_CLEAR_IPI, 0);
	csr_clear(sip, SIE_SSIE);
	expect(!(csr_read(sip) & SIE_SSIE), "software interrupt cleared");
	expect(legacy(SBI_EXT_REMOTE_FENCE_I, (uint64_t)&mask) == 0, "remote fence.i");
	expect(legacy(SBI_EXT_REMOTE_SFENCE, (uint64_t)&mask) == 0, "remote sfence.vma");
	expect(legacy(SBI_EXT_REMOTE_SFENCE_ASID, (uint64_t)&mask) == 0, "remote sfence.vma with an ASID");
	expect(legacy(SBI_EXT_SEND_IPI, 0) == 0, "send_ipi to all");
	csr_clear(sip, SIE_SSIE);
}

void test_legacy_shutdown(void)
{
	sbi_call(SBI_EXT_SHUTDOWN, 0);
	expect(false, "still running after the legacy shutdown");
}
