/*
 * A machine of several harts in one host thread, on which core/task, core/time,
 * core/irq and core/smp run as they are: every context is a ucontext. A hart
 * goes on until it waits (cpu_wfi, cpu_relax, machine_busy); then the others
 * have their turn, and when all have had it, time moves on. All of it is
 * deterministic.
 */
#pragma once

#include <caisson/types.h>

/** Ticks that pass while every hart that has something to do has one turn. */
#define MACHINE_STEP 1000

/** Bring the machine up: scheduler, interrupts, all harts. The caller becomes the task "main". Once per process. */
void machine_start(unsigned n_harts);
/** The current task computes for so many ticks; interrupts are taken meanwhile. */
void machine_busy(uint64_t ticks);

/** Stacks handed out and not given back; the next kstack_alloc fails if machine_no_stacks is set. */
extern unsigned machine_stacks;
extern bool machine_no_stacks;
/** IPIs sent to a hart so far. */
unsigned machine_ipis(unsigned hart);
/** How often the firmware was called for them. */
extern unsigned machine_ipi_calls;
/** What arch_hart_start answers for a hart (0: starts it). */
extern long machine_start_error[];
/** It answers 0 and the hart does nothing at all. */
extern bool machine_silent[];
/** What arch_hart_stop answers on a hart (0: stops it). */
extern long machine_stop_error[];
/** As OpenSBI 1.5: an IPI that is on its way to hart n is lost, and so are all later ones, when a hart with id n starts. */
extern bool machine_confuses_harts;
