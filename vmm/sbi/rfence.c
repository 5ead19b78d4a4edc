/*
 * SBI RFENCE extension ("RFENCE Extension (EID #0x52464E43)").
 *
 * A fence on the calling vCPU is one local instruction. Another vCPU is asked for it (vmm/fence.h).
 */
#include <vmm/sbi.h>
#include <vmm/vm.h>

enum { FENCE_I, SFENCE_VMA, SFENCE_VMA_ASID, HFENCE_GVMA_VMID, HFENCE_GVMA, HFENCE_VVMA_ASID, HFENCE_VVMA };

static void fence_others(struct vcpu *v, uint64_t others, const struct fence *what, enum fw_event sent)
{
	for (unsigned i = 0; others >> i; i++)
		if (others >> i & 1)
			vcpu_count_sent(v, v->vm->vcpus[i], sent);
	if (others)
		vcpu_fence_others(v, others, what);
}

void sbi_fence_i_mask(struct vcpu *v, uint64_t vcpus)
{
	const struct fence what = { .insns = true, .spaces = FENCE_NO_SPACE };

	if (vcpus & BIT(v->id))
		cpu_fence_i();
	fence_others(v, vcpus & ~BIT(v->id), &what, FW_FENCE_I_SENT);
}

void sbi_sfence_mask(struct vcpu *v, uint64_t vcpus, uint64_t start, uint64_t size, bool has_asid, uint64_t asid)
{
	const struct fence what = fence_of_pages(start, size, has_asid, asid);

	if (vcpus & BIT(v->id))
		fence_pages(start, size, has_asid, asid);
	fence_others(v, vcpus & ~BIT(v->id), &what, has_asid ? FW_SFENCE_ASID_SENT : FW_SFENCE_SENT);
}

/* Fences that concern others too: out of line, so that one of the caller alone needs no stack. */
static enum vcpu_next __attribute__((noinline)) with_others(struct vcpu *v, uint64_t vcpus)
{
	uint64_t fid = sbi_fid(v);

	if (fid == FENCE_I)
		sbi_fence_i_mask(v, vcpus);
	else
		sbi_sfence_mask(v, vcpus, sbi_arg(v, 2), sbi_arg(v, 3), fid == SFENCE_VMA_ASID, sbi_arg(v, 4));
	return sbi_return(v, SBI_SUCCESS, 0);
}

static enum vcpu_next rfence_call(struct vcpu *v)
{
	uint64_t fid = sbi_fid(v), start = sbi_arg(v, 2), size = sbi_arg(v, 3), vcpus;

	/* Guests have no H extension, so its fences are not there either. */
	if (fid > SFENCE_VMA_ASID)
		return sbi_return(v, SBI_ERR_NOT_SUPPORTED, 0);
	if (sbi_hart_mask(v, sbi_arg(v, 0), sbi_arg(v, 1), &vcpus))
		return sbi_return(v, SBI_ERR_INVALID_PARAM, 0);
	if (unlikely(start + size - 1 < start) && fid != FENCE_I && size != UINT64_MAX && size)
		return sbi_return(v, SBI_ERR_INVALID_ADDRESS, 0);
	if (unlikely(vcpus != BIT(v->id)))
		return with_others(v, vcpus);
	if (fid == FENCE_I)
		cpu_fence_i();
	else
		fence_pages(start, size, fid == SFENCE_VMA_ASID, sbi_arg(v, 4));
	return sbi_return(v, SBI_SUCCESS, 0);
}

SBI_EXT(rfence) = { "rfence", SBI_EXT_RFENCE, SBI_EXT_RFENCE, rfence_call };
