/* What a process or several have used so far. All of the time counts as the program's, none as the kernel's for it. */
#pragma once

#include <caisson/types.h>

struct process;
struct thread;

struct usage {
	uint64_t run_time;      /* ticks on a hart */
	uint64_t faults;        /* page faults that were resolved */
	uint64_t waits;         /* times it left its hart to wait, */
	uint64_t preempted;     /* or because others had their turn */
	uint64_t most_pages;    /* at once */
};

/** Of all threads of a process, past ones too. The lock of the tree is held; usage_now() takes it. */
struct usage usage_of(const struct process *p);
struct usage usage_now(const struct process *p);
void usage_add_thread(struct usage *to, const struct thread *t);
void usage_add(struct usage *to, const struct usage *u);
/** As Linux's struct rusage. @return 0 or -EFAULT */
int usage_to_user(struct thread *t, uint64_t at, const struct usage *u) __must_check;
