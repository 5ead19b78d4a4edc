/* Reads a CSR of the kernel's. */
#include "program.h"

int program(void)
{
	long value;

	__asm__ volatile("csrr %0, satp" : "=r"(value));
	return (int)value;
}
