/* The levelled log and panic: a line is put together on the stack and written in one piece. */
#include <caisson/log.h>

#include <arch/cpu.h>
#include <arch/sbi.h>
#include <caisson/console.h>
#include <caisson/hart.h>
#include <caisson/init.h>
#include <caisson/time.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define LINE_BYTES 256 /* a line with its end; what is longer is cut and ends in "..." */
#define LINE_END 2     /* room for "\r\n" */

static const char *const level_names[] = {
	[LOG_ERROR] = "error", [LOG_WARN] = "warn",   [LOG_INFO] = "info",
	[LOG_DEBUG] = "debug", [LOG_TRACE] = "trace",
};

enum log_level log_level = CONFIG_LOG_DEFAULT_LEVEL;

const char *log_level_name(enum log_level level)
{
	return (size_t)level < ARRAY_SIZE(level_names) ? level_names[level] : "?";
}

int log_parse_level(const char *name, enum log_level *out)
{
	for (size_t i = 0; i < ARRAY_SIZE(level_names); i++) {
		if (strcmp(name, level_names[i]) == 0) {
			*out = (enum log_level)i;
			return 0;
		}
	}
	return -EINVAL;
}

void log_set_level(enum log_level level)
{
	log_level = level;
}

/* A label or name from outside must not be able to end our line and begin another. */
static void blank_controls(char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)s[i] < ' ' || s[i] == 0x7f)
			s[i] = '?';
}

static size_t format_prefix(char *line, size_t size, enum log_level level, const char *component)
{
	uint64_t hz = timebase_hz ? timebase_hz : 1;
	uint64_t now = timebase_hz ? time_now() : 0;
	int n = snprintf(line, size, "[%5lu.%06lu] %u %-5s %s: ", (unsigned long)(now / hz),
			 (unsigned long)(now % hz * 1000000 / hz), this_hart()->index,
			 log_level_name(level), component);

	return n < 0 ? 0 : MIN((size_t)n, size - 1);
}

/* @return the length of the text, at most size - 1; a cut is shown. */
static size_t format_text(char *text, size_t size, const char *fmt, va_list ap)
{
	int n = vsnprintf(text, size, fmt, ap);

	if (n < 0)
		return 0;
	if ((size_t)n < size)
		return n;
	if (size > 3)
		memcpy(text + size - 4, "...", 3);
	return size - 1;
}

static void write_line(enum log_level level, const char *component, const char *fmt, va_list ap)
{
	char line[LINE_BYTES];
	size_t room = sizeof(line) - LINE_END + 1; /* the end goes over the terminating zero */
	size_t n = format_prefix(line, room, level, component);

	n += format_text(line + n, room - n, fmt, ap);
	blank_controls(line, n);
	if (IS_ENABLED(CONFIG_LOG_KEEP))
		log_keep(level, component, line, n);
	if (!console_framed())
		line[n++] = '\r';
	line[n++] = '\n';
	console_write(CONSOLE_LOG, line, n);
}

void log_write(enum log_level level, const char *component, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	write_line(level, component, fmt, ap);
	va_end(ap);
}

/* The hart in panic, as its index + 1. There is no way back. */
static unsigned panic_owner;

/*
 * The first panic goes on. One inside it stops the machine without printing; one on another hart waits for
 * the first.
 */
static void panic_enter(void)
{
	static bool nested;
	unsigned me = this_hart()->index + 1;
	unsigned owner = 0;

	if (__atomic_compare_exchange_n(&panic_owner, &owner, me, false, __ATOMIC_ACQ_REL,
					__ATOMIC_ACQUIRE))
		return;
	if (owner == me && !nested) {
		nested = true;
		machine_stop(3);
	}
	if (owner == me)
		sbi_shutdown(true);
	for (;;)
		cpu_wfi();
}

void panic(const char *fmt, ...)
{
	const void *from = __builtin_return_address(0);
	va_list ap;

	irq_disable();
	panic_enter();
	console_panic();
	va_start(ap, fmt);
	write_line(LOG_ERROR, "panic", fmt, ap);
	va_end(ap);
	log_write(LOG_ERROR, "panic", "hart %u (id %lu), called from %p", this_hart()->index,
		  (unsigned long)this_hart()->hwid, from);
	machine_exit(3);
}
