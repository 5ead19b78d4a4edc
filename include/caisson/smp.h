/* Work on other harts: inter-processor interrupts and cross-hart calls. */
#pragma once

#include <caisson/types.h>

/** Reasons for an IPI; bits in hart.ipi_pending. */
enum ipi {
	IPI_RESCHED = 0, /* look at your run queue */
	IPI_CALL = 1,    /* run the functions in your call queue */
	IPI_KICK = 2,    /* leave the guest's straight path: requests are pending (vmm) */
};

/** Start every hart of the device tree through SBI HSM; each failure is logged, none hangs. */
void smp_start_secondaries(void);

/** Take part in IPIs: the software interrupt's handler. Boot hart, once. */
void smp_init(void);

/** Send an IPI to a hart by our number. Any context. */
void ipi_send(unsigned hart, enum ipi reason);

/**
 * Run fn(arg) on another hart in interrupt context and wait until it is done.
 * Not with interrupts off. On this hart it is called directly.
 * @return 0 or -ENODEV when the hart is not online.
 */
int smp_call(unsigned hart, void (*fn)(void *), void *arg) __must_check;
/** Run fn(arg) on every online hart and wait. */
void smp_call_all(void (*fn)(void *), void *arg);
