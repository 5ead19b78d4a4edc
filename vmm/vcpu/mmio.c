/* Guest-page faults: RAM that is not backed yet, devices, and nothing at all. */
#include <errno.h>

#include <arch/trap.h>
#include <vmm/memory.h>
#include <vmm/mmio.h>
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

/*
 * A machine need not tell the instruction in htinst. IGNORE_HTINST takes it away where QEMU does, but for the
 * pseudoinstructions (bit 0 clear), which no machine may leave out.
 */
static inline uint64_t told_insn(void)
{
	uint64_t htinst = vcpu_live_htinst();

	return IS_ENABLED(CONFIG_IGNORE_HTINST) && (htinst & 1) ? 0 : htinst;
}

/*
 * Without help from htinst: fetch the instruction through the guest's own translation, and bring it into htinst's form.
 * @return 0; -EFAULT: it is not there any more. The hart has executed it from an entry that it remembers and the guest has
 * changed since; that is dropped, and whoever goes on at pc sees what the guest has made of it.
 */
static int __attribute__((noinline)) fetch_transformed(uint64_t *insn)
{
	gva_t pc = GVA(vcpu_live_pc());
	uint16_t low, high = 0;

	if (vcpu_live_fetch16(pc, &low) || ((low & 3) == 3 && vcpu_live_fetch16(GVA(pc.v + 2), &high))) {
		vcpu_hfence_vvma(pc.v);
		vcpu_hfence_vvma(pc.v + 2);
		return -EFAULT;
	}
	*insn = insn_transform((uint32_t)high << 16 | low);
	return 0;
}

static inline enum vcpu_next load(struct vcpu *v, const struct mmio_load_slot *dev, uint64_t off, uint64_t insn)
{
	uint64_t value;

	if (unlikely(!insn_is_load(insn)))
		return vcpu_inject_access_fault(v, CAUSE_LOAD_GUEST_PAGE);
	vcpu_count_exit(v, EXIT_MMIO_READ);
	if (unlikely(dev->read(dev->arg, off, insn_size(insn), &value)))
		return vcpu_inject_access_fault(v, CAUSE_LOAD_GUEST_PAGE);
	vcpu_live_skip(insn_length(insn));
	return vcpu_set_register(v, insn_rd(insn), insn_extend(insn, value));
}

static enum vcpu_next __attribute__((noinline)) load_fetched(struct vcpu *v, const struct mmio_load_slot *dev,
							     uint64_t off)
{
	uint64_t insn;

	return fetch_transformed(&insn) ? VCPU_RESUME : load(v, dev, off, insn);
}

/* htinst also tells faults of the guest's own table walk (pseudoinstructions): those are no device accesses. */
static inline enum vcpu_next device_load(struct vcpu *v, const struct mmio_load_slot *dev, uint64_t off)
{
	uint64_t htinst = told_insn();

	return unlikely(!htinst) ? load_fetched(v, dev, off) : load(v, dev, off, htinst);
}

/* A device that cannot take the value now gets it again, when others have had the hart and interrupts were taken. */
static enum vcpu_next __attribute__((noinline)) store_failed(struct vcpu *v, int error)
{
	return error == -EAGAIN ? vcpu_leave(v, LEAVE_YIELD) : vcpu_inject_access_fault(v, CAUSE_STORE_GUEST_PAGE);
}

typedef int (*device_write)(void *dev, uint64_t off, unsigned size, uint64_t value);

/* Out of line, so that nothing needs a stack frame before the value is there. */
static enum vcpu_next __attribute__((noinline)) store_value(struct vcpu *v, void *arg, uint64_t off, uint64_t insn,
							    device_write write)
{
	int error;

	vcpu_count_exit(v, EXIT_MMIO_WRITE);
	error = write(arg, off, insn_size(insn), v->ctx.x[insn_rs2(insn)]);
	if (unlikely(error))
		return store_failed(v, error);
	vcpu_live_skip(insn_length(insn));
	/* The write may have ended the VM, or have woken another vCPU on this hart. */
	if (unlikely(v->requests & (VCPU_REQ_STOP | VCPU_REQ_STAY | VCPU_REQ_RESCHED)))
		return vcpu_leave(v, LEAVE_RESCHED);
	return VCPU_RESUME;
}

static inline enum vcpu_next store(struct vcpu *v, const struct mmio_store_slot *dev, uint64_t off, uint64_t insn)
{
	if (unlikely(!insn_is_store(insn)))
		return vcpu_inject_access_fault(v, CAUSE_STORE_GUEST_PAGE);
	if (unlikely(!vcpu_saved_early(insn_rs2(insn)))) {
		v->store = (struct vcpu_store){ dev->write, dev->arg, off, insn };
		return vcpu_take_register(insn_rs2(insn));
	}
	return store_value(v, dev->arg, off, insn, dev->write);
}

enum vcpu_next vcpu_exit_store_value(struct vcpu_ctx *ctx)
{
	struct vcpu *v = vcpu_of(ctx);

	return store_value(v, v->store.arg, v->store.off, v->store.insn, v->store.write);
}

static enum vcpu_next __attribute__((noinline)) store_fetched(struct vcpu *v, const struct mmio_store_slot *dev,
							      uint64_t off)
{
	uint64_t insn;

	return fetch_transformed(&insn) ? VCPU_RESUME : store(v, dev, off, insn);
}

static inline enum vcpu_next device_store(struct vcpu *v, const struct mmio_store_slot *dev, uint64_t off)
{
	uint64_t htinst = told_insn();

	return unlikely(!htinst) ? store_fetched(v, dev, off) : store(v, dev, off, htinst);
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
		vcpu_count_exit(v, EXIT_RAM_FAULT);
		/* The hart may have kept the entry that was not valid. */
		vcpu_fence_gpa(gpa, v->vmid);
		return VCPU_RESUME;
	case FAULT_NOMEM:
		return out_of_memory(v, gpa);
	default:
		return vcpu_inject_access_fault(v, cause);
	}
}

/* No device that has a place: one that has none, RAM, or nothing. */
static enum vcpu_next __attribute__((noinline)) other_load_fault(struct vcpu *v, uint64_t gpa)
{
	const struct area *area = aspace_find(&v->vm->space, gpa);
	struct mmio_load_slot dev;

	if (!area || area->kind != AREA_DEVICE)
		return ram_fault(v, gpa, CAUSE_LOAD_GUEST_PAGE);
	dev = (struct mmio_load_slot){ area->start, area->size, area->device->read, area->device_arg };
	return device_load(v, &dev, gpa - area->start);
}

static enum vcpu_next __attribute__((noinline)) other_store_fault(struct vcpu *v, uint64_t gpa)
{
	const struct area *area = aspace_find(&v->vm->space, gpa);
	struct mmio_store_slot dev;

	if (!area || area->kind != AREA_DEVICE)
		return ram_fault(v, gpa, CAUSE_STORE_GUEST_PAGE);
	dev = (struct mmio_store_slot){ area->start, area->size, area->device->write, area->device_arg };
	return device_store(v, &dev, gpa - area->start);
}

enum vcpu_next vcpu_exit_load_fault(struct vcpu_ctx *ctx)
{
	struct vcpu *v = vcpu_of(ctx);
	uint64_t gpa = faulting_gpa();
	const struct mmio_load_slot *dev = &v->loads[mmio_slot_of(gpa)];
	uint64_t off = gpa - dev->start;

	return unlikely(off >= dev->size) ? other_load_fault(v, gpa) : device_load(v, dev, off);
}

enum vcpu_next vcpu_exit_store_fault(struct vcpu_ctx *ctx)
{
	struct vcpu *v = vcpu_of(ctx);
	uint64_t gpa = faulting_gpa();
	const struct mmio_store_slot *dev = &v->stores[mmio_slot_of(gpa)];
	uint64_t off = gpa - dev->start;

	return unlikely(off >= dev->size) ? other_store_fault(v, gpa) : device_store(v, dev, off);
}

/* Devices hold no instructions: in an area of theirs the fault path says so. */
enum vcpu_next vcpu_fetch_fault(struct vcpu *v)
{
	return ram_fault(v, faulting_gpa(), CAUSE_FETCH_GUEST_PAGE);
}
