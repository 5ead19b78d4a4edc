/* SBI Steal-time Accounting extension ("Steal-time Accounting Extension (EID #0x535441)"). */
#include <vmm/memory.h>
#include <vmm/sbi.h>
#include <vmm/vm.h>

#define NO_SHMEM UINT64_MAX

static long set_shmem(struct vcpu *v, uint64_t low, uint64_t high, uint64_t flags)
{
	void *record;

	if (flags)
		return SBI_ERR_INVALID_PARAM;
	if (low == NO_SHMEM && high == NO_SHMEM) {
		vcpu_steal_set(v, NULL);
		return SBI_SUCCESS;
	}
	if (!IS_ALIGNED(low, VCPU_STEAL_SIZE))
		return SBI_ERR_INVALID_PARAM;
	if (high || !guest_in_ram(v->vm, GPA(low), VCPU_STEAL_SIZE))
		return SBI_ERR_INVALID_ADDRESS;
	record = guest_address(v->vm, GPA(low), VCPU_STEAL_SIZE);
	if (!record)
		return SBI_ERR_FAILED;
	vcpu_steal_set(v, record);
	return SBI_SUCCESS;
}

static enum vcpu_next sta_call(struct vcpu *v)
{
	if (sbi_fid(v) != 0)
		return sbi_return(v, SBI_ERR_NOT_SUPPORTED, 0);
	return sbi_return(v, set_shmem(v, sbi_arg(v, 0), sbi_arg(v, 1), sbi_arg(v, 2)), 0);
}

SBI_EXT(sta) = { "sta", SBI_EXT_STA, SBI_EXT_STA, sta_call };
