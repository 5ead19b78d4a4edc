/*
 * What the manager means to do with a VM later (struct vm_plan): at most one
 * thing for each VM. Private to the manager; its task only.
 */
#pragma once

#include <vmm/vm.h>

/** Do it so many microseconds from now; it replaces what was planned. */
void vms_plan(struct vm *vm, enum vm_step step, uint64_t us);
void vms_plan_nothing(struct vm *vm);
/** When the next thing is due, ticks; UINT64_MAX: nothing is planned. */
uint64_t vms_plan_deadline(void);
/** A VM whose time has come, with *step, which is planned no longer; or NULL. */
struct vm *vms_plan_due(enum vm_step *step);
