/*
 * SBI RFENCE extension ("RFENCE Extension (EID #0x52464E43)").
 *
 * A fence on the calling vCPU is one local instruction. Another vCPU gets a
 * request; it serves it at once if it runs, else before it enters the guest
 * again, so nothing is sent to harts that run something else.
 */
#include <vmm/sbi.h>
#include <vmm/vm.h>

enum { FENCE_I, SFENCE_VMA, SFENCE_VMA_ASID, HFENCE_GVMA_VMID, HFENCE_GVMA, HFENCE_VVMA_ASID, HFENCE_VVMA };

/** Beyond this many pages everything is dropped instead. */
#define MAX_PAGES 16

static inline void sfence_self(uint64_t start, uint64_t size, bool has_asid, uint64_t asid)
{
	uint64_t va = ALIGN_DOWN(start, PAGE_SIZE);
	uint64_t pages = size / PAGE_SIZE + 2;

	/* Size ~0, and start and size both 0, mean everything. */
	if (pages > MAX_PAGES || (start == 0 && size == 0)) {
		if (has_asid)
			vcpu_hfence_vvma_asid_all(asid);
		else
			vcpu_hfence_vvma_all();
		return;
	}
	/* Counted: the range may end with the last byte of the address space. */
	for (pages = (start - va + size + PAGE_SIZE - 1) / PAGE_SIZE; pages > 0; pages--, va += PAGE_SIZE) {
		if (has_asid)
			vcpu_hfence_vvma_asid(va, asid);
		else
			vcpu_hfence_vvma(va);
	}
}

void sbi_fence_i_mask(struct vcpu *v, uint64_t vcpus)
{
	if (vcpus & BIT(v->id))
		cpu_fence_i();
	vcpus &= ~BIT(v->id);
	if (vcpus)
		vcpu_request_sync(v, vcpus, VCPU_REQ_FENCE_I);
}

static void __attribute__((noinline)) sfence_others(struct vcpu *v, uint64_t vcpus, uint64_t start, uint64_t size,
						     bool has_asid, uint64_t asid)
{
	if (vcpus & BIT(v->id))
		sfence_self(start, size, has_asid, asid);
	vcpu_request_sync(v, vcpus & ~BIT(v->id), VCPU_REQ_FENCE);
}

/* Nearly always the caller means itself only, or itself and others. */
static inline void sfence_mask(struct vcpu *v, uint64_t vcpus, uint64_t start, uint64_t size, bool has_asid,
			       uint64_t asid)
{
	if (likely(vcpus == BIT(v->id)))
		sfence_self(start, size, has_asid, asid);
	else
		sfence_others(v, vcpus, start, size, has_asid, asid);
}

void sbi_sfence_mask(struct vcpu *v, uint64_t vcpus, uint64_t start, uint64_t size, bool has_asid, uint64_t asid)
{
	sfence_mask(v, vcpus, start, size, has_asid, asid);
}

static enum vcpu_next rfence_call(struct vcpu *v)
{
	uint64_t fid = sbi_fid(v), start = sbi_arg(v, 2), size = sbi_arg(v, 3), vcpus;

	/* Guests have no H extension, so its fences are not there either. */
	if (fid > SFENCE_VMA_ASID)
		return sbi_return(v, SBI_ERR_NOT_SUPPORTED, 0);
	if (sbi_hart_mask(v, sbi_arg(v, 0), sbi_arg(v, 1), &vcpus))
		return sbi_return(v, SBI_ERR_INVALID_PARAM, 0);
	if (fid != FENCE_I && size != UINT64_MAX && size && start + size - 1 < start)
		return sbi_return(v, SBI_ERR_INVALID_ADDRESS, 0);
	if (fid == FENCE_I)
		sbi_fence_i_mask(v, vcpus);
	else
		sfence_mask(v, vcpus, start, size, fid == SFENCE_VMA_ASID, sbi_arg(v, 4));
	return sbi_return(v, SBI_SUCCESS, 0);
}

SBI_EXT(rfence) = { "rfence", SBI_EXT_RFENCE, SBI_EXT_RFENCE, rfence_call };
