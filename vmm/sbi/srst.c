/* SBI System Reset extension ("System Reset Extension (EID #0x53525354)"). */
#include <vmm/sbi.h>
#include <vmm/vm.h>

static enum vcpu_next srst_call(struct vcpu *v)
{
	/* Of the registers only 32 bits count ("Binary Encoding"). */
	uint32_t type = (uint32_t)sbi_arg(v, 0), reason = (uint32_t)sbi_arg(v, 1);

	if (sbi_fid(v) != 0)
		return sbi_return(v, SBI_ERR_NOT_SUPPORTED, 0);
	/* Of the vendor ranges nothing is ours. */
	if (type > SBI_SRST_WARM_REBOOT || reason > SBI_SRST_REASON_FAILURE)
		return sbi_return(v, SBI_ERR_INVALID_PARAM, 0);
	if (reason == SBI_SRST_REASON_FAILURE)
		vm_end(v->vm, VM_END_CRASH, 1, "vCPU %u asked for a reset: system failure", v->id);
	else if (type == SBI_SRST_SHUTDOWN)
		vm_end(v->vm, VM_END_SHUTDOWN, 0, "shut down by vCPU %u", v->id);
	else
		vm_end(v->vm, VM_END_RESET, 0, "%s reboot by vCPU %u",
		       type == SBI_SRST_WARM_REBOOT ? "warm" : "cold", v->id);
	return vcpu_leave(v, LEAVE_RESCHED);
}

SBI_EXT(srst) = { "srst", SBI_EXT_SRST, SBI_EXT_SRST, srst_call };
