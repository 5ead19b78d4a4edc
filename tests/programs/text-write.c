/* Writes to its own code. */
#include "program.h"

int program(void)
{
	*(volatile char *)0x10000 = 1;
	return 0;
}
