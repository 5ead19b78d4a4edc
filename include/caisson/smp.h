/*
 * Several harts: inter-processor interrupts, calls from one hart to another,
 * taking harts away and bringing them back.
 */
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

/** Send an IPI to a hart by our number. Interrupts off: others trust that one for which there is a reason is sent. */
void ipi_send(unsigned hart, enum ipi reason);
/** The same to several harts (bit n: hart n), with one call of the firmware where their ids lie within 64. */
void ipi_send_mask(uint64_t harts, enum ipi reason);

/** Interrupts that a hart has sent (to each hart one), and had. One that was on its way already was not sent again. */
struct ipi_counts {
	uint64_t sent, had;
};

/** As they are just now. Any context. */
struct ipi_counts ipi_counts(unsigned hart);

/* Calls. */

/** A function to be run on another hart. The caller's storage, which must stay until it is done. */
struct smp_call {
	struct smp_call *next;
	void (*fn)(void *arg);
	void *arg;
	bool done;       /* atomic: fn has returned, and nobody else knows of this structure any more */
};

/**
 * Queue a call on a hart and return. It runs there in interrupt context; calls to one hart run one after
 * the other in the order in which they were queued, also those to the caller's own hart (as soon as
 * interrupts are on). A hart that leaves runs what is in its queue first. Any context.
 * @return 0, or -ENODEV: the hart does not run; nothing was queued.
 */
int smp_call_async(unsigned hart, struct smp_call *call) __must_check;
/** Wait until a queued call is done. Interrupts on. */
void smp_call_wait(const struct smp_call *call);

/**
 * Run fn(arg) on another hart in interrupt context and wait until it is done.
 * Not with interrupts off. On this hart it is called directly, before what is queued there.
 * @return 0 or -ENODEV when the hart does not run.
 */
int smp_call(unsigned hart, void (*fn)(void *), void *arg) __must_check;
/** Run fn(arg) on every hart that runs, also on one that is about to leave, and wait. */
void smp_call_all(void (*fn)(void *), void *arg);
/** The same on those harts (bit n: hart n) only. */
void smp_call_mask(uint64_t mask, void (*fn)(void *), void *arg);

/**
 * Run what is queued on this hart. For who waits with interrupts off for what another hart does: that one may be
 * in a call which waits for ours. Interrupts off, no lock held.
 */
void smp_serve_calls(void);

/* Harts that leave and come back. */

/**
 * Take a hart out of use and stop it. Its tasks go to other harts (also those that may run nowhere else,
 * until it is back), its timers to the caller's, its interrupts to another; calls that are queued there
 * run first. Any hart may go, the boot hart too, but not the last. Task context.
 * @return 0; -EINVAL no such hart; -EALREADY it is offline; -EBUSY it is reserved, or the last one that is not, or
 * interrupts can go nowhere else; -ETIMEDOUT it does not leave its task (it then stays) or the firmware does not stop it;
 * -ENODEV the firmware refuses (it then stays).
 */
int smp_offline(unsigned hart) __must_check;
/**
 * Start a hart that is offline. Task context.
 * @return 0; -EINVAL no such hart; -EALREADY it is online; -ETIMEDOUT it does not answer; -ENODEV the
 * firmware refuses, or a hook did.
 */
int smp_online(unsigned hart) __must_check;

/* Harts that belong to somebody. */

/**
 * Reserve a hart: from now on only tasks that own harts (task_attr.owns_hart) and have it in their mask run there,
 * besides its idle task, which takes nothing from other harts. All others leave it before this returns; so do its
 * timers and the interrupts of devices. What remains are IPIs: of the owner's own, and calls to all harts.
 * @param owner  who, for people; must stay until smp_release
 * Task context. @return 0; -ENODEV no such hart, or it is offline; -EALREADY it is reserved; -EBUSY no hart would
 * be left for the others, or interrupts can go nowhere else; -ETIMEDOUT it does not leave its task (nothing is changed).
 */
int smp_reserve(unsigned hart, const char *owner) __must_check;
/** Give a reserved hart back to everybody. Its owner's tasks must have ended. Task context. */
void smp_release(unsigned hart);
/** @return the name given to smp_reserve, or NULL: it is everybody's. Any context. */
const char *smp_owner(unsigned hart);

/** What a component does on a hart that comes or goes. Static storage; never removed. */
struct hart_hook {
	struct hart_hook *next;
	/** On a hart that starts, before it runs tasks; interrupts off. @return not 0: it cannot be used. May be NULL. */
	int (*online)(void);
	/** On a hart that stops, when it has no task left; interrupts off. May be NULL. */
	void (*offline)(void);
};

/** From now on call these functions; not for the harts that are online already. Boot, one hart's tasks only. */
void smp_add_hook(struct hart_hook *hook);

/** The calling hart comes up: hooks, call queue. Interrupts off. Stops the hart if it cannot be used. */
void smp_hart_up(void);
/** The idle task of a hart that is no longer online: leave, if there is nothing to do. Interrupts off. */
void smp_idle_leave(void);
