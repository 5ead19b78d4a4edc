/*
 * Traps taken while the host runs. (While a guest runs, sscratch holds the
 * vCPU's context and the same vector takes the exit path: arch/vcpu.h.)
 *
 * One record per trap, filled by the entry code and passed by pointer; nobody
 * further down reads the trap CSRs again.
 */
#pragma once

#include <caisson/types.h>

struct trap_frame {
	uint64_t x[32];       /* x[0] unused; x[2] is the sp at the trap */
	uint64_t pc;          /* sepc */
	uint64_t status;      /* sstatus */
	uint64_t cause;       /* scause */
	uint64_t tval;        /* stval */
};

/** An exception handler. @return true: handled, resume at frame->pc; false: not mine. */
typedef bool (*trap_handler_t)(struct trap_frame *frame);

/** Register the handler of an exception cause (boot only; one per cause). */
void trap_register(unsigned cause, trap_handler_t handler);

/** An instruction that may fault on purpose, and where to go on if it does (section .ex_table). */
struct trap_fixup {
	uint64_t pc, target;
};

/** For inline assembly: a fault at local label `from` continues at local label `to`. */
#define TRAP_FIXUP(from, to)                    \
	".pushsection .ex_table, \"a\"\n"        \
	".balign 8\n"                           \
	".dword " #from ", " #to "\n"           \
	".popsection\n"

/** Set this hart's trap vector and the "host runs" mark in sscratch. */
void trap_init(void);

/** Serve an interrupt (scause with the interrupt bit off), then give the hart to who is due. Interrupts off. */
void trap_interrupt(unsigned cause);

/** Name of an exception cause, "reserved cause" for others. */
const char *trap_cause_name(unsigned cause);

/** ABI name of register x[n]. */
const char *trap_register_name(unsigned n);

/** Print a decoded trap (cause by name, pc, address, all registers) by the panic path. */
void trap_dump(const struct trap_frame *frame);
