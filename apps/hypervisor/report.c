/* Lines for a person on the error channel. */
#include "report.h"

#include <stdarg.h>
#include <stdio.h>

#include <caisson/console.h>

void report_error(const char *fmt, ...)
{
	char line[320];
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(line, sizeof(line) - 1, fmt, args);
	va_end(args);
	n = MIN(n, (int)sizeof(line) - 2);
	line[n++] = '\n';
	console_write(CONSOLE_ERROR, line, (size_t)n);
}
