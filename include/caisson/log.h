/*
 * The levelled log. Each line reads
 *     [    0.123456] 0 info  mm: text
 * (seconds since start, hart id, level, component, text) and goes to the log
 * channel of the console (caisson/console.h). A file sets its component with
 *     #define LOG_NAME "mm"
 * before including this header.
 *
 * Callable from any context, interrupts on or off, also before the console
 * driver is bound (lines then go through the firmware's debug console).
 */
#pragma once

#include <caisson/types.h>

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG, LOG_TRACE };

/** Lines above this level are dropped. Default CONFIG_LOG_DEFAULT_LEVEL; set by log_set_level. Above
 *  CONFIG_LOG_MAX_LEVEL there are none in the image. */
extern enum log_level log_level;

/** Name to level ("error", "warn", "info", "debug", "trace"). @return 0 or -EINVAL. */
int log_parse_level(const char *name, enum log_level *out) __must_check;
void log_set_level(enum log_level level);
const char *log_level_name(enum log_level level);

#define LOG_KEPT 200 /* lines */

/** A line that was logged a while ago. */
struct log_line {
	enum log_level level;
	char component[16];
	char text[256];        /* as it was written, without its end */
};

/** Begin to keep lines; for good. Once, task context. @return 0, or -ENOMEM: none are kept. */
int log_keep_start(void) __must_check;
/** Keep a line of n bytes, the oldest one goes (CONFIG_LOG_KEEP). Any context, also panics. */
void log_keep(enum log_level level, const char *component, const char *text, size_t n);
/**
 * The lines that are kept, by numbers that only grow.
 * @param[in,out] number  from where on; set to that of the line
 * @return false: there is none from there on
 */
bool log_kept_line(uint64_t *number, struct log_line *out) __must_check;

void log_write(enum log_level level, const char *component, const char *fmt, ...)
	__printf(3, 4);

/** Print the message and where it came from, then end the machine with status 3. (A trap prints its
 *  registers with trap_dump() first.) Only for our own bugs: nothing a guest or a file says may reach it. */
void panic(const char *fmt, ...) __noreturn __printf(1, 2);

#define log_at(level, ...)                                            \
	do {                                                          \
		if ((level) <= CONFIG_LOG_MAX_LEVEL && (level) <= log_level)                             \
			log_write((level), LOG_NAME, __VA_ARGS__);    \
	} while (0)

#define log_error(...) log_at(LOG_ERROR, __VA_ARGS__)
#define log_warn(...) log_at(LOG_WARN, __VA_ARGS__)
#define log_info(...) log_at(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_at(LOG_DEBUG, __VA_ARGS__)
#define log_trace(...) log_at(LOG_TRACE, __VA_ARGS__)

/** Assertion about our own code. */
#define ASSERT(cond)                                                  \
	do {                                                          \
		if (unlikely(!(cond)))                                \
			panic("%s:%d: assertion failed: %s", __FILE__,\
			      __LINE__, #cond);                       \
	} while (0)
