/* The log: lines go to standard error when UNIT_LOG is set, else nowhere. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <caisson/log.h>

enum log_level log_level = LOG_TRACE;

void log_set_level(enum log_level level)
{
	log_level = level;
}

void log_write(enum log_level level, const char *component, const char *fmt, ...)
{
	va_list args;

	if (!getenv("UNIT_LOG"))
		return;
	fprintf(stderr, "%d %s: ", level, component);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
}
