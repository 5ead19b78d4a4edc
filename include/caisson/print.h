/* Text for a program's standard output, and the words that its user gave it. */
#pragma once

#include <caisson/types.h>

#define PRINT_MAX 511 /* bytes of one print() */

/**
 * Write text to the application's standard output (channel CONSOLE_MONITOR) in one piece: what two harts
 * print does not mix. What is longer than PRINT_MAX is cut. Any context.
 */
void print(const char *fmt, ...) __printf(1, 2);

/**
 * An argument of the application: what follows its name in `./caisson app NAME ARG...`. Any byte but zero can
 * be in it (docs/host.md says how it gets here).
 * @param n    0 is the first
 * @param buf  gets the text and a terminating zero, cut to size - 1 bytes
 * @return the text's whole length in bytes, or -ENOENT: there are not so many.
 */
int app_arg(unsigned n, char *buf, size_t size);
/** The n-th argument as a number (decimal, or 0x...), or `otherwise` where it is absent or not a number. */
unsigned long app_arg_number(unsigned n, unsigned long otherwise);
