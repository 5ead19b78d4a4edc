/*
 * The application's arguments: the words after `--` in our boot arguments. In a
 * word %XX stands for the byte XX (hexadecimal), so that every word can be told
 * from the next; %00 alone is the empty word (docs/host.md).
 */
#include <caisson/print.h>

#include <caisson/dt.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *skip_spaces(const char *s)
{
	return s + strspn(s, " ");
}

static const char *skip_word(const char *s)
{
	return skip_spaces(s + strcspn(s, " "));
}

/* The n-th word of the application's. @return where it begins, or NULL. */
static const char *find_word(unsigned n)
{
	const char *s = dt_chosen("bootargs");

	if (!s)
		return NULL;
	for (s = skip_spaces(s); *s && !boot_args_end(s); s = skip_word(s))
		;
	if (*s)
		s = skip_word(s);
	while (*s && n--)
		s = skip_word(s);
	return *s ? s : NULL;
}

/* @return the value of a hexadecimal digit, or -1. */
static int digit(char c)
{
	static const char digits[] = "0123456789abcdef0123456789ABCDEF";
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (int)((at - digits) % 16) : -1;
}

/* Decode one byte of a word and step over it. A % that begins no code stands for itself. */
static char next_byte(const char **s)
{
	const char *at = *s;
	int high = at[0] == '%' ? digit(at[1]) : -1;
	int low = high >= 0 ? digit(at[2]) : -1;

	*s += low >= 0 ? 3 : 1;
	return low >= 0 ? (char)(high << 4 | low) : at[0];
}

int app_arg(unsigned n, char *buf, size_t size)
{
	const char *s = find_word(n);
	size_t length = 0;
	char c;

	if (!s)
		return -ENOENT;
	while (*s && *s != ' ' && (c = next_byte(&s)) != 0) {
		if (length + 1 < size)
			buf[length] = c;
		length++;
	}
	if (size)
		buf[MIN(length, size - 1)] = 0;
	return (int)length;
}

unsigned long app_arg_number(unsigned n, unsigned long otherwise)
{
	char text[24], *end;
	unsigned long value;

	if (app_arg(n, text, sizeof(text)) <= 0)
		return otherwise;
	value = strtoul(text, &end, 0);
	return *end ? otherwise : value;
}
