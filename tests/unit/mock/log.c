/* The log: lines are kept for the test to look at, and go to standard error when UNIT_LOG is set. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <caisson/log.h>
#include <logged.h>

enum log_level log_level = LOG_TRACE;

static char text[8192];

const char *mock_log_text(void)
{
	return text;
}

void mock_log_clear(void)
{
	text[0] = '\0';
}

void log_set_level(enum log_level level)
{
	log_level = level;
}

void log_write(enum log_level level, const char *component, const char *fmt, ...)
{
	size_t used = strlen(text);
	char line[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	snprintf(text + used, sizeof(text) - used, "%s\n", line);
	if (getenv("UNIT_LOG"))
		fprintf(stderr, "%d %s: %s\n", level, component, line);
}
