/* A program's standard output. */
#include <caisson/print.h>

#include <caisson/console.h>
#include <stdarg.h>
#include <stdio.h>

void print(const char *fmt, ...)
{
	char text[PRINT_MAX + 1];
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (n > 0)
		console_write(CONSOLE_MONITOR, text, MIN((size_t)n, sizeof(text) - 1));
}
