/* Reads the kernel's memory, which must kill it. */
#include "program.h"

int program(void)
{
	say("reading\n");
	return *(volatile char *)0xffffffff80000000;
}
