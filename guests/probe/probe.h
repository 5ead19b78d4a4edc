/* The probe guest: what its tests share. */
#pragma once

#include "guest.h"

/** One line, `ok NAME` or `FAIL NAME`; a failure makes the whole test fail. */
void expect(bool ok, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** The last trap on this hart while catching. */
struct caught {
	bool any;
	uint64_t cause;
	uint64_t value;
	uint64_t pc;
};

extern struct caught caught;

/**
 * From now on a trap on this hart is noted in `caught` and the instruction is
 * skipped (a fetch fault returns to the caller). Interrupts are noted and
 * switched off in sie.
 */
void catch_traps(void);

/* Forget what was caught. */
void catch_clear(void);

/* The tests, one `test=NAME` each. */
void test_sbi(void);
void test_sbi_absurd(void);
void test_suspend(void);
void test_features(void);
void test_steal(void);
void test_counters(void);
void test_counters_vm(void);
void test_legacy(void);
void test_legacy_shutdown(void);
void test_mem(void);
void test_mem_odd(void);
void test_widths(void);
void test_loads(void);
void test_fetched(void);
void test_regs(void);
void test_fp(void);
void test_csrs(void);
void test_timer(void);
void test_plic(void);
void test_plic_level(void);
void test_plic_contexts(void);
void test_smp(void);
void test_fp_harts(void);
void test_fp_untouched(void);
void test_translate(void);
void test_isa(void);
void test_isa_switches(void);
void test_channel(void);
void test_no_channel(void);
void test_disk(void);
void test_disk_reset(void);
void test_disk_rules(void);
void test_disk_errors(void);
void test_disk_busy(void);
void test_disk_count(void);
void test_machine(void);
void test_zeroed(void);
void test_dirty(void);
void test_touch(void);
void test_rewrite(void);
void test_watchdog(void);
void test_cat(void);
void test_bytes(void);
void test_lines(void);
void test_spin(void);
void test_deaf(void);
void test_wfi(void);
void test_storm(void);
void test_failure(void);
void test_double_fault(void);
void test_jump(void);
void test_reboot(void);
void test_finisher(void);
void test_halt(void);
