/* The monitor's task: a prompt beside the VMs' consoles. Private to the hypervisor application. */
#pragma once

#include <caisson/types.h>

struct vm;

/** Start it, with the first VM attached. Task context. */
void monitor_start(void);
/**
 * The machine is about to end: no new prompt, which would be cut. Task context.
 * @return whether no command runs any more (it waits for one, for a short time): the VMs may then be destroyed
 */
bool monitor_stop(void);
/** Has monitor_stop been called? Any context. */
bool monitor_is_over(void);
/** Print n bytes of text for the person at the console, whole lines, whatever is shown there. Task context. */
void monitor_print(const char *text, size_t n);
/** Tell the person at the console that a VM has ended and why; if it was attached, the prompt comes back.
 *  last: none is left that runs, or will. Task context. */
void monitor_vm_ended(struct vm *vm, bool last);
/** Tell the person that a VM is paused because the machine is out of memory; the prompt comes. Task context. */
void monitor_vm_held(struct vm *vm);
/** Show a VM's console and send input to it, until the escape key or its end. Commands. */
void monitor_attach(struct vm *vm);
