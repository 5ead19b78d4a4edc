/* SBI System Suspend extension ("System Suspend Extension (EID #0x53555350)"). */
#include <vmm/sbi.h>
#include <vmm/vm.h>

#define SUSPEND_TO_RAM 0

/* The caller runs, so of the others none can begin while we look. */
static bool others_stopped(const struct vcpu *v)
{
	for (unsigned i = 0; i < v->vm->n_vcpus; i++) {
		const struct vcpu *other = v->vm->vcpus[i];

		if (other != v && __atomic_load_n(&other->hsm_state, __ATOMIC_SEQ_CST) != SBI_HSM_STOPPED)
			return false;
	}
	return true;
}

/* For a VM the sleep of the system is that of its last hart: RAM stays, an interrupt that it enabled ends it. */
static enum vcpu_next susp_call(struct vcpu *v)
{
	if (sbi_fid(v) != 0)
		return sbi_return(v, SBI_ERR_NOT_SUPPORTED, 0);
	if ((uint32_t)sbi_arg(v, 0) != SUSPEND_TO_RAM) /* of the register only 32 bits count */
		return sbi_return(v, SBI_ERR_INVALID_PARAM, 0);
	if (!sbi_can_begin_at(v, sbi_arg(v, 1)))
		return sbi_return(v, SBI_ERR_INVALID_ADDRESS, 0);
	if (!others_stopped(v))
		return sbi_return(v, SBI_ERR_DENIED, 0);
	return sbi_suspend_nonretentive(v, sbi_arg(v, 1), sbi_arg(v, 2));
}

SBI_EXT(susp) = { "susp", SBI_EXT_SUSP, SBI_EXT_SUSP, susp_call };
