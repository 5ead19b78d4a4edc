/* Never ends and never calls. */
#include "program.h"

int program(void)
{
	for (;;)
		;
}
