/*
 * Harts and per-hart data.
 *
 * `tp` points at this hart's struct hart. Its first bytes are the thread-local
 * storage of the C library (errno): compiled code reaches them relative to tp.
 *
 * Harts are numbered 0 to hart_count()-1 in the order of the device tree, the
 * boot hart first; their hardware ids need be neither contiguous nor start at 0.
 */
#pragma once

#include <caisson/types.h>

#define HART_TLS_BYTES 64
#define HART_MAX CONFIG_MAX_HARTS

struct task;
struct runqueue;

struct hart {
	char tls[HART_TLS_BYTES];  /* the C library's thread-local storage; must be first */
	uint64_t hwid;             /* mhartid: what SBI and the device tree call it */
	unsigned index;            /* our number */
	unsigned irq_depth;        /* > 0 inside an interrupt handler */
	volatile bool resched;     /* the scheduler wants this hart: checked at exits and interrupts */
	volatile bool online;
	bool reserved;             /* atomic: only tasks that own harts run here (smp_reserve) */
	uint32_t switches;         /* from one task to another, modulo 2^32 */
	struct task *current;      /* the running task */
	void *boot_stack_top;
	uint64_t ipi_pending;      /* atomic bits, enum ipi (caisson/smp.h) */
	void *loaded_vcpu;         /* the vCPU whose VS state is in this hart's CSRs, or NULL (vmm) */
	void *fp_owner;            /* whose FP state is in the registers (a vCPU, a thread), or NULL */
} ALIGNED_TO(64);

_Static_assert(sizeof(struct hart) == 128, "found by a shift, on every switch");

extern struct hart harts[];

static inline struct hart *this_hart(void)
{
	struct hart *h;

	/* Volatile: a task can go on on another hart, so the compiler must not keep an earlier answer. */
	__asm__ volatile("mv %0, tp" : "=r"(h));
	return h;
}

unsigned hart_count(void);
/** Hart with this hardware id, or NULL. */
struct hart *hart_by_hwid(uint64_t hwid);
