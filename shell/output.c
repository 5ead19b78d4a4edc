/* Tables and records, as text or as JSON. */
#include <shell/output.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define PRINT_MAX 512
#define VALUE_MAX 32  /* a number in words */
#define COLUMN_WIDTH 20 /* of a record's values where several stand in a line */

static void put(struct shell *sh, const char *s)
{
	sh->write(sh, s, strlen(s));
}

static void vprint(struct shell *sh, const char *fmt, va_list args)
{
	char text[PRINT_MAX];

	vsnprintf(text, sizeof(text), fmt, args);
	put(sh, text);
}

void shell_printf(struct shell *sh, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vprint(sh, fmt, args);
	va_end(args);
}

void shell_say(struct shell *sh, const char *fmt, ...)
{
	va_list args;

	if (sh->json)
		return;
	va_start(args, fmt);
	vprint(sh, fmt, args);
	va_end(args);
}

/* --- JSON --- */

/* Bytes of the UTF-8 sequence that begins here, 0: it is none. */
static size_t utf8_length(const char *s)
{
	unsigned char c = (unsigned char)*s;
	size_t n = c < 0x80 ? 1 : c >= 0xc2 && c < 0xe0 ? 2 : (c & 0xf0) == 0xe0 ? 3 : c >= 0xf0 && c < 0xf5 ? 4 : 0;

	for (size_t i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	return n;
}

static void json_text(struct shell *sh, const char *s)
{
	char escaped[16];

	put(sh, "\"");
	while (*s) {
		size_t n = utf8_length(s);

		if (n == 0 || (unsigned char)*s < ' ' || *s == '"' || *s == '\\' || *s == 0x7f) {
			snprintf(escaped, sizeof(escaped), "\\u%04x", n ? (unsigned)*s : 0xfffd);
			put(sh, escaped);
		} else {
			sh->write(sh, s, n);
		}
		s += n ? n : 1;
	}
	put(sh, "\"");
}

/* What comes before each item: a comma, a line of its own, its key. */
static void json_item(struct shell *sh, const char *key)
{
	if (sh->doc.comma)
		put(sh, ",");
	if (sh->doc.depth)
		put(sh, "\n");
	for (unsigned i = 0; i < sh->doc.depth; i++)
		put(sh, " ");
	if (key) {
		json_text(sh, key);
		put(sh, ": ");
	}
	sh->doc.comma = true;
}

static void json_open(struct shell *sh, const char *key, const char *bracket)
{
	json_item(sh, key);
	put(sh, bracket);
	sh->doc.depth++;
	sh->doc.comma = false;
}

static void json_close(struct shell *sh, const char *bracket)
{
	put(sh, bracket);
	sh->doc.comma = --sh->doc.depth != 0;
	if (sh->doc.depth == 0)
		put(sh, "\n");
}

/* --- values --- */

static uint64_t number_of(const struct shell_field *f, const void *row)
{
	return *(const uint64_t *)((const char *)row + f->offset);
}

static const char *text_of(const struct shell_field *f, const void *row)
{
	return *(const char *const *)((const char *)row + f->offset);
}

static void json_value(struct shell *sh, const struct shell_field *f, const void *row)
{
	unsigned long n = (unsigned long)number_of(f, row);
	char text[VALUE_MAX];

	switch (f->kind) {
	case SHELL_NUMBER: case SHELL_SIZE: case SHELL_TIME:
		snprintf(text, sizeof(text), "%lu", n);
		break;
	case SHELL_HEX:
		snprintf(text, sizeof(text), "\"0x%lx\"", n);
		break;
	case SHELL_TENTHS:
		snprintf(text, sizeof(text), "%lu.%lu", n / 10, n % 10);
		break;
	case SHELL_FLAG:
		snprintf(text, sizeof(text), "%s", n ? "true" : "false");
		break;
	case SHELL_TEXT:
		if (text_of(f, row)) {
			json_text(sh, text_of(f, row));
			return;
		}
		snprintf(text, sizeof(text), "null");
		break;
	}
	put(sh, text);
}

static int size_words(char *out, size_t size, unsigned long n)
{
	if (n % MiB == 0 && n)
		return snprintf(out, size, "%lu MiB", n / (unsigned long)MiB);
	if (n % KiB == 0)
		return snprintf(out, size, "%lu KiB", n / (unsigned long)KiB);
	return snprintf(out, size, "%lu bytes", n);
}

/* A value that is not text, for a person. */
static void words_of(const struct shell_field *f, const void *row, char *out, size_t size)
{
	unsigned long n = (unsigned long)number_of(f, row);

	switch (f->kind) {
	case SHELL_NUMBER: snprintf(out, size, "%lu", n); break;
	case SHELL_HEX: snprintf(out, size, "0x%lx", n); break;
	case SHELL_SIZE: size_words(out, size, n); break;
	case SHELL_TIME: snprintf(out, size, "%lu.%03lu s", n / 1000000000, n / 1000000 % 1000); break;
	case SHELL_TENTHS: snprintf(out, size, "%lu.%lu", n / 10, n % 10); break;
	case SHELL_FLAG: snprintf(out, size, "%s", n ? "yes" : "no"); break;
	case SHELL_TEXT: break;
	}
}

/* --- text --- */

static void spaces(struct shell *sh, int n)
{
	for (; n > 0; n--)
		put(sh, " ");
}

/* What a file or a guest brought must not steer the terminal. */
static void put_harmless(struct shell *sh, const char *s)
{
	while (*s) {
		size_t n = strcspn(s, "\x01\x02\x03\x04\x05\x06\x07\x08\t\n\x0b\x0c\r\x0e\x0f\x10\x11\x12\x13\x14\x15"
				      "\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f\x7f");

		sh->write(sh, s, n);
		s += n;
		if (*s) {
			put(sh, "?");
			s++;
		}
	}
}

/*
 * width 0: as long as it is. late: by how many columns the row is behind its headings, because a cell was
 * longer than its column; cells after it give up their spaces until the row is in line again.
 * @return late for the next cell
 */
static int put_cell(struct shell *sh, const char *text, int width, int late)
{
	int len = (int)strlen(text), columns = width < 0 ? -width : width, pad = MAX(columns - len - late, 0);

	if (width > 0)
		spaces(sh, pad);
	put_harmless(sh, text);
	if (width < 0)
		spaces(sh, pad);
	return late + len + pad - columns;
}

/* @return as put_cell() */
static int put_value(struct shell *sh, const struct shell_field *f, const void *row, int width, int late)
{
	char words[VALUE_MAX];
	const char *text = words;

	if (f->kind == SHELL_TEXT)
		text = text_of(f, row) ? text_of(f, row) : "-";
	else
		words_of(f, row, words, sizeof(words));
	return put_cell(sh, text, width, late);
}

/* The last column needs no spaces behind it. */
static int cell_width(const struct shell_layout *l, unsigned i)
{
	for (unsigned j = i + 1; j < l->n; j++)
		if (l->fields[j].title)
			return l->fields[i].width;
	return MAX(l->fields[i].width, 0);
}

/* One line of a table: the headings without a row. */
static void text_row(struct shell *sh, const struct shell_layout *l, const void *row)
{
	bool first = true;
	int late = 0;

	for (unsigned i = 0; i < l->n; i++) {
		const struct shell_field *f = &l->fields[i];

		if (!f->title)
			continue;
		if (!first)
			put(sh, "  ");
		first = false;
		if (row)
			late = put_value(sh, f, row, cell_width(l, i), late);
		else
			late = put_cell(sh, f->title, cell_width(l, i), late);
	}
	put(sh, "\n");
}

static void text_record(struct shell *sh, const struct shell_layout *l, const void *row)
{
	size_t longest = 0;

	for (unsigned i = 0; i < l->n; i++)
		if (l->fields[i].title)
			longest = MAX(longest, strlen(l->fields[i].title));
	for (unsigned i = 0, shown = 0; i < l->n; i++) {
		const struct shell_field *f = &l->fields[i];
		bool last = i + 1 == l->n || !l->columns || (shown + 1) % l->columns == 0;

		if (!f->title)
			continue;
		shown++;
		put_cell(sh, f->title, -(int)longest - 2, 0);
		put_value(sh, f, row, last ? 0 : -COLUMN_WIDTH, 0);
		put(sh, last ? "\n" : "");
	}
}

/* --- both --- */

void shell_table(struct shell *sh, const char *key, const struct shell_layout *layout)
{
	if (sh->json)
		json_open(sh, key, "[");
	else
		text_row(sh, layout, NULL);
	sh->doc.empty = true;
}

/* In one line: that of a table's row is long, but a table has many. */
static void json_row(struct shell *sh, const struct shell_layout *l, const void *row)
{
	put(sh, "{");
	for (unsigned i = 0; i < l->n; i++) {
		put(sh, i ? ", " : "");
		json_text(sh, l->fields[i].key);
		put(sh, ": ");
		json_value(sh, &l->fields[i], row);
	}
	put(sh, "}");
}

void shell_row(struct shell *sh, const struct shell_layout *layout, const void *row)
{
	sh->doc.empty = false;
	if (!sh->json) {
		text_row(sh, layout, row);
		return;
	}
	json_item(sh, NULL);
	json_row(sh, layout, row);
}

void shell_table_end(struct shell *sh)
{
	if (sh->json)
		json_close(sh, "]");
	else if (sh->doc.empty)
		put(sh, "none\n");
}

void shell_members(struct shell *sh, const struct shell_layout *layout, const void *row)
{
	if (!sh->json) {
		text_record(sh, layout, row);
		return;
	}
	for (unsigned i = 0; i < layout->n; i++) {
		json_item(sh, layout->fields[i].key);
		json_value(sh, &layout->fields[i], row);
	}
}

void shell_record(struct shell *sh, const char *key, const struct shell_layout *layout, const void *row)
{
	shell_object(sh, key);
	shell_members(sh, layout, row);
	shell_object_end(sh);
}

void shell_object(struct shell *sh, const char *key)
{
	if (sh->json)
		json_open(sh, key, "{");
}

void shell_object_end(struct shell *sh)
{
	if (sh->json)
		json_close(sh, "}");
}

void shell_array(struct shell *sh, const char *key)
{
	if (sh->json)
		json_open(sh, key, "[");
}

void shell_array_end(struct shell *sh)
{
	if (sh->json)
		json_close(sh, "]");
}

void shell_member(struct shell *sh, const char *key, const char *value)
{
	if (!sh->json)
		return;
	json_item(sh, key);
	json_text(sh, value);
}

void shell_say_text(struct shell *sh, const char *text)
{
	if (!sh->json)
		put_harmless(sh, text);
}

void shell_error(struct shell *sh, const char *fmt, ...)
{
	char text[PRINT_MAX];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (!sh->json) {
		put_harmless(sh, text);
		put(sh, "\n");
		return;
	}
	put(sh, "{");
	json_text(sh, "error");
	put(sh, ": ");
	json_text(sh, text);
	put(sh, "}\n");
}
