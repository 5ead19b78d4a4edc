/* Hands the name filter of unit.mk (T=) to cmocka before main runs. */
#include <stdlib.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

__attribute__((constructor)) static void set_filter(void)
{
	const char *filter = getenv("UNIT_FILTER");

	if (filter && *filter)
		cmocka_set_test_filter(filter);
}
