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
static bool decode(uint64_t htinst, struct mem_insn *insn)
{
	if (htinst)
		return insn_decode_htinst(htinst, insn);
	return fetch_and_decode(insn);
}

static uint64_t extend(uint64_t value, const struct mem_insn *insn)
{
	unsigned unused = 64 - 8 * insn->size;

	return insn->sign ? (uint64_t)((int64_t)(value << unused) >> unused) : value << unused >> unused;
}

static enum vcpu_next device_access(struct vcpu *v, const struct area *area, uint64_t off,
				    const struct mem_insn *insn)
{
	uint64_t value = 0;

	if (insn->store) {
		v->exits[EXIT_MMIO_WRITE]++;
		value = extend(v->ctx.x[insn->reg], &(struct mem_insn){ .size = insn->size });
		if (area->device->write(area->device_arg, off, insn->size, value))
			return vcpu_inject_access_fault(v, CAUSE_STORE_GUEST_PAGE);
	} else {
		v->exits[EXIT_MMIO_READ]++;
		if (area->device->read(area->device_arg, off, insn->size, &value))
			return vcpu_inject_access_fault(v, CAUSE_LOAD_GUEST_PAGE);
		if (insn->reg)
			v->ctx.x[insn->reg] = extend(value, insn);
	}
	vcpu_live_skip(insn->length);
	return v->requests & (VCPU_REQ_STOP | VCPU_REQ_PAUSE) ? vcpu_leave(v, LEAVE_RESCHED) : VCPU_RESUME;
}

static enum vcpu_next device_fault(struct vcpu *v, uint64_t gpa, uint64_t cause)
{
	const struct area *area = aspace_find(&v->vm->space, gpa);
	struct mem_insn insn;

	if (cause == CAUSE_FETCH_GUEST_PAGE || !decode(vcpu_live_htinst(), &insn) ||
	    insn.store != (cause == CAUSE_STORE_GUEST_PAGE))
		return vcpu_inject_access_fault(v, cause);
	return device_access(v, area, gpa - area->start, &insn);
}

/* The machine's memory is out: the VM that asked ends, nobody else notices. */
static enum vcpu_next out_of_memory(struct vcpu *v, uint64_t gpa)
{
	vm_end(v->vm, VM_END_CRASH, 1, "the machine is out of memory (guest touched %lx)", (unsigned long)gpa);
	return vcpu_leave(v, LEAVE_RESCHED);
}

enum vcpu_next vcpu_guest_page_fault(struct vcpu *v, uint64_t cause)
{
	uint64_t gpa = vcpu_live_htval() << 2 | (vcpu_live_stval() & 3);

	switch (aspace_fault(&v->vm->space, gpa, access_of(cause))) {
	case FAULT_DEVICE:
		return device_fault(v, gpa, cause);
	case FAULT_RESOLVED:
		v->exits[EXIT_RAM_FAULT]++;
		return VCPU_RESUME;
	case FAULT_NOMEM:
		return out_of_memory(v, gpa);
	case FAULT_NO_AREA:
	case FAULT_PERM:
	default:
		return vcpu_inject_access_fault(v, cause);
	}
}
