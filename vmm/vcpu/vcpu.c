/* A vCPU's state: making it, its power-on values. Moving it onto and off harts: world.c. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <arch/hext.h>
#include <arch/sbi.h>
#include <caisson/hart.h>
#include <caisson/mm.h>
#include <vmm/partition.h>
#include <vmm/vcpu.h>
#include <vmm/vm.h>

#include "vcpu_internal.h"

static const struct task_ext_ops vcpu_task_ops = {
	.name = "vcpu",
	.switch_in = vcpu_switch_in,
	.switch_out = vcpu_switch_out,
};

/* Those of VMs whose plug-ins answer CSRs, so that others need not ask at a switch. */
static const struct task_ext_ops vcpu_taking_illegal_ops = {
	.name = "vcpu",
	.switch_in = vcpu_switch_in_taking_illegal,
	.switch_out = vcpu_switch_out_taking_illegal,
};

_Static_assert(IS_ENABLED(CONFIG_DEBUG) || sizeof(struct vcpu) - sizeof(((struct vcpu *)0)->costs) <= 2048,
	       "larger ones take a page each of the heap");

const char *exit_kind_name(enum exit_kind kind)
{
	static const char *const names[EXIT_KINDS] = {
		[EXIT_ECALL] = "ecall", [EXIT_MMIO_READ] = "mmio-read",
		[EXIT_MMIO_WRITE] = "mmio-write", [EXIT_RAM_FAULT] = "ram-fault",
		[EXIT_BAD_ACCESS] = "bad-access", [EXIT_WFI] = "wfi",
		[EXIT_VIRTUAL_INSN] = "virtual-insn", [EXIT_TIMER] = "timer",
		[EXIT_IPI] = "ipi", [EXIT_EXTERNAL] = "external", [EXIT_OTHER] = "other",
	};

	return kind < EXIT_KINDS ? names[kind] : "?";
}

struct vcpu *vcpu_create(struct vm *vm, unsigned id)
{
	struct vcpu *v = kzalloc(sizeof(*v));

	if (!v)
		return NULL;
	v->vm = vm;
	v->id = id;
	v->sstc = vm_has_ext(vm, ISA_SSTC);
	v->loads = vm->mmio.loads;
	v->stores = vm->mmio.stores;
	v->alone = vm->config->exclusive;
	v->running_on = -1;
	v->fence.lock = (spinlock_t)SPINLOCK_INIT;
	waitq_init(&v->wait);
	vcpu_sample_init(v);
	vcpu_spin_init(v);
	vcpu_cap_init(v);
	vcpu_reset(v);
	return v;
}

/* Other harts may be switching other vCPUs in at the same time: what they write must stay. */
static void forget(void **holder, void *v)
{
	__atomic_compare_exchange_n(holder, &v, NULL, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

static void forget_loaded_state(struct vcpu *v)
{
	for (unsigned h = 0; h < hart_count(); h++) {
		forget(&harts[h].loaded_vcpu, v);
		forget(&harts[h].fp_owner, v);
	}
	/* What it left under its VMID may be of RAM that it has no longer. */
	v->lease = 0;
}

void vcpu_destroy(struct vcpu *v)
{
	if (!v)
		return;
	timer_cancel_sync(&v->sample);
	timer_cancel_sync(&v->spin.timer);
	timer_cancel_sync(&v->cap.timer);
	forget_loaded_state(v);
	kfree(v);
}

void vcpu_power_on(struct vcpu *v)
{
	memset(&v->ctx, 0, sizeof(v->ctx));
	memset(&v->csrs, 0, sizeof(v->csrs));
	memset(&v->fp, 0, sizeof(v->fp));
	v->fp_used = false;
	/* sret enters VS-mode (SPV, SPVP, SPP) at 64 bits; interrupts for the host are on while V = 1. */
	v->ctx.hstatus = HSTATUS_SPV | HSTATUS_SPVP | HSTATUS_VSXL_64;
	v->ctx.sstatus = SSTATUS_SPP | SSTATUS_SPIE | SSTATUS_UXL_64;
	/* While it is off here, an FP instruction is illegal to the guest, whatever its own sstatus says. */
	if (vm_has_ext(v->vm, ISA_F))
		v->ctx.sstatus |= SSTATUS_FS_CLEAN;
	v->csrs.vsstatus = SSTATUS_UXL_64;
	v->csrs.vstimecmp = UINT64_MAX;
	/* Some user programs read the time before their kernel opens it. */
	v->csrs.scounteren = COUNTEREN_TM;
	v->csrs.henvcfg = guest_isa_henvcfg(v->vm->isa) | v->fwft.henvcfg;
	v->csrs.hcounteren = vcpu_counteren(v);
	v->csrs.hstateen0 = STATEEN_ENVCFG | (vm_has_ext(v->vm, ISA_SSSTATEEN) ? STATEEN_SE0 : 0);
	v->deadline = UINT64_MAX;
}

void vcpu_reset(struct vcpu *v)
{
	forget_loaded_state(v);
	v->fwft = (struct vcpu_fwft){ 0, 0 };
	v->steal = (struct vcpu_steal){ .record = NULL };
	vcpu_counters_reset(v);
	vcpu_power_on(v);
	v->requests = 0;
	v->fence.todo = (struct fence){ .spaces = FENCE_NO_SPACE };
	v->lines = 0;
	v->soft = 0;
	v->vector_faults = 0;
	v->suspended_nonretentive = false;
	v->hsm_state = SBI_HSM_STOPPED;
}

int vcpu_start(struct vcpu *v, uint64_t pc, uint64_t opaque)
{
	char name[24];
	struct task_attr attr = { .ext = &v->ext, .group = &v->vm->share.group, .suspended = true,
				  .hart_mask = vm_vcpu_harts(v->vm, v->id), .owns_hart = v->alone };

	v->start_pc = pc;
	v->start_opaque = opaque;
	v->fwft = (struct vcpu_fwft){ 0, 0 };
	__atomic_or_fetch(&v->requests, VCPU_REQ_START, __ATOMIC_SEQ_CST);
	if (v->task) {
		vcpu_request(v, 0);
		return 0;
	}
	v->ext.ops = v->vm->answers_csrs ? &vcpu_taking_illegal_ops : &vcpu_task_ops;
	snprintf(name, sizeof(name), "%.16s/%u", v->vm->config->name, v->id);
	v->task = task_create(name, vcpu_run, v, &attr);
	return v->task ? 0 : -ENOMEM;
}
