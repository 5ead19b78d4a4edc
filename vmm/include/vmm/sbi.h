/*
 * SBI as guests see it (RISC-V Supervisor Binary Interface 3.0). One file per
 * extension registers one structure; probe answers come from the same table.
 *
 * Handlers run on the exit path: interrupts off, caller-saved registers in
 * v->ctx, everything else live. What needs task context uses vcpu_defer().
 */
#pragma once

#include <arch/sbi.h>
#include <caisson/types.h>
#include <vmm/vcpu.h>

struct sbi_ext {
	const char *name;
	unsigned long first, last;   /* extension ids */
	/** Answer the call; a7 and a6 say which, pc is already behind the ecall. */
	enum vcpu_next (*call)(struct vcpu *v);
};

#define SBI_EXT(name) static const struct sbi_ext name IN_SECTION(".sbi_exts") ALIGNED_TO(8)

/* Arguments and results. */
static inline uint64_t sbi_arg(const struct vcpu *v, unsigned n) { return v->ctx.x[10 + n]; }
static inline uint64_t sbi_fid(const struct vcpu *v) { return v->ctx.x[16]; }
static inline uint64_t sbi_eid(const struct vcpu *v) { return v->ctx.x[17]; }

static inline enum vcpu_next sbi_return(struct vcpu *v, long error, uint64_t value)
{
	v->ctx.x[10] = (uint64_t)error;
	v->ctx.x[11] = value;
	return VCPU_RESUME;
}

/** The extension that answers for an id, or NULL. Same cost for every id. */
const struct sbi_ext *sbi_find(unsigned long eid);
/** Build the look-up table. Once. @return 0 or -ENOSPC. */
int sbi_init(void) __must_check;

/**
 * vCPUs that a (hart_mask, hart_mask_base) pair names ("Hart list parameter"): a mask of vCPU ids.
 * @return 0, or -EINVAL when it names a hart that does not exist.
 */
int sbi_hart_mask(const struct vcpu *v, uint64_t mask, uint64_t base, uint64_t *vcpus) __must_check;
/** Send an IPI to each vCPU of the mask; fence.i or guest-virtual fences on each and wait. */
void sbi_ipi_mask(struct vcpu *v, uint64_t vcpus);
void sbi_fence_i_mask(struct vcpu *v, uint64_t vcpus);
void sbi_sfence_mask(struct vcpu *v, uint64_t vcpus, uint64_t start, uint64_t size, bool has_asid, uint64_t asid);
