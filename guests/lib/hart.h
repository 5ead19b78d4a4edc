/*
 * Harts: the block that tp points at, traps, and starting further harts.
 * The first part is shared with assembly.
 */
#pragma once

#define TRAP_SEPC		256
#define TRAP_SCAUSE		264
#define TRAP_STVAL		272
#define HART_TLS		280
#define HART_ID			344
#define HART_FUNCTION		352
#define HART_ARGUMENT		360
#define HART_HANDLER		368
#define HART_STARTED		376
#define HART_STACKS		384
#define HART_TRAP_STACK_TOP	(HART_STACKS + 4096)
#define HART_STACK_TOP		(HART_STACKS + 4096 + 8192)

#ifndef __ASSEMBLER__
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HARTS_MAX 8

/** Registers at the trap. x[0] is not used; a handler may change any, and sepc. */
struct trap {
	uint64_t x[32];
	uint64_t sepc;
	uint64_t scause;
	uint64_t stval;
};

typedef void (*trap_handler)(struct trap *trap);

struct hart {
	struct trap trap;
	uint64_t tls[8];	/* picolibc's thread-local variables, reached through tp */
	uint64_t id;
	void (*function)(void *arg);
	void *argument;
	trap_handler handler;
	uint64_t started;	/* time at the first instruction after hart_start() */
	uint8_t trap_stack[4096] __attribute__((aligned(16)));
	uint8_t stack[8192] __attribute__((aligned(16)));
} __attribute__((aligned(16)));

_Static_assert(offsetof(struct hart, trap.sepc) == TRAP_SEPC, "sepc");
_Static_assert(offsetof(struct hart, trap.stval) == TRAP_STVAL, "stval");
_Static_assert(offsetof(struct hart, tls) == HART_TLS, "tls");
_Static_assert(offsetof(struct hart, id) == HART_ID, "id");
_Static_assert(offsetof(struct hart, handler) == HART_HANDLER, "handler");
_Static_assert(offsetof(struct hart, started) == HART_STARTED, "started");
_Static_assert(offsetof(struct hart, trap_stack) == HART_STACKS, "stacks");
_Static_assert(sizeof(struct hart) == HART_STACK_TOP, "size");

/** harts[0] is the hart that the firmware started; the others follow in device-tree order. */
extern struct hart harts[HARTS_MAX];

register struct hart *this_hart __asm__("tp");

/** Set this hart's handler. @return the one before. */
trap_handler trap_set_handler(trap_handler handler);

/** The handler in place at the start: report the trap and shut down as failed. */
void trap_unexpected(struct trap *trap);

/** Start a hart (an index into harts[], not an id) in function(arg). @return SBI error. */
long hart_start(unsigned index, void (*function)(void *arg), void *arg);

/** Wait, at most about two seconds, until the hart's HSM state is as given. */
bool hart_wait_state(unsigned index, long state);
#endif
