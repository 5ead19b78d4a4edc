/*
 * VMs may have more memory together than the machine. One that touches a page
 * when none is left is paused (vm_hold) and goes on when another has given
 * some back. Private to the manager.
 */
#pragma once

#include <caisson/types.h>

/** Has a VM been held that nobody was told of? Any context. */
bool vms_memory_news(void);
/**
 * Tell of it. batch: nobody can free memory by hand, so that when all that run wait for memory, the
 * last that asked crashes. The manager's task.
 */
void vms_memory_serve(bool batch);
/** Memory was given back: let all that wait for some try again. The manager's task. */
void vms_memory_freed(void);
