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
	uint64_t hstatus;     /* saved and restored where there is an H extension */
	uint64_t cause;       /* scause */
	uint64_t tval;        /* stval */
	uint64_t tval2;       /* htval, 0 without H */
	uint64_t pad[2];
};

/** An exception handler. @return true: handled, resume at frame->pc; false: not mine. */
typedef bool (*trap_handler_t)(struct trap_frame *frame);

/** Register the handler of an exception cause (boot only; one per cause). */
void trap_register(unsigned cause, trap_handler_t handler);

/** Print a decoded trap (cause by name, pc, address, all registers) by the panic path. */
void trap_dump(const struct trap_frame *frame);
