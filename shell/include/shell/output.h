/*
 * What commands show: tables and records out of one description, as text for a
 * person or, with --json, as one JSON document.
 *
 * A row is a structure of the command's own. A layout lists its members: the key
 * in JSON is the member's name, the heading in text the title. Sizes are in bytes
 * and times in nanoseconds; text shows them with a unit.
 *
 *     struct row { uint64_t id; const char *name; };
 *     static const struct shell_field fields[] = {
 *             SHELL_FIELD(struct row, id, SHELL_NUMBER, "id", 3),
 *             SHELL_FIELD(struct row, name, SHELL_TEXT, "name", -20),
 *     };
 *     static const struct shell_layout layout = SHELL_LAYOUT(fields);
 *
 *     shell_table(sh, NULL, &layout);
 *     shell_row(sh, &layout, &(struct row){ 1, "tick" });
 *     shell_table_end(sh);
 *
 * A command gathers what can fail before it begins to show.
 */
#pragma once

#include <stddef.h>

#include <shell/shell.h>

enum shell_kind {
	SHELL_NUMBER,  /* uint64_t */
	SHELL_HEX,     /* uint64_t; a string in JSON, whose readers seldom have 64 bits */
	SHELL_SIZE,    /* uint64_t, bytes */
	SHELL_TIME,    /* uint64_t, nanoseconds */
	SHELL_TENTHS,  /* uint64_t, tenths: 123 is 12.3 */
	SHELL_FLAG,    /* uint64_t, yes or no */
	SHELL_TEXT,    /* const char *; NULL is shown as "-", and is null in JSON */
};

struct shell_field {
	const char *key;
	const char *title;   /* NULL: only in JSON */
	enum shell_kind kind;
	int width;           /* of the column; below 0: text to the left. A record's lines need none. */
	size_t offset;
};

#define SHELL_FIELD(type, member, kind_, title_, width_)                                                  \
	{ .key = #member, .title = (title_), .kind = (kind_), .width = (width_),                          \
	  .offset = offsetof(type, member) + 0 * sizeof(char[sizeof(((type *)0)->member) == 8 ? 1 : -1]) }

struct shell_layout {
	const struct shell_field *fields;
	unsigned n;
	unsigned columns;    /* of a record in text: so many members to a line; 0: one */
};

#define SHELL_LAYOUT(fields_) { .fields = (fields_), .n = ARRAY_SIZE(fields_) }

/**
 * Begin a table: its headings, or a JSON array. key: NULL where it is the whole document. Text says "none" for
 * one that ends without a row. A cell longer than its column moves those behind it, until their spaces make up for it.
 */
void shell_table(struct shell *sh, const char *key, const struct shell_layout *layout);
void shell_row(struct shell *sh, const struct shell_layout *layout, const void *row);
void shell_table_end(struct shell *sh);

/** A record: a line for each member, or a JSON object. */
void shell_record(struct shell *sh, const char *key, const struct shell_layout *layout, const void *row);

/** What holds several tables and records; nothing in text. key: NULL for the document itself. */
void shell_object(struct shell *sh, const char *key);
void shell_object_end(struct shell *sh);
/** An array of such objects. */
void shell_array(struct shell *sh, const char *key);
void shell_array_end(struct shell *sh);
/** A record's members as part of the object that is open, not in one of their own. */
void shell_members(struct shell *sh, const struct shell_layout *layout, const void *row);

/** A member of the open object by itself; nothing in text. */
void shell_member(struct shell *sh, const char *key, const char *value);
/** Text of any length for a person, control characters replaced; nothing with --json. */
void shell_say_text(struct shell *sh, const char *text);

/** Text for a person; nothing with --json. Control characters in what %s brings are the caller's to avoid. */
void shell_say(struct shell *sh, const char *fmt, ...) __printf(2, 3);
