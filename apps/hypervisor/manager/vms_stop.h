/*
 * Stopping a VM as its guest would like it: first the guest is asked, and only
 * when it has not shut down in time its power is cut. Private to the manager.
 *
 * The question is what Linux understands without a process of its own: SysRq
 * keys behind a BREAK on the serial line. s writes buffers to the disks, u
 * makes file systems read-only, o powers off. Any other guest may take the
 * first BREAK for the question.
 */
#pragma once

#include <vmm/vm.h>

/**
 * Stop a running VM. The manager's task.
 * @param now  do not ask
 * @return the seconds that its guest was given, 0: it was not asked, and ends at once
 */
unsigned vms_stop(struct vm *vm, bool now);
/** The next step of a stop that was planned (VM_STEP_PRESS, VM_STEP_FORCE). The manager's task. */
void vms_stop_step(struct vm *vm, enum vm_step step);
/** A VM that is being stopped has ended: so it is stopped, if it has not crashed. The manager's task. */
void vms_stop_ended(struct vm *vm);
/** Is it being stopped? Any context. */
static inline bool vms_stopping(const struct vm *vm)
{
	return vm->plan.step == VM_STEP_PRESS || vm->plan.step == VM_STEP_FORCE;
}
