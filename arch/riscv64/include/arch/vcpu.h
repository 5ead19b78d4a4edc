/*
 * The world switch: running a guest on this hart and coming back.
 *
 * While a guest runs, sscratch holds its struct vcpu_ctx. A trap saves what the
 * C calling convention lets C functions change and calls one of the
 * handlers below on the vCPU task's stack, interrupts off, VS CSRs and hstatus,
 * sepc and sstatus still live in the CSRs. Returning VCPU_RESUME continues the
 * guest straight away; VCPU_LEAVE saves the rest and returns from vcpu_enter();
 * VCPU_SAVED saves the rest and calls vcpu_exit_saved(), which may read and write
 * any x[n], and whose result counts. The registers that C functions preserve are in
 * the hart all the time: a handler that needs one of them has just that one moved when
 * it has returned (vcpu_take_register, vcpu_give_register).
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

/** Below 0 are the places of code in vcpu_switch.S, in bytes from its end: a move each way for every register. */
#define VCPU_MOVE_SIZE 16
enum vcpu_next {
	VCPU_RESUME = 0,
	VCPU_LEAVE = 1,
	VCPU_SAVED = -4,
	VCPU_GIVE = VCPU_SAVED - 32 * VCPU_MOVE_SIZE,
	VCPU_TAKE = VCPU_GIVE + VCPU_MOVE_SIZE / 2,
};

/** Registers that are in ctx in every handler: those that C functions may change, and sp and tp. */
#define VCPU_SAVED_EARLY (~((UINT64_C(1) << 3) | (UINT64_C(3) << 8) | (UINT64_C(0x3ff) << 18)))

/** Is register n (0 to 31) one of VCPU_SAVED_EARLY? Asked at every access to a device: of a sign, which is cheap. */
static inline bool vcpu_saved_early(unsigned n)
{
	const uint32_t preserved = 1u << (31 - 3) | 3u << (31 - 9) | 0x3ffu << (31 - 27); /* bit 31 - n */

	return (int32_t)(preserved << n) >= 0;
}

/** As a handler's outcome: ctx->x[n], not saved early, goes into the hart, and the guest goes on. */
static inline enum vcpu_next vcpu_give_register(unsigned n)
{
	return (enum vcpu_next)(VCPU_GIVE + (int)n * VCPU_MOVE_SIZE);
}

/** As a handler's outcome: register n, not saved early, goes to ctx->x[n], then vcpu_exit_store_value() is called. */
static inline enum vcpu_next vcpu_take_register(unsigned n)
{
	return (enum vcpu_next)(VCPU_TAKE + (int)n * VCPU_MOVE_SIZE);
}

/** Run the guest until a handler says VCPU_LEAVE. Interrupts off. (vcpu_switch.S) */
void vcpu_enter(struct vcpu_ctx *ctx);

/* Defined by vmm/; called by the exit code. */
enum vcpu_next vcpu_exit_ecall(struct vcpu_ctx *ctx);
enum vcpu_next vcpu_exit_interrupt(struct vcpu_ctx *ctx, uint64_t scause);
/** Guest-page faults of loads and stores (causes 21 and 23): the accesses to devices are the most frequent exceptions. */
enum vcpu_next vcpu_exit_load_fault(struct vcpu_ctx *ctx);
enum vcpu_next vcpu_exit_store_fault(struct vcpu_ctx *ctx);
/** All other exceptions. */
enum vcpu_next vcpu_exit_exception(struct vcpu_ctx *ctx, uint64_t scause);
/** A handler returned VCPU_SAVED: all of ctx->x is valid now. The outcome is VCPU_RESUME or VCPU_LEAVE. */
enum vcpu_next vcpu_exit_saved(struct vcpu_ctx *ctx);
/** vcpu_exit_store_fault() asked for the register that is stored: it is in ctx->x now. */
enum vcpu_next vcpu_exit_store_value(struct vcpu_ctx *ctx);

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
