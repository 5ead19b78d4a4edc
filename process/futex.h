/*
 * Futexes: words in programs' memory that their threads wait for. The kernel only has who waits, in line, by key: a
 * private word is known by its memory and address, wherever it is, another one in shared pages by the physical address.
 *
 * One lock guards all: the time under it is short, and requeueing needs two lines at once. Lock order: a memory's
 * lock (user_mm), then this one, then the run queues.
 */
#pragma once

#include <caisson/list.h>
#include <caisson/types.h>

struct thread;
struct user_mm;

struct futex_key {
	const struct user_mm *mm; /* NULL: shared */
	uint64_t addr;
};

#define FUTEX_ANY UINT32_MAX     /* bits that any wake-up has */

/** Somebody in line. */
struct futex_waiter {
	struct list node;
	struct futex_key key;
	uint32_t bits;           /* who wakes with none of them passes it over */
	struct thread *thread;
	bool woken;              /* atomic: it is in line no more */
};

/**
 * Stand in line if the word has this value. The word stays where it is until this returns (the memory's lock is
 * held): whoever changes it and wakes afterwards finds the waiter. @return 0 or -EAGAIN
 */
int futex_enter(struct futex_waiter *w, const struct futex_key *key, const uint32_t *word, uint32_t value) __must_check;
/** Leave the line. @return false: somebody had woken it */
bool futex_leave(struct futex_waiter *w);
/** Wake up to n that wait with one of the bits, those first that came first. @return how many */
unsigned futex_wake(const struct futex_key *key, unsigned n, uint32_t bits);
/**
 * Wake up to n, and put up to `most` of the others into the line of another key, at its end.
 * @param word  NULL, or: only if it has this value, and stays where it is
 * @return how many were woken or moved; -EAGAIN
 */
int futex_requeue(const struct futex_key *from, const struct futex_key *to, unsigned n, unsigned most, const uint32_t *word,
		  uint32_t value) __must_check;

/** The word is the program's: 0 goes there, and who waits for it wakes (CLONE_CHILD_CLEARTID). Its own task. */
void futex_clear(struct thread *t, uint64_t addr);
/** Locks that a thread has at its end are marked, as its list of them (set_robust_list) says. Its own task. */
void futex_leave_robust(struct thread *t, uint64_t head);
