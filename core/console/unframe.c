/* Input on a framed line: what was typed, and the terminal's size. */
#include "unframe.h"

#include <stdlib.h>
#include <string.h>

#include <caisson/console.h>

#define SIZE_MARK 'S'
#define END_MARK 'E'
#define SIZE_TEXT 12      /* "65535x65535" */

static enum { TYPED, AFTER_DLE, IN_SIZE } state;
static char text[SIZE_TEXT + 1];
static unsigned text_n;

static uint32_t size;     /* columns in the upper half; atomic */
static void (*resized)(void), (*ended)(void);

struct console_size console_size(void)
{
	uint32_t now = __atomic_load_n(&size, __ATOMIC_RELAXED);

	return (struct console_size){ .columns = (uint16_t)(now >> 16), .rows = (uint16_t)now };
}

void console_set_resized(void (*fn)(void))
{
	__atomic_store_n(&resized, fn, __ATOMIC_RELEASE);
}

void console_set_ended(void (*fn)(void))
{
	__atomic_store_n(&ended, fn, __ATOMIC_RELEASE);
}

static void take_end(void)
{
	void (*fn)(void) = __atomic_load_n(&ended, __ATOMIC_ACQUIRE);

	if (fn)
		fn();
}

void console_resize(struct console_size new)
{
	void (*fn)(void) = __atomic_load_n(&resized, __ATOMIC_ACQUIRE);

	__atomic_store_n(&size, (uint32_t)new.columns << 16 | new.rows, __ATOMIC_RELAXED);
	if (fn)
		fn();
}

/* "COLUMNSxROWS"; anything else is not of our host's making. */
static void take_size(void)
{
	unsigned long columns, rows;
	char *end;

	text[text_n] = '\0';
	columns = strtoul(text, &end, 10);
	if (*end != 'x' || columns > UINT16_MAX)
		return;
	rows = strtoul(end + 1, &end, 10);
	if (*end || rows > UINT16_MAX)
		return;
	console_resize((struct console_size){ (uint16_t)columns, (uint16_t)rows });
}

/* One byte of the size, up to the end of the line. */
static void size_byte(char c)
{
	if (c == '\n') {
		take_size();
		state = TYPED;
	} else if (text_n < SIZE_TEXT) {
		text[text_n++] = c;
	} else {
		state = TYPED;
	}
}

/* @return is the byte done with? A typed DLE that nobody takes is not. */
static bool byte_after_dle(char c, size_t (*input)(const char *buf, size_t n))
{
	if (c == CONSOLE_DLE && input(&c, 1) == 0)
		return false;
	if (c == END_MARK)
		take_end();
	state = c == SIZE_MARK ? IN_SIZE : TYPED;
	text_n = 0;
	return true;
}

static size_t step(const char *buf, size_t n, size_t (*input)(const char *buf, size_t n))
{
	const char *dle;

	switch (state) {
	case AFTER_DLE:
		return byte_after_dle(*buf, input);
	case IN_SIZE:
		size_byte(*buf);
		return 1;
	default:
		dle = memchr(buf, CONSOLE_DLE, n);
		if (dle != buf)
			return input(buf, dle ? (size_t)(dle - buf) : n);
		state = AFTER_DLE;
		return 1;
	}
}

size_t console_unframe(const char *buf, size_t n, size_t (*input)(const char *buf, size_t n))
{
	size_t taken = 0, part = 1;

	while (taken < n && part) {
		part = step(buf + taken, n - taken, input);
		taken += part;
	}
	return taken;
}
