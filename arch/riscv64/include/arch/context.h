/* Host task contexts: the callee-saved registers of a task that does not run. */
#pragma once

#include <caisson/types.h>

struct context {
	uint64_t ra, sp, s[12];
};

/** Make a context that calls entry(arg) on the given stack top (16-byte aligned), interrupts off. entry must not return. */
void context_init(struct context *ctx, void (*entry)(void *), void *arg, void *stack_top);

/** Save the running context in `from` and continue `to`. Interrupts off. Returns when somebody switches back. */
void context_switch(struct context *from, struct context *to);
