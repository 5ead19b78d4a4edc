/*
 * What each hart has of vCPUs: the numbers (VMIDs) that it tells their translations apart by, and counts of
 * what moving vCPUs onto it and off it took.
 *
 * VMIDs are a hart's own. A vCPU that comes to a hart gets one there and keeps it
 * while it stays: it comes back to translations that nobody else could use or change,
 * so nothing is flushed, whoever ran meanwhile. One that goes to another hart gets
 * a new one there, and the old one is not used again. When a hart has given out all,
 * it drops all translations, once, and begins anew: all vCPUs that come get new ones.
 *
 * "All" may be a single one (VMIDLEN 0): then each change of vCPUs is such a beginning.
 * A vCPU remembers the hart's lease under which it got its VMID; leases differ by hart
 * and by beginning, so that one comparison says whether its VMID is still its own.
 */
#pragma once

#include <caisson/hart.h>
#include <caisson/types.h>

struct vcpu;
struct vm;

struct world_counts {
	uint64_t loads;      /* VS CSRs of a vCPU loaded: another one than the last came, or it from another hart */
	uint64_t vmids;      /* VMIDs given out */
	uint64_t flushes;    /* all translations dropped, for want of VMIDs */
	uint64_t fp_loads;   /* FP registers loaded */
	uint64_t fp_saves;   /* FP registers saved */
};

struct world {
	uint64_t lease;      /* the current one; never 0 */
	unsigned next_vmid;
	struct world_counts counts; /* written by the hart itself; read by anybody, as they are just then */
} ALIGNED_TO(64);

extern struct world worlds[HART_MAX];

/** Begin with a first lease on each hart. Once, before vCPUs run. */
void worlds_init(void);

/**
 * Make sure that v has a VMID of this hart. Interrupts off; the caller then writes hgatp and calls
 * world_use_vmid() if this returned true.
 * @return whether the VMID is new to v
 */
bool world_has_new_vmid(struct vcpu *v);
/** hgatp names v, whose VMID is new to it: drop what others left under it, or all if a new lease has begun. */
void world_use_vmid(struct vcpu *v);

/** No hart's hgatp names the VM's tables any more. Its tasks must have ended. Task context. */
void vm_unload(struct vm *vm);
