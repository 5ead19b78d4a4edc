/* Stopping a VM: ask its guest, then cut its power. */
#include "vms_stop.h"

#include "vms_plan.h"

#include <stdio.h>

#include <caisson/log.h>
#include <vmm/vdev.h>

#define LOG_NAME "vmm"
#define SECOND_US UINT64_C(1000000)
#define KEY_US (SECOND_US / 4) /* Linux takes one key at a time, and needs a moment to write buffers */

static const char keys[] = "suo";

unsigned vms_stop(struct vm *vm, bool now)
{
	unsigned seconds = vm->config->stop_timeout;

	vm->plan.pressed = 0;
	if (!now && seconds && !vm->paused && vm_sysrq(vm, keys[0]) == 0) {
		log_info("%s: asked to shut down", vm->config->name);
		vms_plan(vm, VM_STEP_PRESS, KEY_US);
		return seconds;
	}
	vm_end(vm, VM_END_STOPPED, 0, "stopped from the monitor");
	/* It remains one that is being stopped until it has ended: its guest may just have asked for a reset. */
	vms_plan(vm, VM_STEP_FORCE, SECOND_US);
	return 0;
}

void vms_stop_step(struct vm *vm, enum vm_step step)
{
	unsigned seconds = vm->config->stop_timeout;
	char key = step == VM_STEP_PRESS ? keys[++vm->plan.pressed] : '\0';

	/* A key for which there is no room, or nobody listening any more, makes no difference. */
	if (key && vm_sysrq(vm, key))
		log_debug("%s: key %c is not taken", vm->config->name, key);
	if (key && keys[vm->plan.pressed + 1])
		vms_plan(vm, VM_STEP_PRESS, KEY_US);
	else if (key)
		vms_plan(vm, VM_STEP_FORCE, seconds * SECOND_US - vm->plan.pressed * KEY_US);
	else
		vm_end(vm, VM_END_STOPPED, 0, "stopped from the monitor: it did not shut down within %u s", seconds);
	if (!key)
		vms_plan(vm, VM_STEP_FORCE, SECOND_US);
}

void vms_stop_ended(struct vm *vm)
{
	if (vm->end != VM_END_SHUTDOWN && vm->end != VM_END_RESET)
		return;
	vm->end = VM_END_STOPPED;
	snprintf(vm->reason, sizeof(vm->reason), "it has shut down as it was asked to");
}
