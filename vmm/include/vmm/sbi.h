/*
 * SBI as guests see it (RISC-V Supervisor Binary Interface 3.0). One file per
 * extension registers one structure; probe answers come from the same table.
 *
 * Handlers run on the exit path: interrupts off, caller-saved registers in
 * v->ctx, everything else live. What needs task context uses vcpu_defer().
 */
#pragma once

#include <errno.h>

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

/*
 * The look-up table: no two ids share a place (sbi_init sees to it), so each look-up is one look, and a known and an
 * unknown id cost the same few instructions.
 */
#define SBI_SLOTS 64 /* a power of two, several times the number of ids */

struct sbi_slot {
	unsigned long eid;
	const struct sbi_ext *ext;
};

extern struct sbi_slot sbi_slots[SBI_SLOTS];
/** The same for vCPUs whose guest wants set_timer to be counted (vcpu.sbi), so that others do not pay for it. */
extern struct sbi_slot sbi_counting_slots[SBI_SLOTS];

static inline unsigned sbi_hash(unsigned long eid)
{
	return (unsigned)(eid ^ eid >> 5) & (SBI_SLOTS - 1); /* keeps all standard ids apart */
}

static inline const struct sbi_ext *sbi_find_in(const struct sbi_slot *slots, unsigned long eid)
{
	const struct sbi_slot *slot = &slots[sbi_hash(eid)];

	return slot->eid == eid ? slot->ext : NULL;
}

/** The extension that answers for an id, or NULL. */
static inline const struct sbi_ext *sbi_find(unsigned long eid)
{
	return sbi_find_in(sbi_slots, eid);
}

/** Build the look-up table. Once. @return 0; -EEXIST, with a message: two ids share a place, and sbi_hash() has to be another. */
int sbi_init(void) __must_check;

/**
 * vCPUs that a (hart_mask, hart_mask_base) pair names ("Hart list parameter"): a mask of vCPU ids.
 * @return 0, or -EINVAL when it names a hart that does not exist.
 */
static inline __must_check int sbi_hart_mask(const struct vcpu *v, uint64_t mask, uint64_t base, uint64_t *vcpus)
{
	uint64_t all = v->siblings;

	*vcpus = mask << (base & 63);
	if (likely(base < 64 && *vcpus >> base == mask && !(*vcpus & ~all)))
		return 0;
	*vcpus = base == UINT64_MAX ? all : 0;
	return base == UINT64_MAX || mask == 0 ? 0 : -EINVAL;
}

/** Can a hart begin at this address? (The shortest instructions have two bytes.) */
bool sbi_can_begin_at(const struct vcpu *v, uint64_t pc);
/** Suspend v until an interrupt; it goes on at pc with a0 = id, a1 = opaque. For exit handlers. */
enum vcpu_next sbi_suspend_nonretentive(struct vcpu *v, uint64_t pc, uint64_t opaque);

/** Send an IPI to each vCPU of the mask; fence.i or guest-virtual fences on each and wait. */
void sbi_ipi_mask(struct vcpu *v, uint64_t vcpus);
void sbi_fence_i_mask(struct vcpu *v, uint64_t vcpus);
void sbi_sfence_mask(struct vcpu *v, uint64_t vcpus, uint64_t start, uint64_t size, bool has_asid, uint64_t asid);
