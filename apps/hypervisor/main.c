/*
 * The hypervisor: switch every hart's H extension on, start the VMs, see to
 * their end (docs/architecture.md, "The VM start-up path").
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <arch/hext.h>
#include <caisson/console.h>
#include <caisson/dt.h>
#include <caisson/hart.h>
#include <caisson/init.h>
#include <caisson/log.h>
#include <caisson/smp.h>
#include <caisson/task.h>
#include <vmm/console_mux.h>
#include <vmm/sbi.h>
#include <vmm/vcpu.h>
#include <vmm/vm.h>
#include <vmm/world.h>

#include "monitor.h"
#include "script.h"
#include "manager/vms.h"
#include "report.h"

#define LOG_NAME "vmm"
#define STATUS_CONFIG 2
#define STATUS_CANNOT_START 3

static unsigned enabled, failed; /* atomic: workers that are done */

/* Whatever guests need of the calling hart. Interrupts off. @return 0 or negative errno */
static int enable_here(void)
{
	int error = hext_enable();

	return error || !IS_ENABLED(CONFIG_COSTS) ? error : costs_hart_init();
}

static void enable_on_this_hart(void *arg)
{
	unsigned n = (unsigned)(uintptr_t)arg;
	int error;

	irq_disable();
	error = enable_here();
	irq_enable();
	log_info("worker %u on hart %u: virtualization %s", n, this_hart()->index, error ? "missing" : "enabled");
	__atomic_add_fetch(error ? &failed : &enabled, 1, __ATOMIC_SEQ_CST);
	task_exit(error);
}

/* A hart that starts again has lost what was in its CSRs and FP registers. */
static int hart_online(void)
{
	struct hart *h = this_hart();

	h->loaded_vcpu = NULL;
	h->fp_owner = NULL;
	return enable_here();
}

static struct hart_hook hart_hook = { .online = hart_online };

/* One pinned worker per hart; main yields until all have answered. */
static int enable_virtualization(void)
{
	unsigned workers = 0;

	for (unsigned h = 0; h < hart_count(); h++) {
		struct task_attr attr = { .hart_mask = BIT(h), .detached = true };
		char name[24];

		if (!harts[h].online)
			continue;
		snprintf(name, sizeof(name), "worker/%u", h);
		if (!task_create(name, enable_on_this_hart, (void *)(uintptr_t)workers, &attr))
			return -1;
		workers++;
	}
	while (__atomic_load_n(&enabled, __ATOMIC_SEQ_CST) + __atomic_load_n(&failed, __ATOMIC_SEQ_CST) < workers)
		task_yield();
	return failed ? -1 : 0;
}

/* The boot argument vmid-bits=N: as on a machine that has no more of them. */
static void limit_vmid_bits(void)
{
	char value[8], *end;
	unsigned long bits;

	if (!boot_arg("vmid-bits", value, sizeof(value)))
		return;
	bits = strtoul(value, &end, 10);
	if (end == value || *end)
		log_warn("boot argument vmid-bits=%s is not a number", value);
	else
		hext_limit_vmid_bits((unsigned)MIN(bits, 64ul));
}

/* @return the machine's status */
static int say_what_is_missing(void)
{
	log_error("hardware support: no (the %s extension is missing on %u of %u harts)", hext.h ? "Sscofpmf" : "H", failed,
		  hart_count());
	report_error(hext.h ? "this machine has no Sscofpmf, which this build counts with (./caisson run --costs)" :
			      "this machine has no hypervisor (H) extension, so it cannot run VMs");
	return STATUS_CANNOT_START;
}

/* From the first VM's start to the last one's end. @return the machine's status. */
static int run_vms(bool batch, bool has_script)
{
	int vms = vms_start(batch);

	if (vms < 0)
		return vms == -ENOMEM ? STATUS_CANNOT_START : STATUS_CONFIG;
	if (vms == 0 && batch) {
		report_error("the bundle describes no VM");
		return STATUS_CONFIG;
	}
	if (batch)
		console_mux_attach(vm_by_id(0)); /* for the input */
	else
		monitor_start();
	if (has_script)
		script_start(batch);
	return vms_supervise();
}

int main(void)
{
	bool batch = boot_arg("batch", NULL, 0), has_script = boot_arg("script", NULL, 0);

	if ((!batch || has_script) && log_keep_start())
		log_warn("no memory to keep the log for the monitor");
	log_info("Caisson hypervisor, %u harts", hart_count());
	if (enable_virtualization())
		return say_what_is_missing();
	limit_vmid_bits();
	log_info("hardware support: yes (%s%s%s, %u VMID bits%s)", hext.sv39x4 ? "sv39x4" : "",
		 hext.sv48x4 ? " sv48x4" : "", hext.sv57x4 ? " sv57x4" : "", hext.vmid_bits,
		 hext.sstc ? ", Sstc" : "");
	smp_add_hook(&hart_hook);
	if (sbi_init())
		panic("two SBI extensions share a place of the table");
	vcpu_init_hooks();
	worlds_init();
	guest_isa_init();
	console_mux_init(batch);
	return run_vms(batch, has_script);
}
