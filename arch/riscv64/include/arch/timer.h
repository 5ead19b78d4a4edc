/* The hart's one-shot timer: stimecmp with Sstc, the firmware's TIME extension without. */
#pragma once

#include <caisson/types.h>

/** Interrupt when time >= deadline (ticks); UINT64_MAX: never. This hart, interrupts off. */
void arch_timer_program(uint64_t deadline);
/** Stop the timer interrupt on this hart until the next arch_timer_program, without a firmware call. */
void arch_timer_mask(void);
/** True when stimecmp is there (device tree says sstc and a probe agrees). Set once at start. */
extern bool arch_has_sstc;
