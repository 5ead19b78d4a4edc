/*
 * U-mode: entering a program, coming back with what stopped it, and the part of
 * a process's root table that is the kernel's.
 *
 * A program runs as a vCPU does: user_run() enters it and returns at the next trap,
 * with everything the trap said in the record; the caller looks at it and goes on.
 * While a program runs, stvec points at an entry of its own, so that neither the
 * kernel's traps nor a guest's exits know of it.
 */
#pragma once

#include <caisson/types.h>

struct user_ctx {
	uint64_t x[32];       /* the program's registers; x[0] unused */
	uint64_t pc;
	uint64_t fs;          /* of sstatus, the two bits as they stand there: may it use FP, and has it? */
	uint64_t cause, tval; /* of the trap that ended the last run (scause, stval) */
	uint64_t host_sp, host_tp;
};

/** Run the program until its next trap. Interrupts off; its address space is loaded. */
void user_run(struct user_ctx *ctx);

/**
 * Give a process's empty root table the kernel's half. The kernel's tables below it are shared, not copied; what is
 * mapped later shows in all (pt_keep_tables was called for those ranges).
 */
void user_root_share_kernel(hpa_t root);
/** Take it out again, before the root's tables are freed. */
void user_root_unshare_kernel(hpa_t root);

/** Translate through a process's root table on this hart; forget what was cached. Interrupts off. */
void user_space_load(hpa_t root);
/** Translate through the kernel's own again: the root may be freed afterwards. Interrupts off. */
void user_space_unload(void);
/** A user entry became valid that this hart may remember as invalid. */
void user_space_fence(uint64_t addr);
/** User entries became invalid, allow less, or show other instructions: forget all of them on this hart. */
void user_space_fence_all(void);
