/* Finding and starting harts. */
#pragma once

#include <caisson/hart.h>
#include <caisson/types.h>

/** Fill harts[] from the device tree; the boot hart becomes harts[0]. Boot hart, before anything asks hart_count(). */
void arch_harts_discover(uint64_t boot_hwid);

/** Start a hart through SBI HSM at _start_secondary on h->boot_stack_top. @return 0 or an SBI error (arch/sbi.h). */
long arch_hart_start(struct hart *h);
/** Stop the calling hart; it can be started again. Interrupts off. @return only if the firmware refuses: SBI error. */
long arch_hart_stop(void);
/** Does the firmware say that the hart has started, so that it has entered _start_secondary or is just about to? */
bool arch_hart_started(const struct hart *h);
/** Does the firmware say that the hart is stopped? */
bool arch_hart_stopped(const struct hart *h);

/** Highest interrupt causes enabled, trap vector set, counters open: the CSRs of a hart that runs kernel code. */
void arch_hart_init(void);
