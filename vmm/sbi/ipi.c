/* SBI IPI extension ("IPI Extension (EID #0x735049)"). */
#include <caisson/hart.h>
#include <vmm/sbi.h>

static enum vcpu_next ipi_call(struct vcpu *v)
{
	uint64_t vcpus;

	if (sbi_fid(v) != 0)
		return sbi_return(v, SBI_ERR_NOT_SUPPORTED, 0);
	if (sbi_hart_mask(v, sbi_arg(v, 0), sbi_arg(v, 1), &vcpus))
		return sbi_return(v, SBI_ERR_INVALID_PARAM, 0);
	sbi_return(v, SBI_SUCCESS, 0);
	if (likely(vcpus == BIT(v->id))) {
		vcpu_live_hvip_set(BIT(IRQ_VS_SOFT));
		return VCPU_RESUME;
	}
	sbi_ipi_mask(v, vcpus);
	return this_hart()->resched ? vcpu_leave(v, LEAVE_RESCHED) : VCPU_RESUME;
}

SBI_EXT(ipi) = { "ipi", SBI_EXT_IPI, SBI_EXT_IPI, ipi_call };
