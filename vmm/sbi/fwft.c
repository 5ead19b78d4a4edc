/*
 * SBI Firmware Features extension ("Firmware Features Extension (EID #0x46574654)").
 *
 * Page-table A/D updating is a bit of the vCPU's own henvcfg, so a guest may
 * choose. Misaligned accesses are the firmware's below us to delegate: what it
 * does holds for all VMs, and guests may only look. The other features have
 * state that is not switched with the vCPU, so guests do not get them.
 */
#include <vmm/sbi.h>
#include <vmm/vm.h>

#define LOCK 1UL

static bool reserved(uint32_t feature)
{
	return feature > SBI_FWFT_POINTER_MASKING_PMLEN;
}

/* What reaches us goes to the guest (hedeleg); firmware that does not tell leaves us nothing to say. */
static long misaligned_get(uint64_t *value)
{
	struct sbiret r = sbi_call(SBI_EXT_FWFT, SBI_FWFT_GET, SBI_FWFT_MISALIGNED_EXC_DELEG, 0, 0, 0);

	if (r.error)
		return SBI_ERR_NOT_SUPPORTED;
	*value = r.value != 0;
	return SBI_SUCCESS;
}

static long feature_get(const struct vcpu *v, uint32_t feature, uint64_t *value)
{
	*value = 0;
	if (reserved(feature))
		return SBI_ERR_DENIED;
	if (feature == SBI_FWFT_MISALIGNED_EXC_DELEG)
		return misaligned_get(value);
	if (feature != SBI_FWFT_PTE_AD_HW_UPDATING || !vm_has_ext(v->vm, ISA_SVADU))
		return SBI_ERR_NOT_SUPPORTED;
	*value = (v->fwft.henvcfg & ENVCFG_ADUE) != 0;
	return SBI_SUCCESS;
}

static void ad_updating_set(struct vcpu *v, bool on)
{
	v->fwft.henvcfg = on ? ENVCFG_ADUE : 0;
	v->csrs.henvcfg = (v->csrs.henvcfg & ~ENVCFG_ADUE) | v->fwft.henvcfg;
	vcpu_live_set_henvcfg(v->csrs.henvcfg);
	vcpu_hfence_vvma_all(); /* translations made under the other rule */
}

static long feature_set(struct vcpu *v, uint32_t feature, uint64_t value, uint64_t flags)
{
	uint64_t now;
	long error = feature_get(v, feature, &now);

	if (error)
		return error;
	if (value > 1 || flags & ~LOCK)
		return SBI_ERR_INVALID_PARAM;
	if (v->fwft.locked & BIT(feature))
		return SBI_ERR_DENIED;
	if (value != now && feature != SBI_FWFT_PTE_AD_HW_UPDATING)
		return SBI_ERR_DENIED;
	if (value != now)
		ad_updating_set(v, value);
	if (flags & LOCK)
		v->fwft.locked |= (uint32_t)BIT(feature);
	return SBI_SUCCESS;
}

static enum vcpu_next fwft_call(struct vcpu *v)
{
	uint32_t feature = (uint32_t)sbi_arg(v, 0); /* of the register only 32 bits count ("Binary Encoding") */
	uint64_t value = 0;
	long error;

	switch (sbi_fid(v)) {
	case SBI_FWFT_SET:
		return sbi_return(v, feature_set(v, feature, sbi_arg(v, 1), sbi_arg(v, 2)), 0);
	case SBI_FWFT_GET:
		error = feature_get(v, feature, &value);
		return sbi_return(v, error, value);
	default:
		return sbi_return(v, SBI_ERR_NOT_SUPPORTED, 0);
	}
}

SBI_EXT(fwft) = { "fwft", SBI_EXT_FWFT, SBI_EXT_FWFT, fwft_call };
