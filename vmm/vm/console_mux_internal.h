/* What the multiplexer's output and its input share. */
#pragma once

#include <caisson/console.h>
#include <caisson/spinlock.h>
#include <caisson/types.h>

struct console_ring;
struct vm;

struct console_mux {
	/* Guards all of it. Lock order: mux lock -> a VM's UART -> its interrupt controller; mux lock -> console lock. */
	spinlock_t lock;
	struct console_ring *rings[CONSOLE_VMS];
	struct vm *vms[CONSOLE_VMS];
	uint64_t dropped[CONSOLE_VMS]; /* input that the guest did not read in time */
	struct vm *attached;
	bool left; /* the escape key was pressed: input is the monitor's until it attaches something */
	bool batch;
};

extern struct console_mux mux;

void console_mux_input_init(void);
void console_mux_tell_size(struct vm *vm);
