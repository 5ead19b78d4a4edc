/* Executes its data. */
#include "program.h"

static uint32_t code[1]; /* zero, which is no instruction either */

int program(void)
{
	((void (*)(void))code)();
	return 0;
}
