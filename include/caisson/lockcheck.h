/*
 * Spinlocks of a debug build (CONFIG_DEBUG_LOCKS): they check how they are used.
 * Included by caisson/spinlock.h only.
 *
 * What must be ordered are classes of locks. Locks that were initialised at the
 * same place are one class (all locks of VMs, say); a zeroed static lock is a
 * class of its own; zeroed locks in the heap are one class if they are taken at
 * the same place first. Each class notes which others were taken while one of it
 * was held. The check reports, with the names of both locks and where each was
 * taken, and panics:
 *
 *   - a lock taken while another is held, when that order contradicts one that
 *     was seen before (even if nobody waited for anybody this time);
 *   - a lock taken by the hart that holds it, or two of one class at a time;
 *   - a lock given back by a hart that does not hold it;
 *   - a lock taken in interrupt handlers and elsewhere with interrupts on;
 *   - a lock not to be had for LOCKCHECK_WAIT_S seconds.
 *
 * And it counts how many each hart takes.
 */
#pragma once

#define LOCKCHECK_WAIT_S 10

typedef struct {
	uint32_t locked;       /* 0 or 1 */
	uint16_t class;        /* 0: not looked up yet */
	uint16_t holder;       /* our number of the hart that has it, while locked */
	const char *name;      /* where it was initialised, or NULL */
	const char *place;     /* where it was taken last */
} spinlock_t;

#define LOCK_TEXT(x) LOCK_TEXT_(x)
#define LOCK_TEXT_(x) #x
#define LOCK_PLACE __FILE__ ":" LOCK_TEXT(__LINE__)

#define SPINLOCK_INIT { .name = LOCK_PLACE }

void lockcheck_lock(spinlock_t *l, const char *place);
void lockcheck_unlock(spinlock_t *l, const char *place);

/** How many locks this hart has taken since its start. Interrupts off. */
uint64_t lockcheck_taken(void);

static inline irqflags_t lockcheck_lock_irqsave(spinlock_t *l, const char *place)
{
	irqflags_t flags = irq_save();

	lockcheck_lock(l, place);
	return flags;
}

static inline void lockcheck_unlock_irqrestore(spinlock_t *l, irqflags_t flags, const char *place)
{
	lockcheck_unlock(l, place);
	irq_restore(flags);
}

#define spin_lock(l) lockcheck_lock((l), LOCK_PLACE)
#define spin_unlock(l) lockcheck_unlock((l), LOCK_PLACE)
#define spin_lock_irqsave(l) lockcheck_lock_irqsave((l), LOCK_PLACE)
#define spin_unlock_irqrestore(l, flags) lockcheck_unlock_irqrestore((l), (flags), LOCK_PLACE)
