/* panic() aborts the test, except where mock_panics() waits for it. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include <caisson/log.h>
#include <test.h>

#define STATUS_PANIC 42

static bool expected;

void panic(const char *fmt, ...)
{
	va_list args;

	if (expected)
		_exit(STATUS_PANIC);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	abort();
}

bool mock_panics(void (*fn)(void *), void *arg)
{
	int status = 0;
	pid_t child = fork();

	if (child == 0) {
		expected = true;
		fn(arg);
		_exit(0);
	}
	assert_true(child > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFEXITED(status) && WEXITSTATUS(status) == STATUS_PANIC;
}
