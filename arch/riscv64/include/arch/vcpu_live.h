/*
 * The CSRs of the vCPU that is loaded on this hart: what exit handlers read and
 * change while everything is still live. A header of its own, so that host unit
 * tests can put variables in the place of CSRs.
 */
#pragma once

#include <arch/csr.h>
#include <caisson/types.h>

/**
 * hgatp for the VM whose vCPU comes onto this hart. vsatp is 0 afterwards: between the two writes no look-up ahead
 * of time may go through one VM's first stage and another's second.
 */
static inline void vcpu_set_stage2(hpa_t root, unsigned mode, unsigned vmid)
{
	CSR_WRITE(vsatp, 0);
	CSR_WRITE(hgatp, (uint64_t)mode << ATP_MODE_SHIFT | (uint64_t)vmid << HGATP_VMID_SHIFT |
				 root.v >> PAGE_SHIFT);
}

/* The live trap record: only in the exit handlers, before anything else can trap. */
static inline uint64_t vcpu_live_cause(void) { return CSR_READ(scause); }
static inline uint64_t vcpu_live_stval(void) { return CSR_READ(stval); }
static inline uint64_t vcpu_live_htval(void) { return CSR_READ(htval); }
static inline uint64_t vcpu_live_htinst(void) { return CSR_READ(htinst); }
static inline uint64_t vcpu_live_pc(void) { return CSR_READ(sepc); }
static inline void vcpu_live_set_pc(uint64_t pc) { CSR_WRITE(sepc, pc); }
static inline uint64_t vcpu_live_sstatus(void) { return CSR_READ(sstatus); }
static inline uint64_t vcpu_live_hstatus(void) { return CSR_READ(hstatus); }
/** The guest's next WFI traps, until it is left. */
static inline void vcpu_live_trap_wfi(void) { CSR_SET(hstatus, HSTATUS_VTW); }

/* Lines of the vCPU that is loaded on this hart: bits of hvip (Privileged Architecture, hvip). */
static inline void vcpu_live_hvip_set(uint64_t bits) { CSR_SET(hvip, bits); }
static inline void vcpu_live_hvip_clear(uint64_t bits) { CSR_CLEAR(hvip, bits); }
/** Pending and enabled VS interrupts of the loaded vCPU (hip & hie: hvip, vstimecmp). */
static inline uint64_t vcpu_live_irqs(void) { return CSR_READ(hip) & CSR_READ(hie); }
/** Has the guest's timer interrupt been enabled by the guest? */
static inline bool vcpu_live_timer_enabled(void) { return CSR_READ(hie) >> IRQ_VS_TIMER & 1; }
static inline uint64_t vcpu_live_vstimecmp(void) { return CSR_READ(vstimecmp); }
static inline uint64_t vcpu_live_vstvec(void) { return CSR_READ(vstvec) & ~3UL; }
static inline uint64_t vcpu_live_vsepc(void) { return CSR_READ(vsepc); }
static inline void vcpu_live_set_vstimecmp(uint64_t t) { CSR_WRITE(vstimecmp, t); }
static inline void vcpu_live_set_henvcfg(uint64_t v) { CSR_WRITE(henvcfg, v); }
static inline void vcpu_live_set_hcounteren(uint64_t v) { CSR_WRITE(hcounteren, v); }
static inline uint64_t vcpu_live_scounteren(void) { return CSR_READ(scounteren); }

/* Guest-virtual fences of the running vCPU's VM on this hart (hfence.vvma uses hgatp.VMID). */
static inline void vcpu_hfence_vvma_all(void)
{
	__asm__ volatile("hfence.vvma" ::: "memory");
}
static inline void vcpu_hfence_vvma(uint64_t va)
{
	__asm__ volatile("hfence.vvma %0, zero" ::"r"(va) : "memory");
}
static inline void vcpu_hfence_vvma_asid(uint64_t va, uint64_t asid)
{
	__asm__ volatile("hfence.vvma %0, %1" ::"r"(va), "r"(asid) : "memory");
}
static inline void vcpu_hfence_vvma_asid_all(uint64_t asid)
{
	__asm__ volatile("hfence.vvma zero, %0" ::"r"(asid) : "memory");
}
/** Drop what this hart knows of a VMID's guest-physical addresses, and what was made of it. */
static inline void vcpu_fence_ram(uint64_t vmid)
{
	__asm__ volatile("hfence.gvma zero, %0" ::"r"(vmid) : "memory");
}
/** Drop what this hart knows of one guest-physical address (hfence.gvma takes it shifted). */
static inline void vcpu_fence_gpa(uint64_t gpa, uint64_t vmid)
{
	__asm__ volatile("hfence.gvma %0, %1" ::"r"(gpa >> 2), "r"(vmid) : "memory");
}
