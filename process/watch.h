/*
 * Whoever waits for changes of several things at once (poll, select): it hangs a watcher into the list of each, looks at
 * all of them, and sleeps until one of them tells.
 *
 * A thing that changes tells its list afterwards, with no lock of its own held that a watcher's look takes.
 */
#pragma once

#include <caisson/list.h>
#include <caisson/spinlock.h>
#include <caisson/task.h>

/** Who wants to know of one thing. It outlasts its watchers. */
struct watch_list {
	spinlock_t lock;        /* then: a wait queue's */
	struct list watchers;
};

#define WATCH_LIST_INIT(name) { SPINLOCK_INIT, LIST_INIT((name).watchers) }
void watch_list_init(struct watch_list *l);

/** One that sleeps. */
struct watch_wait {
	struct waitq queue;
	bool changed;           /* atomic */
};

void watch_wait_init(struct watch_wait *w);

struct watcher {
	struct list node;
	struct watch_list *list; /* NULL: in none */
	struct watch_wait *wait;
};

/** Hang w into a list (NULL: what never changes). Look only afterwards, so that no change is missed. Task context. */
void watch_add(struct watcher *w, struct watch_list *list, struct watch_wait *wait);
/** Take it out, if it is in one. Task context. */
void watch_remove(struct watcher *w);
/** The thing has changed. Any context. */
void watch_tell(struct watch_list *l);
