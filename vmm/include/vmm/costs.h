/*
 * Instructions executed outside guests, and for what: the figures of `./caisson bench` and of `vm stats`.
 *
 * COSTS counts all of them (arch/outside.h), from a VM's start to its end, and adds nothing to any path between.
 * COSTS_BY_CAUSE reads the counter at every exit, too, which makes each some instructions longer; they are measured
 * and taken off. From one exit to the next, all that its vCPU's task executes belongs to the first one's cause; what
 * other tasks, idle loops and interrupts of the host execute meanwhile is the host's. A build with neither has none of it.
 */
#pragma once

#include <caisson/types.h>

struct vm;
struct vcpu;

/** Of a VM: set by vm_costs_begin and vm_costs_end. */
struct vm_costs {
	bool counting;
	uint64_t all, host;           /* of its runs that have ended */
	uint64_t all_from, host_from; /* what the harts' counters were when this run began */
};

/** What costs come to. */
struct costs_sum {
	uint64_t all;  /* all harts, outside guests, while the VM ran; other VMs' exits too */
	uint64_t host; /* of these outside vCPUs' tasks, and interrupts that came while no guest ran */
};

/** On each hart that is to run guests, before it does. @return 0, or -ENODEV: it has no such counter. */
int costs_hart_init(void) __must_check;

/** The VM begins to run, and has ended, which is when the log is told. Task context. */
void vm_costs_begin(struct vm *vm);
void vm_costs_end(struct vm *vm);
/** Of all its runs so far. Task context. */
struct costs_sum vm_costs_sum(const struct vm *vm);
/** Instructions that exits of this kind (enum exit_kind) took of it, of all its vCPUs; 0 without COSTS_BY_CAUSE. Any context. */
uint64_t vm_cost_of(const struct vm *vm, unsigned kind);

/* COSTS_BY_CAUSE, on the calling hart. Interrupts off. */

/** The counter has just been started: find out what counting takes. */
void costs_calibrate(void);
/** The task of v gets the hart, and gives it up. */
void costs_switch_in(struct vcpu *v);
void costs_switch_out(void);
/** @return instructions that were the host's so far */
uint64_t costs_host(void);
