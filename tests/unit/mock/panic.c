/* panic() aborts the test, except where mock_panics() waits for it. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <caisson/log.h>
#include <test.h>

#define STATUS_PANIC 42

#define MESSAGE_MAX 512

static char *message;  /* shared with the child */
static char *expected; /* the child's: where the message goes */

const char *mock_panic_message(void)
{
	return message ? message : "";
}

void panic(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	if (expected) {
		vsnprintf(expected, MESSAGE_MAX, fmt, args);
		_exit(STATUS_PANIC);
	}
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	abort();
}

bool mock_panics(void (*fn)(void *), void *arg)
{
	int status = 0;
	pid_t child;

	if (!message)
		message = mmap(NULL, MESSAGE_MAX, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(message != MAP_FAILED);
	message[0] = '\0';
	child = fork();
	if (child == 0) {
		expected = message;
		fn(arg);
		_exit(0);
	}
	assert_true(child > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFEXITED(status) && WEXITSTATUS(status) == STATUS_PANIC;
}
