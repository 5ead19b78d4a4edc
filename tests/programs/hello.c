/* Prints a line and exits with 7. */
#include "program.h"

int program(void)
{
	say("hello from U-mode\n");
	return 7;
}
