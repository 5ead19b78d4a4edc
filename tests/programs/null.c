/* Jumps to where nothing is. */
#include "program.h"

int program(void)
{
	((void (*)(void))0)();
	return 0;
}
