/*
 * Fences that a vCPU does for others (SBI RFENCE), and for changes of the VM's memory.
 *
 * What is asked of a vCPU is merged into one record. It does it itself: at once if it is in the guest on another
 * hart, which gets one interrupt, however much is asked before it looks; else before it enters the guest again,
 * and then nothing is sent at all, nor is it woken.
 */
#pragma once

#include <arch/cpu.h>
#include <arch/vcpu_live.h>
#include <caisson/spinlock.h>
#include <caisson/types.h>

struct vcpu;
struct vm;

/** Beyond this many pages all guest-virtual translations are dropped instead. */
#define FENCE_PAGES_MAX 16

/** Which guest-virtual translations. */
enum fence_spaces { FENCE_NO_SPACE, FENCE_ONE_SPACE /* those of an ASID */, FENCE_ALL_SPACES } __attribute__((packed));

struct fence {
	bool insns;                /* instructions (fence.i) */
	bool ram;                  /* guest-physical translations */
	enum fence_spaces spaces;
	uint16_t asid;             /* there are 16 bits of them; hardware looks at no more */
	uint64_t start, last;      /* guest-virtual bytes; FENCE_PAGES_MAX pages and more apart: everything */
};

/** What a vCPU has been asked for and has not done yet. */
struct vcpu_fence {
	spinlock_t lock;           /* innermost; VCPU_REQ_FENCE is set and cleared under it */
	struct fence todo;
};

/** SBI: size ~0, and start and size both 0, mean everything. */
static inline bool fence_is_of_everything(uint64_t start, uint64_t size)
{
	return size > FENCE_PAGES_MAX * PAGE_SIZE || !(start | size);
}

/** Drop guest-virtual translations of the vCPU that is loaded on this hart. */
static inline void fence_pages(uint64_t start, uint64_t size, bool has_asid, uint64_t asid)
{
	uint64_t va = ALIGN_DOWN(start, PAGE_SIZE), last = start + size - 1;

	if (unlikely(fence_is_of_everything(start, size))) {
		if (has_asid)
			vcpu_hfence_vvma_asid_all(asid);
		else
			vcpu_hfence_vvma_all();
		return;
	}
	/* Against the last byte, not the end: the range may end where the address space does. */
	do {
		if (has_asid)
			vcpu_hfence_vvma_asid(va, asid);
		else
			vcpu_hfence_vvma(va);
		va += PAGE_SIZE;
	} while (va - 1 < last);
}

/** A fence of guest-virtual translations as SBI describes it. */
struct fence fence_of_pages(uint64_t start, uint64_t size, bool has_asid, uint64_t asid);
/** Let one fence do what two would: no less, and at worst everything. */
void fence_merge(struct fence *to, const struct fence *more);

/**
 * Have other vCPUs of the VM (mask of ids, not self) do a fence, and wait until each has done it or is out of the guest.
 * self, which runs here, does meanwhile what others ask of it. Exit handlers.
 */
void vcpu_fence_others(struct vcpu *self, uint64_t vcpus, const struct fence *what);
/** Do what is asked of v, which is loaded here; for vcpu_serve(). */
void vcpu_fence_serve(struct vcpu *v);

/**
 * Entries of the VM's own page tables have changed: each of its vCPUs, also one that stands still or sleeps,
 * executes nothing more in the guest before it has dropped what a hart kept of them, and instructions: the RAM may stand
 * in other frames now, which the guest does not know. Does not wait. Any context.
 */
void vm_fence_ram(struct vm *vm);
