/* Between the files of core/smp/. */
#pragma once

/** The calling hart takes calls from now on. Interrupts off. */
void calls_open(void);
/** It takes no more, and has run all that it took. Interrupts off. */
void calls_close(void);
