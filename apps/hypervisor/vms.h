/* The VMs of the bundle (docs/host.md). Private to the hypervisor application. */
#pragma once

#include <caisson/types.h>

/** Create, load and start every VM that the bundle describes. @return number of VMs, or
 *  negative errno after reporting why not. */
int vms_start(void);
/** Wait for VMs to end, reboot those that ask for it; until the machine has nothing left to do. @return exit status. */
int vms_supervise(bool batch);
/** Stop every VM and end the machine with status 0 or 1. Any context. */
void vms_poweroff(void);
/** One line on the error channel, for a person. */
void report_error(const char *fmt, ...) __printf(1, 2);
/** Give back what all VMs have. None runs, and the monitor has stopped. */
void vms_destroy(void);
