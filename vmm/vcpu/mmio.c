/* Guest-page faults: RAM that is not backed yet, devices, and nothing at all. */
#include <errno.h>

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
static uint64_t __attribute__((noinline)) fetch_transformed(void)
{
	gva_t pc = GVA(vcpu_live_pc());
	uint16_t low, high = 0;

	if (vcpu_live_fetch16(pc, &low))
		return 0;
	if ((low & 3) == 3 && vcpu_live_fetch16(GVA(pc.v + 2), &high))
		return 0;
	return insn_transform((uint32_t)high << 16 | low);
}

/* htinst also tells faults of the guest's own table walk (pseudoinstructions): those are no device accesses. */
static inline uint64_t faulting_insn(void)
{
	uint64_t htinst = vcpu_live_htinst();

	return likely(htinst) ? htinst : fetch_transformed();
}

/* saved: the registers whose values are in ctx. The instruction may name another: then all are saved first. */
static inline enum vcpu_next load(struct vcpu *v, const struct vcpu_device *dev, uint64_t off, uint64_t insn,
				  uint64_t saved)
{
	uint64_t value;

	if (unlikely(!insn_is_load(insn)))
		return vcpu_inject_access_fault(v, CAUSE_LOAD_GUEST_PAGE);
	if (unlikely(!(saved >> insn_rd(insn) & 1)))
		return VCPU_SAVED;
	v->exits[EXIT_MMIO_READ]++;
	if (unlikely(dev->read(dev->arg, off, insn_size(insn), &value)))
		return vcpu_inject_access_fault(v, CAUSE_LOAD_GUEST_PAGE);
	v->ctx.x[insn_rd(insn)] = insn_extend(insn, value);
	v->ctx.x[0] = 0;
	vcpu_live_skip(insn_length(insn));
	return VCPU_RESUME;
}

/* A device that cannot take the value now gets it again, when others have had the hart and interrupts were taken. */
static enum vcpu_next __attribute__((noinline)) store_failed(struct vcpu *v, int error)
{
	return error == -EAGAIN ? vcpu_leave(v, LEAVE_YIELD) : vcpu_inject_access_fault(v, CAUSE_STORE_GUEST_PAGE);
}

static inline enum vcpu_next store(struct vcpu *v, const struct vcpu_device *dev, uint64_t off, uint64_t insn,
				   uint64_t saved)
{
	uint64_t value = v->ctx.x[insn_rs2(insn)];
	int error;

	if (unlikely(!insn_is_store(insn)))
		return vcpu_inject_access_fault(v, CAUSE_STORE_GUEST_PAGE);
	if (unlikely(!(saved >> insn_rs2(insn) & 1)))
		return VCPU_SAVED;
	v->exits[EXIT_MMIO_WRITE]++;
	error = dev->write(dev->arg, off, insn_size(insn), value);
	if (unlikely(error))
		return store_failed(v, error);
	vcpu_live_skip(insn_length(insn));
	/* The write may have ended the VM, or have woken another vCPU on this hart. */
	if (unlikely(v->requests & (VCPU_REQ_STOP | VCPU_REQ_PAUSE | VCPU_REQ_RESCHED)))
		return vcpu_leave(v, LEAVE_RESCHED);
	return VCPU_RESUME;
}

/* The machine's memory is out: the VM that asked waits until some is free; nobody else notices. */
static enum vcpu_next out_of_memory(struct vcpu *v, uint64_t gpa)
{
	vm_hold(v->vm, gpa);
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

static inline bool in_window(const struct vcpu_device *dev, uint64_t gpa)
{
	return gpa - dev->start < dev->size;
}

/* Where the cache of devices holds the one at gpa: neighbouring pages and different gigabytes fall apart. */
static inline struct vcpu_device *cached_device(struct vcpu *v, uint64_t gpa)
{
	return &v->devices[(gpa >> 12 ^ gpa >> 26) % ARRAY_SIZE(v->devices)];
}

static enum vcpu_next device_access(struct vcpu *v, uint64_t gpa, uint64_t cause, uint64_t saved)
{
	const struct vcpu_device *dev = cached_device(v, gpa);

	if (cause == CAUSE_LOAD_GUEST_PAGE)
		return load(v, dev, gpa - dev->start, faulting_insn(), saved);
	return store(v, dev, gpa - dev->start, faulting_insn(), saved);
}

/* No device that is in the cache: another one, RAM, or nothing. */
static enum vcpu_next __attribute__((noinline)) other_fault(struct vcpu *v, uint64_t gpa, uint64_t cause)
{
	const struct area *area = aspace_find(&v->vm->space, gpa);

	if (!area || area->kind != AREA_DEVICE)
		return ram_fault(v, gpa, cause);
	*cached_device(v, gpa) = (struct vcpu_device){
		.start = area->start,
		.size = area->size,
		.read = area->device->read,
		.write = area->device->write,
		.arg = area->device_arg,
	};
	return device_access(v, gpa, cause, VCPU_SAVED_EARLY);
}

enum vcpu_next vcpu_load_fault(struct vcpu *v)
{
	uint64_t gpa = faulting_gpa();
	const struct vcpu_device *dev = cached_device(v, gpa);

	if (unlikely(!in_window(dev, gpa)))
		return other_fault(v, gpa, CAUSE_LOAD_GUEST_PAGE);
	return load(v, dev, gpa - dev->start, faulting_insn(), VCPU_SAVED_EARLY);
}

enum vcpu_next vcpu_store_fault(struct vcpu *v)
{
	uint64_t gpa = faulting_gpa();
	const struct vcpu_device *dev = cached_device(v, gpa);

	if (unlikely(!in_window(dev, gpa)))
		return other_fault(v, gpa, CAUSE_STORE_GUEST_PAGE);
	return store(v, dev, gpa - dev->start, faulting_insn(), VCPU_SAVED_EARLY);
}

/* Devices hold no instructions: in an area of theirs the fault path says so. */
enum vcpu_next vcpu_fetch_fault(struct vcpu *v)
{
	return ram_fault(v, faulting_gpa(), CAUSE_FETCH_GUEST_PAGE);
}

enum vcpu_next vcpu_exit_saved(struct vcpu_ctx *ctx)
{
	uint64_t cause = vcpu_live_cause();

	if (unlikely(cause == CAUSE_VIRTUAL_INSN))
		return vcpu_virtual_insn_saved(vcpu_of(ctx));
	if (unlikely(cause == CAUSE_ILLEGAL))
		return vcpu_illegal_insn(vcpu_of(ctx), ~UINT64_C(0));
	return device_access(vcpu_of(ctx), faulting_gpa(), cause, ~UINT64_C(0));
}
