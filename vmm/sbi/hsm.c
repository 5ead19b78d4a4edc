/* SBI Hart State Management extension ("Hart State Management Extension (EID #0x48534D)"). */
#include <vmm/memory.h>
#include <vmm/sbi.h>
#include <vmm/vm.h>

#define RETENTIVE 0x00000000
#define NON_RETENTIVE 0x80000000

static struct vcpu *vcpu_with_id(struct vcpu *v, uint64_t id)
{
	return vm_vcpu(v->vm, id);
}

bool sbi_can_begin_at(const struct vcpu *v, uint64_t pc)
{
	return !(pc & 1) && guest_in_ram(v->vm, GPA(pc), 2);
}

/* In task context: the other vCPU may need a task. */
static void start_deferred(struct vcpu *v)
{
	struct vcpu *target = vcpu_with_id(v, sbi_arg(v, 0));

	if (vcpu_start(target, sbi_arg(v, 1), sbi_arg(v, 2)) == 0) {
		task_wake(target->task);
		sbi_return(v, SBI_SUCCESS, 0);
		task_yield(); /* callers wait for it to come up; it may share this hart */
		return;
	}
	__atomic_store_n(&target->hsm_state, SBI_HSM_STOPPED, __ATOMIC_SEQ_CST);
	vm_vcpu_inactive(v->vm);
	sbi_return(v, SBI_ERR_FAILED, 0);
}

static enum vcpu_next hart_start(struct vcpu *v)
{
	struct vcpu *target = vcpu_with_id(v, sbi_arg(v, 0));
	unsigned stopped = SBI_HSM_STOPPED;

	if (!target)
		return sbi_return(v, SBI_ERR_INVALID_PARAM, 0);
	if (!sbi_can_begin_at(v, sbi_arg(v, 1)))
		return sbi_return(v, SBI_ERR_INVALID_ADDRESS, 0);
	/* Counted before its state says so: the VM may end now, and then the target counts itself out. */
	vm_vcpu_active(v->vm);
	if (!__atomic_compare_exchange_n(&target->hsm_state, &stopped, SBI_HSM_START_PENDING, false,
					 __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
		vm_vcpu_inactive(v->vm); /* we are active, so this is not the last */
		return sbi_return(v, SBI_ERR_ALREADY_AVAILABLE, 0);
	}
	return vcpu_defer(v, start_deferred);
}

static enum vcpu_next hart_status(struct vcpu *v)
{
	struct vcpu *target = vcpu_with_id(v, sbi_arg(v, 0));

	if (!target)
		return sbi_return(v, SBI_ERR_INVALID_PARAM, 0);
	return sbi_return(v, SBI_SUCCESS, __atomic_load_n(&target->hsm_state, __ATOMIC_SEQ_CST));
}

static enum vcpu_next suspend(struct vcpu *v)
{
	__atomic_store_n(&v->hsm_state, SBI_HSM_SUSPENDED, __ATOMIC_SEQ_CST);
	sbi_return(v, SBI_SUCCESS, 0);
	return vcpu_leave(v, LEAVE_WFI);
}

enum vcpu_next sbi_suspend_nonretentive(struct vcpu *v, uint64_t pc, uint64_t opaque)
{
	v->start_pc = pc;
	v->start_opaque = opaque;
	v->suspended_nonretentive = true;
	return suspend(v);
}

static enum vcpu_next hart_suspend(struct vcpu *v)
{
	uint32_t type = (uint32_t)sbi_arg(v, 0); /* of the register only 32 bits count ("Binary Encoding") */

	if (type == RETENTIVE)
		return suspend(v);
	if (type != NON_RETENTIVE)
		return sbi_return(v, SBI_ERR_INVALID_PARAM, 0);
	if (!sbi_can_begin_at(v, sbi_arg(v, 1)))
		return sbi_return(v, SBI_ERR_INVALID_ADDRESS, 0);
	return sbi_suspend_nonretentive(v, sbi_arg(v, 1), sbi_arg(v, 2));
}

static enum vcpu_next hsm_call(struct vcpu *v)
{
	switch (sbi_fid(v)) {
	case SBI_HSM_START:
		return hart_start(v);
	case SBI_HSM_STOP:
		return vcpu_leave(v, LEAVE_HSM_STOP);
	case SBI_HSM_STATUS:
		return hart_status(v);
	case SBI_HSM_SUSPEND:
		return hart_suspend(v);
	default:
		return sbi_return(v, SBI_ERR_NOT_SUPPORTED, 0);
	}
}

SBI_EXT(hsm) = { "hsm", SBI_EXT_HSM, SBI_EXT_HSM, hsm_call };
