/*
 * The VMs and their manager: main's task, the only one that makes, boots and
 * destroys VMs. Private to the hypervisor application.
 */
#pragma once

#include <caisson/types.h>

struct vm;

/** Create, load and start every VM that the bundle describes. batch: there is no monitor. @return number of VMs, or
 *  negative errno after reporting why not. */
int vms_start(bool batch);
/** Wait for VMs to end, reboot those that ask for it; until the machine has nothing left to do, and
 *  give back what they have. @return exit status. */
int vms_supervise(void);
/** A script runs: the machine does not end before it has, though no VM runs. Once, before vms_supervise. */
void vms_script_begins(void);
/** It has ended. failed: that is the machine's status 1, and in batch its end. Any task. */
void vms_script_ended(bool failed);
/** Stop every VM and end the machine with status 0 or 1. Any context. */
void vms_poweroff(void);

/** What the monitor's task may ask of the manager. */
enum vms_order {
	VMS_CREATE, /* make the VM of this name anew from its description; it does not run yet */
	VMS_START,  /* let a VM run that has ended (with fresh memory and images) or that was just created */
	VMS_STOP,   /* ask its guest to shut down, and force it after a while (vms_stop); or do not start it again */
	VMS_KILL,   /* end it at once */
	VMS_PAUSE,  /* keep a running VM out of its guest (vm_pause) */
	VMS_RESUME,
	VMS_RESET,  /* end a running VM, and boot it again at once */
	VMS_DELETE, /* give back what an ended VM has, or one that was never started; its name is free then */
};

/**
 * Have the manager carry out an order and wait for it. Monitor's task.
 * @param vm    the VM; NULL for VMS_CREATE
 * @param name  the name for VMS_CREATE
 * @param[out] err  on failure why, for a person
 * @return 0; -EBUSY: not in its state; -ENOENT: no description has that name; or what the VM functions return
 */
int vms_order(enum vms_order what, struct vm *vm, const char *name, char *err, size_t err_size) __must_check;
