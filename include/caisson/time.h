/*
 * Time and timed events.
 *
 * Time is in ticks of the time CSR; its frequency comes from the device tree.
 * Each hart has a queue of timers, ordered by deadline; the hart's one-shot
 * timer is programmed for the earliest. There is no periodic tick.
 */
#pragma once

#include <caisson/list.h>
#include <caisson/types.h>

extern uint64_t timebase_hz;

uint64_t time_now(void);                 /* ticks since an arbitrary start (the time CSR) */
uint64_t time_from_us(uint64_t us);      /* microseconds to ticks, saturating */
uint64_t time_to_ns(uint64_t ticks);

struct timer {
	struct list node;
	uint64_t deadline;
	void (*fn)(struct timer *);      /* interrupt context, on the hart that armed it (another if that left) */
	unsigned hart;                   /* where it is queued */
	bool queued;
};

/** Set up an idle timer. Any context. */
void timer_init(struct timer *t, void (*fn)(struct timer *));
/** Arm (or re-arm) on this hart for an absolute deadline in ticks. Any context; one caller at a time. */
void timer_arm(struct timer *t, uint64_t deadline);
/** Disarm, from any hart. On return fn is not queued; it may still be running on another hart. */
void timer_cancel(struct timer *t);
/** The same, and wait until fn has returned: not while holding a lock that fn takes. */
void timer_cancel_sync(struct timer *t);
/** The earliest deadline queued on this hart, UINT64_MAX if none. Interrupts off. */
uint64_t timer_next_deadline(void);
/**
 * A second user of this hart's one-shot timer: the deadline of the guest that runs here (machines without
 * Sstc). The hardware is programmed for the earlier of both. UINT64_MAX: none. Interrupts off.
 */
void timer_set_guest_deadline(uint64_t deadline);
/** Called by timer_interrupt when the guest deadline of this hart has passed (it is then UINT64_MAX). Set by the vmm. */
extern void (*timer_guest_expired)(void);
/** Run what is due and program the hardware for the next. The timer interrupt's handler; interrupts off. */
void timer_interrupt(void);
/** Forget a deadline that the calling hart's hardware still has, but no timer any more. Interrupts off. */
void timer_quieten(void);
/** Bring up the calling hart's timer queue, and the handler of the timer interrupt. Interrupts off. */
void timer_hart_init(void);
/** Take over the timers of a hart that has left or is reserved (caisson/smp.h): they run here. Any context. */
void timer_adopt(unsigned hart);
/** Per-hart number of timer interrupts. */
uint64_t timer_ticks(unsigned hart);
