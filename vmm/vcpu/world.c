/* Moving vCPUs onto harts and off them: VMIDs, VS CSRs, FP registers (vmm/world.h). */
#include <arch/cpu.h>
#include <arch/hext.h>
#include <arch/timer.h>
#include <caisson/smp.h>
#include <caisson/time.h>
#include <vmm/partition.h>
#include <vmm/vcpu.h>
#include <vmm/vm.h>
#include <vmm/world.h>

#include "vcpu_internal.h"

struct world worlds[HART_MAX];

void worlds_init(void)
{
	for (unsigned h = 0; h < HART_MAX; h++)
		worlds[h].lease = h + 1;
}

static bool is_first_lease(const struct world *w)
{
	return w->lease <= HART_MAX;
}

bool world_has_new_vmid(struct vcpu *v)
{
	struct world *w = &worlds[this_hart()->index];

	if (likely(v->lease == w->lease))
		return false;
	if (w->next_vmid >= BIT(hext.vmid_bits)) {
		w->next_vmid = 0;
		w->lease += HART_MAX;
	}
	v->vmid = (uint16_t)w->next_vmid++;
	v->lease = w->lease;
	w->counts.vmids++;
	return true;
}

/* After hgatp was written, so that nothing comes back under the new number through the last vCPU's tables. */
void world_use_vmid(struct vcpu *v)
{
	struct world *w = &worlds[this_hart()->index];

	if (is_first_lease(w))
		return;
	if (v->vmid == 0) {
		w->counts.flushes++;
		hext_flush_all();
	}
	/* Guest-virtual translations are dropped for one VMID at a time. */
	vcpu_hfence_vvma_all();
}

/* hart.fp_owner while the FP registers are as at power-on: they belong to every vCPU that has not changed them yet. */
static char nobody_yet;

/* FP registers: saved when dirty, restored only if another vCPU used this hart's (or this vCPU another hart). */
static void fp_save(struct vcpu *v)
{
	struct hart *h = this_hart();

	if ((v->ctx.sstatus & SSTATUS_FS) != SSTATUS_FS_DIRTY)
		return;
	fp_state_save(&v->fp);
	worlds[h->index].counts.fp_saves++;
	v->ctx.sstatus = (v->ctx.sstatus & ~SSTATUS_FS) | SSTATUS_FS_CLEAN;
	v->fp_used = true;
	h->fp_owner = v;
}

static void fp_load(struct vcpu *v, bool came_from_elsewhere)
{
	void *owner = v->fp_used ? (void *)v : &nobody_yet;
	struct hart *h = this_hart();

	if (h->fp_owner == owner && !(v->fp_used && came_from_elsewhere))
		return;
	fp_state_load(&v->fp);
	worlds[h->index].counts.fp_loads++;
	h->fp_owner = owner;
}

static void load_csrs(struct vcpu *v, struct hart *h, bool elsewhere)
{
	bool new_vmid = world_has_new_vmid(v);

	vcpu_set_stage2(vm_root_table(v->vm), vm_format(v->vm)->mode, v->vmid);
	if (new_vmid)
		world_use_vmid(v);
	vcpu_csrs_load(&v->csrs);
	worlds[h->index].counts.loads++;
	/* It may have written instructions elsewhere after it fetched here. */
	if (elsewhere)
		cpu_fence_i();
	h->loaded_vcpu = v;
	v->loaded_hart = h->index;
}

static void load(struct vcpu *v)
{
	struct hart *h = this_hart();
	bool elsewhere = v->loaded_hart != h->index;

	if (h->loaded_vcpu != v || elsewhere)
		load_csrs(v, h, elsewhere);
	fp_load(v, elsewhere);
}

void vcpu_switch_in(struct task_ext *ext)
{
	struct vcpu *v = container_of(ext, struct vcpu, ext);

	if (IS_ENABLED(CONFIG_COSTS_BY_CAUSE))
		costs_switch_in(v);
	load(v);
	if (v->steal.record)
		vcpu_steal_publish(v);
	if (v->counters.hardware_started)
		vcpu_counters_switch_in(v);
	v->sampled_at = cpu_time();
	if (unlikely(v->vm->share.quota))
		vcpu_cap_begin(v);
	if (v->sstc)
		return;
	if (v->deadline <= cpu_time())
		vcpu_timer_expired(v);
	else
		timer_set_guest_deadline(v->deadline);
}

void vcpu_switch_out(struct task_ext *ext)
{
	struct vcpu *v = container_of(ext, struct vcpu, ext);

	__atomic_store_n(&v->running_on, -1, __ATOMIC_SEQ_CST);
	vcpu_csrs_save(&v->csrs);
	fp_save(v);
	if (v->steal.record)
		vcpu_steal_begin(v);
	if (v->counters.hardware_started)
		vcpu_counters_switch_out(v);
	if (unlikely(v->vm->share.quota))
		vcpu_cap_end(v);
	if (!v->sstc)
		timer_set_guest_deadline(UINT64_MAX);
	if (IS_ENABLED(CONFIG_COSTS_BY_CAUSE))
		costs_switch_out();
}

void vcpu_switch_in_taking_illegal(struct task_ext *ext)
{
	vcpu_switch_in(ext);
	hext_take_illegal(true);
}

void vcpu_switch_out_taking_illegal(struct task_ext *ext)
{
	hext_take_illegal(false);
	vcpu_switch_out(ext);
}

/* --- leaving harts for good --- */

/* On the hart. Its hgatp must not go on naming tables that are taken down. */
static void unload(void *vm)
{
	struct hart *h = this_hart();
	struct vcpu *v = h->loaded_vcpu;

	if (!v || v->vm != vm)
		return;
	vcpu_set_stage2(HPA(0), 0, 0);
	h->loaded_vcpu = NULL;
}

static uint64_t harts_with(const struct vm *vm)
{
	uint64_t mask = 0;

	for (unsigned h = 0; h < hart_count(); h++)
		for (unsigned i = 0; i < vm->n_vcpus; i++)
			if (__atomic_load_n(&harts[h].loaded_vcpu, __ATOMIC_SEQ_CST) == vm->vcpus[i])
				mask |= BIT(h);
	return mask;
}

void vm_unload(struct vm *vm)
{
	smp_call_mask(harts_with(vm), unload, vm);
}
