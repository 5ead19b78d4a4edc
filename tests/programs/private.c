/* Two of these have the same addresses and their own data: each counts turns in its own memory. */
#include "program.h"

static volatile long mine, sum;

int program(void)
{
	mine = getpid();
	for (int turn = 0; turn < 100; turn++) {
		sum += mine;
		yield();
	}
	say(mine == getpid() && sum == 100 * mine ? "private\n" : "shared!\n");
	return mine == getpid() && sum == 100 * mine ? 0 : 1;
}
