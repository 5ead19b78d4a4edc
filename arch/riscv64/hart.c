/* Finding harts in the device tree, starting and stopping them. */
#include <arch/cpu.h>
#include <arch/hart.h>
#include <arch/layout.h>
#include <arch/sbi.h>
#include <arch/trap.h>
#include <caisson/dt.h>
#include <caisson/log.h>
#include <caisson/mm.h>

#define LOG_NAME "hart"

struct hart harts[HART_MAX];
static unsigned n_harts;

extern char _start_secondary[];

unsigned hart_count(void)
{
	return n_harts;
}

struct hart *hart_by_hwid(uint64_t hwid)
{
	for (unsigned i = 0; i < n_harts; i++)
		if (harts[i].hwid == hwid)
			return &harts[i];
	return NULL;
}

static void add_hart(uint64_t hwid)
{
	if (hart_by_hwid(hwid))
		return;
	if (n_harts == HART_MAX) {
		log_warn("hart %lu left alone: this build supports %d", (unsigned long)hwid, HART_MAX);
		return;
	}
	harts[n_harts].hwid = hwid;
	harts[n_harts].index = n_harts;
	n_harts++;
}

/* What the device tree says about the hart that runs. */
struct boot_hart {
	uint64_t hwid;
	bool told_of;
};

static void add_cpu(uint64_t hwid, int node, void *arg)
{
	struct boot_hart *boot = arg;
	bool first = hwid == boot->hwid && !boot->told_of;

	(void)node;
	if (first)
		boot->told_of = true;
	else if (hart_by_hwid(hwid))
		log_warn("hart %lu is told of twice", (unsigned long)hwid);
	add_hart(hwid);
}

void arch_harts_discover(uint64_t boot_hwid)
{
	struct boot_hart boot = { .hwid = boot_hwid };

	add_hart(boot_hwid);
	dt_for_each_cpu(add_cpu, &boot);
	if (!boot.told_of)
		log_warn("hart %lu runs, but the device tree does not tell of it", (unsigned long)boot_hwid);
}

long arch_hart_start(struct hart *h)
{
	return sbi_hart_start(h->hwid, kva_to_hpa(_start_secondary), (uint64_t)(uintptr_t)h);
}

long arch_hart_stop(void)
{
	return sbi_hart_stop();
}

bool arch_hart_started(const struct hart *h)
{
	return sbi_hart_status(h->hwid) == SBI_HSM_STARTED;
}

bool arch_hart_stopped(const struct hart *h)
{
	return sbi_hart_status(h->hwid) == SBI_HSM_STOPPED;
}

void arch_hart_init(void)
{
	trap_init();
	CSR_WRITE(scounteren, COUNTEREN_CY | COUNTEREN_TM | COUNTEREN_IR);
	/* Off would make moving a vCPU's FP registers trap; the host itself uses none. */
	CSR_SET(sstatus, SSTATUS_FS_INITIAL);
	CSR_WRITE(sie, BIT(IRQ_S_SOFT) | BIT(IRQ_S_TIMER) | BIT(IRQ_S_EXT));
}
