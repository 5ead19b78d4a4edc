/*
 * Spinlocks.
 *
 * Whoever sees the lock free takes it; nobody has a place in a line. With a line
 * the lock goes to a hart that may not be running: under QEMU, with more harts
 * than the machine below has CPUs, each hand-over then costs that one's wait
 * for a CPU, and the base's stress test took minutes instead of seconds.
 *
 * The plain functions are for code that already runs with interrupts off; the
 * _irqsave ones for everybody else. Lock order is written beside each lock, and
 * a debug build checks it (caisson/lockcheck.h). Never sleep while holding one.
 *
 * A zeroed lock is free. Locks in memory that is freed and used again should be
 * initialised with SPINLOCK_INIT all the same: it tells the check what they are.
 */
#pragma once

#include <caisson/types.h>
#include <arch/cpu.h>

#ifdef CONFIG_DEBUG_LOCKS
#include <caisson/lockcheck.h>
#else

typedef struct {
	uint32_t locked; /* 0 or 1 */
} spinlock_t;

#define SPINLOCK_INIT { 0 }

static inline void spin_lock(spinlock_t *l)
{
	while (unlikely(cpu_take_word(&l->locked)))
		while (__atomic_load_n(&l->locked, __ATOMIC_RELAXED))
			cpu_relax();
}

static inline void spin_unlock(spinlock_t *l)
{
	cpu_free_word(&l->locked);
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

#endif

/** Does anybody hold it? For reports and tests: the answer is old when it comes. */
static inline bool spin_is_locked(const spinlock_t *l)
{
	return __atomic_load_n(&l->locked, __ATOMIC_ACQUIRE);
}
