/*
 * The probe guest: the boot arguments say which test to run (`test=NAME`).
 *
 * What a test prints is the same on bare firmware and in a VM wherever both
 * must behave alike, so that the two can be compared byte for byte. A test that
 * returns ends with PASS and a shutdown, or with FAIL and a failure.
 */
#include "probe.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
	const char *name;
	void (*run)(void);
} tests[] = {
	{ "sbi", test_sbi },
	{ "sbi-absurd", test_sbi_absurd },
	{ "suspend", test_suspend },
	{ "features", test_features },
	{ "steal", test_steal },
	{ "counters", test_counters },
	{ "counters-vm", test_counters_vm },
	{ "legacy", test_legacy },
	{ "legacy-shutdown", test_legacy_shutdown },
	{ "mem", test_mem },
	{ "mem-odd", test_mem_odd },
	{ "widths", test_widths },
	{ "loads", test_loads },
	{ "fetched", test_fetched },
	{ "regs", test_regs },
	{ "fp", test_fp },
	{ "csrs", test_csrs },
	{ "timer", test_timer },
	{ "plic", test_plic },
	{ "plic-level", test_plic_level },
	{ "plic-contexts", test_plic_contexts },
	{ "smp", test_smp },
	{ "fp-harts", test_fp_harts },
	{ "fp-untouched", test_fp_untouched },
	{ "translate", test_translate },
	{ "isa", test_isa },
	{ "isa-switches", test_isa_switches },
	{ "channel", test_channel },
	{ "no-channel", test_no_channel },
	{ "disk", test_disk },
	{ "disk-reset", test_disk_reset },
	{ "disk-rules", test_disk_rules },
	{ "disk-errors", test_disk_errors },
	{ "disk-busy", test_disk_busy },
	{ "disk-count", test_disk_count },
	{ "machine", test_machine },
	{ "zeroed", test_zeroed },
	{ "dirty", test_dirty },
	{ "touch", test_touch },
	{ "rewrite", test_rewrite },
	{ "watchdog", test_watchdog },
	{ "cat", test_cat },
	{ "bytes", test_bytes },
	{ "lines", test_lines },
	{ "spin", test_spin },
	{ "deaf", test_deaf },
	{ "wfi", test_wfi },
	{ "storm", test_storm },
	{ "failure", test_failure },
	{ "double-fault", test_double_fault },
	{ "jump", test_jump },
	{ "reboot", test_reboot },
	{ "finisher", test_finisher },
	{ "halt", test_halt },
};

static unsigned failures;
struct caught caught;

void expect(bool ok, const char *format, ...)
{
	char name[128];
	va_list args;

	va_start(args, format);
	vsnprintf(name, sizeof(name), format, args);
	va_end(args);
	print("%s %s\n", ok ? "ok" : "FAIL", name);
	failures += !ok;
}

static unsigned instruction_length(uint64_t pc)
{
	return (*(const uint16_t *)pc & 3) == 3 ? 4 : 2;
}

static void note_trap(struct trap *trap)
{
	caught = (struct caught){ true, trap->scause, trap->stval, trap->sepc };
	if (trap->scause & CAUSE_INTERRUPT)
		csr_write(sie, 0);
	else if (trap->scause == 1 || trap->scause == 12)
		trap->sepc = trap->x[1];
	else
		trap->sepc += instruction_length(trap->sepc);
}

void catch_traps(void)
{
	catch_clear();
	trap_set_handler(note_trap);
}

void catch_clear(void)
{
	caught = (struct caught){ 0 };
	__asm__ volatile("" : : : "memory");
}

int main(void)
{
	char name[32] = "";

	bootarg("test", name, sizeof(name));
	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
		if (strcmp(tests[i].name, name))
			continue;
		print("test %s\n", name);
		tests[i].run();
		print("%s %s\n", failures ? "FAIL" : "PASS", name);
		return failures != 0;
	}
	print("no such test: '%s'\n", name);
	return 1;
}
