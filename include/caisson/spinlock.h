/*
 * Spinlocks (ticket locks: first come, first served).
 *
 * The plain functions are for code that already runs with interrupts off; the
 * _irqsave ones for everybody else. Lock order is written beside each lock.
 * Never sleep while holding one.
 */
#pragma once

#include <caisson/types.h>
#include <arch/cpu.h>

typedef struct {
	uint32_t next;  /* next ticket to hand out */
	uint32_t owner; /* ticket being served */
} spinlock_t;

#define SPINLOCK_INIT { 0, 0 }

static inline void spin_lock(spinlock_t *l)
{
	uint32_t mine = __atomic_fetch_add(&l->next, 1, __ATOMIC_RELAXED);

	while (__atomic_load_n(&l->owner, __ATOMIC_ACQUIRE) != mine)
		cpu_relax();
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
