/* Between the files of core/sync/: classes of locks and the orders in which they were seen. */
#pragma once

#include <caisson/types.h>

#define CLASSES_MAX 512

/** What was seen first of a kind. */
struct lock_class {
	const void *key;         /* name, address of the lock, or first place */
	const char *name;        /* where it was initialised; NULL: it was not */
	const void *lock;        /* the first lock of the class that was taken, */
	const char *place;       /* and where */
	const char *in_irq;      /* taken here in an interrupt handler */
	const char *irqs_on;     /* taken here elsewhere with interrupts on */
	struct lock_edge *edges; /* what was taken while one of this class was held */
};

/** `to` was taken while `from` was held. */
struct lock_edge {
	struct lock_edge *next;
	unsigned from, to;
	const char *held_at, *taken_at;
};

extern struct lock_class lock_classes[CLASSES_MAX]; /* [0] is not used */

/* Interrupts off; one at a time, but for lockgraph_knows. */

/** The number of the class with this key, a new one if there is none. @return 0: there are too many. */
unsigned lockgraph_class(const void *key);
/** Is it known that `to` may be taken while `from` is held? */
bool lockgraph_knows(unsigned from, unsigned to);
/** The shortest way from one class to another along what is known, at most max edges of it. @return its length, 0: none. */
unsigned lockgraph_path(unsigned from, unsigned to, const struct lock_edge **path, unsigned max);
/** Note an order. @return false: there are too many. */
bool lockgraph_add(unsigned from, unsigned to, const char *held_at, const char *taken_at);
