/*
 * Stands in for the real arch/vcpu_live.h: the CSRs of the vCPU on this hart are
 * variables, fences are recorded. Programs include it through vmm/vcpu.h; the
 * variables are in mock/vcpu_live.c.
 */
#pragma once

#include <arch/csr.h>
#include <caisson/types.h>

enum mock_fence_kind { FENCE_ALL, FENCE_VA, FENCE_ASID_VA, FENCE_ASID, FENCE_GPA, FENCE_RAM };

struct mock_fence {
	enum mock_fence_kind kind;
	uint64_t address, id; /* id: the ASID or VMID */
};

struct mock_live {
	uint64_t cause, stval, htval, htinst, pc, sstatus, hstatus;
	uint64_t hvip, hie, vstimecmp, vstvec, vsepc, henvcfg, hcounteren, scounteren;
	uint64_t root; /* of hgatp */
	unsigned vmid;
	struct mock_fence fences[32];
	unsigned n_fences;
};

extern struct mock_live mock_live;

void mock_fence(enum mock_fence_kind kind, uint64_t address, uint64_t id);

static inline void vcpu_set_stage2(hpa_t root, unsigned mode, unsigned vmid)
{
	(void)mode;
	mock_live.root = root.v;
	mock_live.vmid = vmid;
}

static inline uint64_t vcpu_live_cause(void) { return mock_live.cause; }
static inline uint64_t vcpu_live_stval(void) { return mock_live.stval; }
static inline uint64_t vcpu_live_htval(void) { return mock_live.htval; }
static inline uint64_t vcpu_live_htinst(void) { return mock_live.htinst; }
static inline uint64_t vcpu_live_pc(void) { return mock_live.pc; }
static inline void vcpu_live_set_pc(uint64_t pc) { mock_live.pc = pc; }
static inline uint64_t vcpu_live_sstatus(void) { return mock_live.sstatus; }
static inline uint64_t vcpu_live_hstatus(void) { return mock_live.hstatus; }
static inline void vcpu_live_trap_wfi(void) { mock_live.hstatus |= HSTATUS_VTW; }
static inline void vcpu_live_hvip_set(uint64_t bits) { mock_live.hvip |= bits; }
static inline void vcpu_live_hvip_clear(uint64_t bits) { mock_live.hvip &= ~bits; }
static inline uint64_t vcpu_live_irqs(void) { return mock_live.hvip & mock_live.hie; }
static inline uint64_t vcpu_live_vstimecmp(void) { return mock_live.vstimecmp; }
static inline uint64_t vcpu_live_vstvec(void) { return mock_live.vstvec & ~3UL; }
static inline uint64_t vcpu_live_vsepc(void) { return mock_live.vsepc; }
static inline void vcpu_live_set_vstimecmp(uint64_t t) { mock_live.vstimecmp = t; }
static inline void vcpu_live_set_henvcfg(uint64_t v) { mock_live.henvcfg = v; }
static inline void vcpu_live_set_hcounteren(uint64_t v) { mock_live.hcounteren = v; }
static inline uint64_t vcpu_live_scounteren(void) { return mock_live.scounteren; }

static inline void vcpu_hfence_vvma_all(void) { mock_fence(FENCE_ALL, 0, 0); }
static inline void vcpu_hfence_vvma(uint64_t va) { mock_fence(FENCE_VA, va, 0); }
static inline void vcpu_hfence_vvma_asid(uint64_t va, uint64_t asid) { mock_fence(FENCE_ASID_VA, va, asid); }
static inline void vcpu_hfence_vvma_asid_all(uint64_t asid) { mock_fence(FENCE_ASID, 0, asid); }
static inline void vcpu_fence_ram(uint64_t vmid) { mock_fence(FENCE_RAM, 0, vmid); }
static inline void vcpu_fence_gpa(uint64_t gpa, uint64_t vmid) { mock_fence(FENCE_GPA, gpa, vmid); }
