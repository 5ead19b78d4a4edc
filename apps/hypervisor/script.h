/* The monitor's script: commands of a file, from the start on. Private to the hypervisor application. */
#pragma once

#include <caisson/types.h>

/**
 * Run the bundle's script (docs/monitor.md), in a task of its own. Task context.
 * batch: what it prints goes to the error channel, and when it fails the machine ends.
 */
void script_start(bool batch);
