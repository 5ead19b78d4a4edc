/* Between the files of core/smp/. */
#pragma once

/** The calling hart takes calls from now on. Interrupts off. */
void calls_open(void);
/** It takes no more, and has run all that it took. Interrupts off. */
void calls_close(void);
/** Changes of harts (offline, online, reserved) come one after the other: wait for the turn. Task context. */
void change_begin(void);
void change_end(void);
/** Are there harts besides this one that are online and not reserved? */
bool others_are_common(unsigned hart);
/**
 * Run fn(arg) here while every other hart that is online waits with its interrupts off. None of them is in the firmware
 * then, and no IPI to one of them is on its way. Within change_begin, or at boot; task context, interrupts on.
 */
void smp_run_alone(void (*fn)(void *), void *arg);
