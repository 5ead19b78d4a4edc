/*
 * Constructors: functions that run once, in no order that counts, when everything is up
 * and before main(). A component sets itself up so without main() knowing of it.
 */
#include <caisson/init.h>
#include <caisson/print.h>

static unsigned first_runs, second_runs;
static bool in_main;

static void build_first(void)
{
	first_runs += in_main ? 100 : 1;
}

static void build_second(void)
{
	second_runs += in_main ? 100 : 1;
}

CONSTRUCTOR(build_first);
CONSTRUCTOR(build_second);

int main(void)
{
	in_main = true;
	print("before main: %u and %u\n", first_runs, second_runs);
	return 41 + (int)first_runs + (int)second_runs;
}
