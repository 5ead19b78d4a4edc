/* The parts of `vm dump`, one file each. Private to the hypervisor application. */
#pragma once

#include <caisson/types.h>
#include <shell/shell.h>

struct vm;

/** A part: taken while the VM is kept out of its guest, shown when it runs again. */
struct vm_dump_part {
	const char *name;
	/** @return a copy for show, which kfree gives back, or NULL: no memory. */
	void *(*take)(struct vm *vm);
	/** As members of the object that is open. */
	void (*show)(struct shell *sh, const void *copy);
};

extern const struct vm_dump_part vm_dump_regs, vm_dump_map, vm_dump_dt, vm_dump_irq;
