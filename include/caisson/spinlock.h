/*
 * Spinlocks.
 *
 * Whoever sees the lock free takes it; nobody has a place in a line. With a line
 * the lock goes to a hart that may not be running: under QEMU, with more harts
 * than the machine below has CPUs, each hand-over then costs that one's wait
 * for a CPU, and the base's stress test took minutes instead of seconds.
 *
 * The plain functions are for code that already runs with interrupts off; the
 * _irqsave ones for everybody else. Lock order is written beside each lock.
 * Never sleep while holding one.
 */
#pragma once

#include <caisson/types.h>
#include <arch/cpu.h>

typedef struct {
	uint32_t next;  /* how often it was taken */
	uint32_t owner; /* how often it was given back; the same: it is free */
} spinlock_t;

#define SPINLOCK_INIT { 0, 0 }

static inline void spin_lock(spinlock_t *l)
{
	/* Acquire on owner: what the last holder did is seen. On next: what we do stays behind the taking. */
	uint32_t mine = __atomic_load_n(&l->owner, __ATOMIC_ACQUIRE);

	while (!__atomic_compare_exchange_n(&l->next, &mine, mine + 1, true, __ATOMIC_ACQUIRE,
					    __ATOMIC_RELAXED)) {
		cpu_relax();
		mine = __atomic_load_n(&l->owner, __ATOMIC_ACQUIRE);
	}
}

static inline void spin_unlock(spinlock_t *l)
{
	__atomic_store_n(&l->owner, l->owner + 1, __ATOMIC_RELEASE);
}

/** Take the lock with interrupts off. @return the earlier interrupt state for the unlock. */
static inline irqflags_t spin_lock_irqsave(spinlock_t *l)
{
	irqflags_t flags = irq_save();

	spin_lock(l);
	return flags;
}

static inline void spin_unlock_irqrestore(spinlock_t *l, irqflags_t flags)
{
	spin_unlock(l);
	irq_restore(flags);
}
