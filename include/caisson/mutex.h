/*
 * Mutexes: locks whose waiters sleep. For what may take long (a file system that waits
 * for its disk); everything short takes a spinlock.
 *
 * Task context, interrupts on. A mutex is given back by the task that took it, and not taken
 * twice. Nobody has a place in a line: who finds it free has it. Without CONFIG_MULTITASK
 * there is nobody to exclude, and a mutex is nothing.
 */
#pragma once

#include <caisson/types.h>

#ifdef CONFIG_MULTITASK

#include <caisson/task.h>

struct mutex {
	uintptr_t owner;        /* atomic: the task that has it, or 0; its lowest bit says that somebody may wait */
	struct waitq waiters;
};

#define MUTEX_INIT(name) { 0, WAITQ_INIT((name).waiters) }

void mutex_init(struct mutex *m);
void mutex_lock(struct mutex *m);
void mutex_unlock(struct mutex *m);

#else

struct mutex { };

#define MUTEX_INIT(name) { }

static inline void mutex_init(struct mutex *m) { (void)m; }
static inline void mutex_lock(struct mutex *m) { (void)m; }
static inline void mutex_unlock(struct mutex *m) { (void)m; }

#endif
