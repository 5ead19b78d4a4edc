/* Guest-page faults: RAM that is not backed yet, devices, and nothing at all. */
#include <arch/trap.h>
#include <vmm/memory.h>
#include <vmm/vcpu.h>
#include <vmm/vm.h>

#include "insn.h"
#include "vcpu_internal.h"

static unsigned access_of(uint64_t cause)
{
	switch (cause) {
	case CAUSE_FETCH_GUEST_PAGE:
		return PERM_X;
	case CAUSE_LOAD_GUEST_PAGE:
		return PERM_R;
	default:
		return PERM_W;
	}
}

/* Without help from htinst: fetch the instruction through the guest's own translation. */
static bool fetch_and_decode(struct mem_insn *insn)
{
	gva_t pc = GVA(vcpu_live_pc());
	uint16_t low, high = 0;

	if (vcpu_live_fetch16(pc, &low))
		return false;
	if ((low & 3) == 3 && vcpu_live_fetch16(GVA(pc.v + 2), &high))
		return false;
	return insn_decode((uint32_t)high << 16 | low, insn);
}

/* htinst also tells faults of the guest's own table walk (pseudoinstructions): those are no device accesses. */
static inline bool decode(struct mem_insn *insn)
{
	uint64_t htinst = vcpu_live_htinst();

	return likely(htinst) ? insn_decode_htinst(htinst, insn) : fetch_and_decode(insn);
}

static inline uint64_t extend(uint64_t value, unsigned size, bool sign)
{
	unsigned unused = 64 - 8 * size;

	return sign ? (uint64_t)((int64_t)(value << unused) >> unused) : value << unused >> unused;
}

static inline enum vcpu_next load(struct vcpu *v, const struct area *area, uint64_t off, const struct mem_insn *insn)
{
	uint64_t value;

	v->exits[EXIT_MMIO_READ]++;
	if (unlikely(area->device->read(area->device_arg, off, insn->size, &value)))
		return vcpu_inject_access_fault(v, CAUSE_LOAD_GUEST_PAGE);
	if (likely(insn->reg))
		v->ctx.x[insn->reg] = extend(value, insn->size, insn->sign);
	vcpu_live_skip(insn->length);
	return VCPU_RESUME;
}

static inline enum vcpu_next store(struct vcpu *v, const struct area *area, uint64_t off, const struct mem_insn *insn)
{
	uint64_t value = extend(v->ctx.x[insn->reg], insn->size, false);

	v->exits[EXIT_MMIO_WRITE]++;
	if (unlikely(area->device->write(area->device_arg, off, insn->size, value)))
		return vcpu_inject_access_fault(v, CAUSE_STORE_GUEST_PAGE);
	vcpu_live_skip(insn->length);
	/* The write may have ended the VM. */
	return unlikely(v->requests & (VCPU_REQ_STOP | VCPU_REQ_PAUSE)) ? vcpu_leave(v, LEAVE_RESCHED) : VCPU_RESUME;
}

/* saved: the registers that VCPU_SAVED_EARLY does not name, x[insn.reg] maybe among them. */
static inline enum vcpu_next device_access(struct vcpu *v, const struct area *area, uint64_t off, uint64_t saved)
{
	struct mem_insn insn;

	/* An atomic on a device gets the access fault: devices here do not take them. */
	if (unlikely(!decode(&insn)))
		return vcpu_inject_access_fault(v, v->fault_cause);
	if (unlikely(!(saved & BIT(insn.reg))))
		return VCPU_SAVED;
	return insn.store ? store(v, area, off, &insn) : load(v, area, off, &insn);
}

/* The device area at gpa, NULL if there is none. Accesses come in runs, so the last one is tried first. */
static inline const struct area *device_at(struct vcpu *v, uint64_t gpa)
{
	const struct area *a = v->device_area;

	if (likely(a && gpa - a->start < a->size))
		return a;
	a = aspace_find(&v->vm->space, gpa);
	if (!a || a->kind != AREA_DEVICE)
		return NULL;
	v->device_area = a;
	return a;
}

/* The machine's memory is out: the VM that asked ends, nobody else notices. */
static enum vcpu_next out_of_memory(struct vcpu *v, uint64_t gpa)
{
	vm_end(v->vm, VM_END_CRASH, 1, "the machine is out of memory (guest touched %lx)", (unsigned long)gpa);
	return vcpu_leave(v, LEAVE_RESCHED);
}

static inline uint64_t faulting_gpa(void)
{
	return vcpu_live_htval() << 2 | (vcpu_live_stval() & 3);
}

static enum vcpu_next ram_fault(struct vcpu *v, uint64_t gpa, uint64_t cause)
{
	switch (aspace_fault(&v->vm->space, gpa, access_of(cause))) {
	case FAULT_RESOLVED:
		v->exits[EXIT_RAM_FAULT]++;
		/* The hart may have kept the entry that was not valid. */
		vcpu_fence_gpa(gpa, v->vm->vmid);
		return VCPU_RESUME;
	case FAULT_NOMEM:
		return out_of_memory(v, gpa);
	default:
		return vcpu_inject_access_fault(v, cause);
	}
}

enum vcpu_next vcpu_guest_page_fault(struct vcpu *v, uint64_t cause)
{
	uint64_t gpa = faulting_gpa();
	const struct area *area = device_at(v, gpa);

	v->fault_cause = cause;
	if (likely(area && cause != CAUSE_FETCH_GUEST_PAGE))
		return device_access(v, area, gpa - area->start, VCPU_SAVED_EARLY);
	return ram_fault(v, gpa, cause);
}

enum vcpu_next vcpu_exit_saved(struct vcpu_ctx *ctx)
{
	struct vcpu *v = vcpu_of(ctx);

	return device_access(v, v->device_area, faulting_gpa() - v->device_area->start, ~UINT64_C(0));
}
