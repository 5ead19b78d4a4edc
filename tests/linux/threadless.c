/* What the C library does before main and at its end: thread-local variables, arguments, buffers, exit handlers. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static __thread int initialised = 42;
static __thread int zeroed;
static char in_bss[10000];

static void at_end(void)
{
	puts("at the end");
}

int main(int argc, char **argv)
{
	char *text = strdup(argv[argc - 1]);

	atexit(at_end);
	printf("%d arguments, the last is %s\n", argc, text);
	printf("thread-local %d %d\n", initialised, zeroed);
	errno = 0;
	strtol("99999999999999999999", NULL, 10);
	printf("errno is ERANGE: %s\n", errno == ERANGE ? "yes" : "no");
	for (size_t i = 0; i < sizeof(in_bss); i++)
		if (in_bss[i])
			return 1;
	printf("%.3f %s", 22.0 / 7.0, getenv("HOME") ? "with a home" : "without a home");
	free(text);
	return 7;
}
