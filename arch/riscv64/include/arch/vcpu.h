/*
 * The world switch: running a guest on this hart and coming back.
 *
 * While a guest runs, sscratch holds its struct vcpu_ctx. A trap saves what the
 * C calling convention lets C functions change and calls one of the three
 * handlers below on the vCPU task's stack, interrupts off, VS CSRs and hstatus,
 * sepc and sstatus still live in the CSRs. Returning VCPU_RESUME continues the
 * guest straight away; VCPU_LEAVE saves the rest and returns from vcpu_enter();
 * VCPU_SAVED saves the rest and calls vcpu_exit_saved(), which may read and write
 * any x[n], and whose result counts.
 */
#pragma once

#include <arch/csr.h>
#include <arch/vcpu_live.h>
#include <caisson/types.h>

/** What the entry and exit code touches. x[0] stays 0. */
struct vcpu_ctx {
	uint64_t x[32];
	uint64_t sepc, sstatus, hstatus; /* valid while the guest is left (after VCPU_LEAVE) */
	uint64_t host_sp, host_tp;
};

/** VS-level and unbanked CSRs of a vCPU that is not on a hart. */
struct vcpu_csrs {
	uint64_t vsstatus, vsie, vstvec, vsscratch, vsepc, vscause, vstval, vsatp;
	uint64_t vstimecmp;  /* with Sstc */
	uint64_t hvip;
	uint64_t scounteren, senvcfg, sstateen0;
	uint64_t henvcfg, hcounteren, hstateen0; /* what this guest may use */
};

enum vcpu_next { VCPU_RESUME = 0, VCPU_LEAVE = 1, VCPU_SAVED = 2 };

/** Registers that are in ctx in every handler: those that C functions may change, and sp and tp. */
#define VCPU_SAVED_EARLY (~((UINT64_C(1) << 3) | (UINT64_C(3) << 8) | (UINT64_C(0x3ff) << 18)))

/** Run the guest until a handler says VCPU_LEAVE. Interrupts off. (vcpu_switch.S) */
void vcpu_enter(struct vcpu_ctx *ctx);

/* Defined by vmm/; called by the exit code. */
enum vcpu_next vcpu_exit_ecall(struct vcpu_ctx *ctx);
enum vcpu_next vcpu_exit_interrupt(struct vcpu_ctx *ctx, uint64_t scause);
enum vcpu_next vcpu_exit_exception(struct vcpu_ctx *ctx, uint64_t scause);
/** A handler returned VCPU_SAVED: all of ctx->x is valid now. */
enum vcpu_next vcpu_exit_saved(struct vcpu_ctx *ctx);

void vcpu_csrs_load(const struct vcpu_csrs *c);
void vcpu_csrs_save(struct vcpu_csrs *c);

/**
 * Give the guest an exception as hardware would (Privileged Architecture, "Traps"): the VS trap CSRs take the
 * record and execution continues at vstvec. In an exit handler, on the live state.
 */
void vcpu_live_inject(uint64_t cause, uint64_t tval);

/**
 * Load with the guest's translation and privilege (hlv.d, hlvx.hu); the vCPU must be loaded.
 * hstatus, sepc and sstatus are saved around it. @return 0, or -EFAULT when the guest's own translation faults.
 */
int vcpu_live_read64(gva_t va, uint64_t *out) __must_check;
int vcpu_live_fetch16(gva_t va, uint16_t *out) __must_check;
