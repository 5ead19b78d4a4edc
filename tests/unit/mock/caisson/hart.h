/* The real header, but this_hart() is a variable of the test instead of a register. */
#pragma once

#define this_hart this_hart_of_the_machine
#include_next <caisson/hart.h>
#undef this_hart

extern struct hart mock_harts[HART_MAX];
extern struct hart *mock_hart; /* starts as &mock_harts[0] */

static inline struct hart *this_hart(void)
{
	return mock_hart;
}
