/* What devices ask of the kernel around them besides memory: time, the log, sleeping. And words to who looks on. */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>

#include <caisson/task.h>
#include <caisson/time.h>

#define LOG_NAME "fuzz"
#include <caisson/log.h>

#define DRAIN_MAX 10000

uint64_t fuzz_time;
uint64_t fuzz_progress;
uint8_t fuzz_flavour;
enum log_level log_level = LOG_TRACE;

/* --- words --- */

void fuzz_fail(const char *fmt, ...)
{
	va_list args;

	fputs("fuzz: ", stderr);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	abort();
}

static bool tracing(void)
{
	static int on = -1;

	if (on < 0)
		on = getenv("FUZZ_TRACE") != NULL;
	return on;
}

void fuzz_trace(const char *fmt, ...)
{
	va_list args;

	if (!tracing())
		return;
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
}

/* Leaks are counted after each run (heap_in_use), and little needs to be kept to find who uses what is freed. */
const char *__asan_default_options(void)
{
	return "detect_leaks=0:quarantine_size_mb=16";
}

/* --- what the kernel asks of its surroundings --- */

void log_write(enum log_level level, const char *component, const char *fmt, ...)
{
	char line[256];
	va_list args;

	(void)level;
	va_start(args, fmt);
	vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	fuzz_trace("    %s: %s\n", component, line);
}

uint64_t time_now(void) { return ++fuzz_time; }
uint64_t time_from_us(uint64_t us) { return us; }
uint64_t time_to_ns(uint64_t ticks) { return ticks * 1000; }

unsigned fuzz_sleeps;

/* A device that waits for chains at its VM's end: the back end answers meanwhile. */
void task_sleep_until(uint64_t deadline)
{
	fuzz_time = MAX(fuzz_time, deadline);
	if (++fuzz_sleeps > DRAIN_MAX)
		fuzz_fail("the end of a VM waits for ever");
	ram_step();
	if (fuzz_target.pump)
		(void)fuzz_target.pump();
}
