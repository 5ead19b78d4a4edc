/* Between the files of vmm/vcpu/. */
#pragma once

#include <vmm/vcpu.h>

/** The task function of a vCPU. arg is the vCPU. */
void vcpu_run(void *arg);

/**
 * When a wait of v, which is loaded, ends by itself, in ticks; UINT64_MAX: never. A timer whose interrupt the guest has
 * not enabled ends none.
 */
uint64_t vcpu_wait_deadline(const struct vcpu *v);

/** Power-on values of everything that hart_start resets (registers, VS CSRs, FP). Its task runs, or there is none. */
void vcpu_power_on(struct vcpu *v);

/* A vCPU's task comes onto a hart and goes off it (vmm/vcpu/world.c); with illegal instructions taken meanwhile. */
void vcpu_switch_in(struct task_ext *ext);
void vcpu_switch_out(struct task_ext *ext);
void vcpu_switch_in_taking_illegal(struct task_ext *ext);
void vcpu_switch_out_taking_illegal(struct task_ext *ext);

/** The deadline of v (loaded on this hart) has passed: its timer line goes up. */
void vcpu_timer_expired(struct vcpu *v);

/** Answer a fetch guest-page fault (cause 20); in the exception handler. */
enum vcpu_next vcpu_fetch_fault(struct vcpu *v);
/** Answer a virtual-instruction exception. */
enum vcpu_next vcpu_virtual_insn(struct vcpu *v);
/** Answer an illegal instruction. saved: the registers whose values are in ctx. */
enum vcpu_next vcpu_illegal_insn(struct vcpu *v, uint64_t saved);
/** The instruction that trapped; 0: it cannot be fetched any more. In the handler of an exception. */
uint32_t vcpu_trapped_insn(void);
/** Give the guest the access fault that belongs to a guest-page fault cause. */
enum vcpu_next vcpu_inject_access_fault(struct vcpu *v, uint64_t cause);

/** COSTS_BY_CAUSE: the guest was left for a reason not known yet. count: the counter (arch/outside.h) on the exit path. */
void costs_exit(struct vcpu_ctx *ctx, uint64_t count);

/* Stolen time (vmm/vcpu/steal.c). Interrupts off, v's task is the current one. */
/** It is about to run: tell the guest how much was stolen so far. Does nothing while the guest cannot look. */
void vcpu_steal_publish(struct vcpu *v);
/** Its task gives up the hart: tell the others of the guest, if that is not by its own will. */
void vcpu_steal_begin(struct vcpu *v);
/** vcpu_run stays out of the guest between these two, though it has something to do: that time is stolen too. */
void vcpu_steal_withhold(struct vcpu *v);
void vcpu_steal_release(struct vcpu *v);

/** The VM's cap (vmm/share.h): once. */
void vcpu_cap_init(struct vcpu *v);

/* Performance counters (vmm/vcpu/counters.c). Interrupts off. */
/** hcounteren: the counters that the guest reads without us. */
uint64_t vcpu_counteren(const struct vcpu *v);
/** The counters of the hart that the guest has started go on, or stand still. */
void vcpu_counters_switch_in(struct vcpu *v);
void vcpu_counters_switch_out(struct vcpu *v);
/** Does this instruction, which trapped, read a counter that we keep for v? */
bool vcpu_is_counter_read(const struct vcpu *v, uint32_t insn);
/** Answer it. */
enum vcpu_next vcpu_read_counter(struct vcpu *v, uint32_t insn);

/* Sampling (vmm/vcpu/sample.c). */
/** Is the instruction before pc a WFI, as the loaded vCPU sees it? */
bool vcpu_after_wfi(uint64_t pc);
void vcpu_sample_init(struct vcpu *v);
/** The guest is about to run with WFI untrapped: make sure it is looked at now and then. */
void vcpu_sample_arm(struct vcpu *v);
/** Look at the end of this interrupt, for a spin too. */
void vcpu_sample_now(struct vcpu *v);
/** An interrupt took the guest out: look, if the last look is a while ago. @return false: it can never go on. */
bool vcpu_sample(struct vcpu *v);

/* Spinning guests (vmm/vcpu/spin.c). v's task is the current one, interrupts off. */
void vcpu_spin_init(struct vcpu *v);
/** The guest is about to run while others wait for the hart: look soon. */
void vcpu_spin_arm(struct vcpu *v);
/** An interrupt took the guest out, and the look is due. */
void vcpu_spin_look(struct vcpu *v);
/** It waits in a loop: count that and give the hart to a sibling at the next look. @return false: none waits here. */
bool vcpu_spins(struct vcpu *v);
