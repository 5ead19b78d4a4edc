/* System calls with arguments that cannot be. */
#include "program.h"

#define EFAULT 14
#define EBADF 9
#define ENOSYS 38

static char zeroed[4096];
static int failed;

static void expect(const char *what, long got, long wanted)
{
	if (got == wanted)
		return;
	failed = 1;
	say(what);
	say(": wrong result\n");
}

int program(void)
{
	expect("kernel address", write(1, (void *)0xffffffff80000000, 1), -EFAULT);
	expect("null", write(1, NULL, 1), -EFAULT);
	expect("beyond the user half", write(1, (void *)0x4000000000, 1), -EFAULT);
	expect("not canonical", write(1, (void *)0x8000000000000000, 8), -EFAULT);
	expect("wraps", write(1, (void *)-1, 2), -EFAULT);
	expect("descriptor", write(9, "x", 1), -EBADF);
	expect("nothing", write(1, "", 0), 0);
	expect("no such call", syscall3(9999, 0, 0, 0), -ENOSYS);
	expect("number beyond 32 bits", syscall3((1L << 32) | 64, 1, (long)"x", 1), -ENOSYS);
	expect("untouched memory", write(2, zeroed, 0), 0);
	/* Half of it is there: a terminal gets all of a piece or nothing, as on Linux. */
	expect("end of the stack", write(2, (char *)0x4000000000 - 2, 10), -EFAULT);
	say(failed ? "FAIL\n" : "PASS\n");
	return failed;
}
