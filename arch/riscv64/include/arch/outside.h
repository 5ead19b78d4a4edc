/*
 * A counter of instructions that stands still while a guest runs, so that it tells exactly what was executed outside:
 * by us and by the firmware. hpmcounter3 of each hart, with the mode filters of Sscofpmf; only builds with COSTS use it.
 */
#pragma once

#include <arch/csr.h>
#include <caisson/types.h>

/** Start the calling hart's counter through the firmware (SBI PMU). @return 0, or -ENODEV: the hart has none like that. */
int outside_start(void) __must_check;

/** Instructions that this hart has executed outside guests since then. Only after outside_start() returned 0 here. */
static inline uint64_t outside_count(void)
{
	return CSR_READ(hpmcounter3);
}

/** Defined by vmm/ (COSTS_BY_CAUSE): an interrupt came while the host ran; its handlers have returned. Interrupts off. */
void costs_interrupt_begin(void);
void costs_interrupt_end(void);
