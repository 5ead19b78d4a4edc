/* SBI system suspend and firmware features: what few firmwares offer, so only a VM runs these. */
#include "probe.h"
#include "regs.h"

#define PTE_V 0x01ul
#define PTE_RWX 0x0eul
#define PTE_A 0x40ul
#define PTE_D 0x80ul
#define SATP_SV39 (8ul << 60)
#define GIGAPAGE 30

static void gives(const char *name, long error, struct sbi_result r)
{
	expect(r.error == error && r.value == 0, "%s: error %ld", name, r.error);
}

static void check_suspend_errors(void)
{
	static const uint64_t types[] = { 1, 0x7fffffff, 0x80000000, 0xffffffff };
	static const uint64_t outside[] = { 0, 0x10000000, 1ul << 40, ~0ul - 1 };

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		gives("reserved sleep type", SBI_INVALID_PARAM, sbi_call(SBI_EXT_SUSP, 0, types[i], guest_end));
	for (size_t i = 0; i < sizeof(outside) / sizeof(outside[0]); i++)
		gives("resume outside RAM", SBI_INVALID_ADDRESS, sbi_call(SBI_EXT_SUSP, 0, 0, outside[i]));
	gives("system suspend function 1", SBI_NOT_SUPPORTED, sbi_call(SBI_EXT_SUSP, 1, 0, guest_end));
}

static long suspend_for_a_moment(void)
{
	csr_write(sie, SIE_STIE);
	timer_set(time_now() + machine.timebase / 1000);
	return suspend_and_resume(0, this_hart->id, SBI_EXT_SUSP, 0);
}

static void check_suspend(void)
{
	expect(suspend_for_a_moment() == 0, "resumes at its address");
	expect(csr_read(satp) == 0 && !(csr_read(sstatus) & 2), "resumes without translation and interrupts");
	expect(csr_read(sip) & SIE_STIE, "woken by the timer");
	timer_set(~0ul);
	csr_write(sie, SIE_SSIE);
	sbi_call(SBI_EXT_IPI, 0, 1, this_hart->id);
	expect(suspend_and_resume(0, this_hart->id, SBI_EXT_SUSP, 0) == 0, "a pending IPI ends it at once");
	csr_clear(sip, SIE_SSIE);
	csr_write(sie, 0);
}

static volatile bool leave;

static void wait_to_leave(void *unused)
{
	(void)unused;
	while (!leave)
		;
	sbi_call(SBI_EXT_HSM, HSM_STOP);
}

static void check_others_must_be_stopped(void)
{
	if (machine.harts < 2)
		return;
	expect(hart_start(1, wait_to_leave, NULL) == 0, "another hart started");
	while (sbi_call(SBI_EXT_HSM, HSM_STATUS, harts[1].id).value != HSM_STARTED)
		;
	expect(suspend_for_a_moment() == SBI_DENIED, "not while another hart runs");
	leave = true;
	while (sbi_call(SBI_EXT_HSM, HSM_STATUS, harts[1].id).value != HSM_STOPPED)
		;
}

void test_suspend(void)
{
	expect(sbi_call(SBI_EXT_BASE, BASE_PROBE, SBI_EXT_SUSP).value == 1, "system suspend is there");
	check_suspend_errors();
	check_others_must_be_stopped();
	check_suspend();
}

static void check_absent_features(void)
{
	static const uint64_t reserved[] = { 6, 0x3fffffff, 0x40000000, 0x80000000, 0xc0000000, 0xffffffff };
	static const uint64_t absent[] = { FWFT_LANDING_PAD, FWFT_SHADOW_STACK, FWFT_DOUBLE_TRAP,
					   FWFT_POINTER_MASKING };

	for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++) {
		gives("get of a reserved feature", SBI_DENIED, sbi_call(SBI_EXT_FWFT, FWFT_GET, reserved[i]));
		gives("set of a reserved feature", SBI_DENIED, sbi_call(SBI_EXT_FWFT, FWFT_SET, reserved[i], 1));
	}
	for (size_t i = 0; i < sizeof(absent) / sizeof(absent[0]); i++) {
		gives("get of an absent feature", SBI_NOT_SUPPORTED, sbi_call(SBI_EXT_FWFT, FWFT_GET, absent[i]));
		gives("set of an absent feature", SBI_NOT_SUPPORTED, sbi_call(SBI_EXT_FWFT, FWFT_SET, absent[i], 1));
	}
	gives("features function 2", SBI_NOT_SUPPORTED, sbi_call(SBI_EXT_FWFT, 2));
}

/* Whatever the machine's delegation is, a VM can only agree with it. */
static void check_misaligned(void)
{
	struct sbi_result now = sbi_call(SBI_EXT_FWFT, FWFT_GET, FWFT_MISALIGNED);
	bool there = now.error == SBI_SUCCESS;

	expect(there || now.error == SBI_NOT_SUPPORTED, "misaligned delegation is told, or honestly unknown");
	expect(sbi_call(SBI_EXT_FWFT, FWFT_SET, FWFT_MISALIGNED, !now.value).error ==
		       (there ? SBI_DENIED : SBI_NOT_SUPPORTED), "misaligned delegation cannot be changed");
}

static uint64_t root[512] __attribute__((aligned(4096)));

/* RAM where it is, and once more in the first gigabyte, never accessed there yet. */
static uint64_t load_through_a_clean_entry(uint64_t *entry)
{
	uint64_t frame = machine.ram_base >> 12;
	uint64_t alias = (uint64_t)&root[511] - machine.ram_base;

	root[machine.ram_base >> GIGAPAGE] = frame << 10 | PTE_V | PTE_RWX | PTE_A | PTE_D;
	root[0] = frame << 10 | PTE_V | PTE_RWX;
	catch_clear();
	csr_write(satp, SATP_SV39 | (uint64_t)root >> 12);
	__asm__ volatile("sfence.vma" : : : "memory");
	*(volatile uint64_t *)alias = 0x55;
	csr_write(satp, 0);
	__asm__ volatile("sfence.vma" : : : "memory");
	*entry = root[0];
	return root[511];
}

static void check_clean_entry(bool updating)
{
	uint64_t entry, word;

	root[511] = 0;
	word = load_through_a_clean_entry(&entry);
	expect(caught.any != updating, "access through a clean entry %s", updating ? "passes" : "faults");
	expect((word == 0x55) == updating && ((entry & (PTE_A | PTE_D)) == (PTE_A | PTE_D)) == updating,
	       "the entry is %s", updating ? "accessed and dirty now" : "left alone");
}

static void check_ad_updating(void)
{
	struct sbi_result now = sbi_call(SBI_EXT_FWFT, FWFT_GET, FWFT_AD_UPDATING);

	if (now.error) {
		gives("A/D updating, absent", SBI_NOT_SUPPORTED, now);
		return;
	}
	check_clean_entry(false);
	gives("A/D updating on", 0, sbi_call(SBI_EXT_FWFT, FWFT_SET, FWFT_AD_UPDATING, 1));
	check_clean_entry(true);
	gives("A/D updating 2", SBI_INVALID_PARAM, sbi_call(SBI_EXT_FWFT, FWFT_SET, FWFT_AD_UPDATING, 2));
	gives("reserved flag", SBI_INVALID_PARAM, sbi_call(SBI_EXT_FWFT, FWFT_SET, FWFT_AD_UPDATING, 1, 2));
	expect(suspend_for_a_moment() == 0, "resumes at its address");
	timer_set(~0ul);
	csr_write(sie, 0);
	check_clean_entry(true);
	gives("A/D updating off and locked", 0, sbi_call(SBI_EXT_FWFT, FWFT_SET, FWFT_AD_UPDATING, 0, 1));
	check_clean_entry(false);
	gives("A/D updating, locked", SBI_DENIED, sbi_call(SBI_EXT_FWFT, FWFT_SET, FWFT_AD_UPDATING, 1));
	expect(suspend_for_a_moment() == 0, "resumes at its address");
	timer_set(~0ul);
	csr_write(sie, 0);
	gives("A/D updating, locked after a suspend", SBI_DENIED,
	      sbi_call(SBI_EXT_FWFT, FWFT_SET, FWFT_AD_UPDATING, 1));
}

static volatile long lock_error;

static void lock_and_stop(void *unused)
{
	(void)unused;
	lock_error = sbi_call(SBI_EXT_FWFT, FWFT_SET, FWFT_AD_UPDATING, 1, 1).error;
	sbi_call(SBI_EXT_HSM, HSM_STOP);
}

static void run_lock_and_stop(void)
{
	lock_error = 1;
	hart_start(1, lock_and_stop, NULL);
	while (lock_error == 1 || sbi_call(SBI_EXT_HSM, HSM_STATUS, harts[1].id).value != HSM_STOPPED)
		;
}

/* Features are a hart's own, and a start is its reset. */
static void check_start_unlocks(void)
{
	struct sbi_result before = sbi_call(SBI_EXT_FWFT, FWFT_GET, FWFT_AD_UPDATING), after;

	for (int round = 0; round < 2; round++) {
		run_lock_and_stop();
		expect(lock_error == before.error, "another hart locks A/D updating: error %ld", lock_error);
	}
	after = sbi_call(SBI_EXT_FWFT, FWFT_GET, FWFT_AD_UPDATING);
	expect(after.error == before.error && after.value == before.value, "this hart's is as it was");
}

void test_features(void)
{
	catch_traps();
	expect(sbi_call(SBI_EXT_BASE, BASE_PROBE, SBI_EXT_FWFT).value == 1, "firmware features are there");
	check_absent_features();
	check_misaligned();
	if (machine.harts > 1)
		check_start_unlocks();
	check_ad_updating();
}
