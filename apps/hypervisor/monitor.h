/* The monitor's task: a prompt beside the VMs' consoles. Private to the hypervisor application. */
#pragma once

/** Start it, with the first VM attached. Task context. */
void monitor_start(void);
