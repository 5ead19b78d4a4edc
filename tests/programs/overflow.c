/* Uses its stack up. */
#include "program.h"

#pragma GCC diagnostic ignored "-Winfinite-recursion"

static int deeper(volatile int *caller)
{
	volatile int here[64];

	here[0] = *caller + 1;
	return deeper(here) + here[0];
}

int program(void)
{
	volatile int none = 0;

	return deeper(&none);
}
