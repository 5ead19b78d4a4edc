/* Between the files of core/task/. */
#pragma once

#include <caisson/hart.h>
#include <caisson/task.h>

#include "class.h"

/** Give up the hart: the current task's state says whether it stays runnable. Interrupts off.
 *  Returns when it runs again. */
void sched_switch(void);
/** Make a task ready on a hart of its mask. Interrupts off. */
void sched_enqueue(struct task *t, enum put_reason why);
/** Allocate a task, with a stack unless entry is NULL; not yet in any queue. @return NULL: no memory, or wrong nice. */
struct task *task_alloc(const char *name, void (*entry)(void *), void *arg, const struct task_attr *attr);
/** Give back what task_alloc took. The task must be off its hart. */
void task_free(struct task *t);
/** Make t's hart_mask what it is to be now: of what t asked for, the harts that it may use. @return it has changed. */
bool mask_review(struct task *t);
/** Hand an ended, detached task that has left its hart to gc. Interrupts off. */
void gc_add(struct task *t);
/** Start the gc task. @return 0 or -ENOMEM. */
int gc_init(void) __must_check;
