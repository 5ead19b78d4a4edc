/* Jobs: groups of processes that are signalled together, and what stops when nobody is left who could let it go on. */
#pragma once

#include <caisson/types.h>

struct process;

/** Send a signal of the kernel's to all of a group. Any context. */
void group_signal(unsigned group, unsigned signal);
/** Is there such a group in this session? Members that have ended count until somebody has waited for them. */
bool group_is_in(unsigned group, unsigned session);
/**
 * Has nobody in it a parent outside it, but in its session: a shell that would let it go on? The stops of a terminal do not
 * stop such a group.
 */
bool group_is_orphaned(unsigned group);
/** p is about to end. Groups that it leaves orphaned, and that have stopped, get SIGHUP and SIGCONT. Its own task. */
void jobs_leave(struct process *p);
