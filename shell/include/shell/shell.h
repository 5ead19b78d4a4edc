/*
 * The shell: a line editor and a table of commands.
 *
 * The editor is fed one byte at a time and writes through a function, so it
 * knows nothing of where the bytes come from. Commands stand in a linker section
 * (SHELL_COMMAND), sorted by name, and print to the monitor channel of the
 * console.
 */
#pragma once

#include <caisson/types.h>

#define SHELL_LINE_MAX 256 /* with the terminating zero */
#define SHELL_HISTORY 16
#define SHELL_ARGS_MAX 16
#define SHELL_WORD_MAX 64 /* of a word that Tab completes to, with the terminating zero */

/* The line editor. */

enum line_event {
	LINE_MORE,      /* the line is not finished */
	LINE_DONE,      /* Enter: line.text holds it */
	LINE_CANCELLED, /* Ctrl-C: given up */
};

/**
 * What Tab may complete to: the i-th word (from 0) that could follow the `len` bytes at `before`.
 * Called with the editor's lock held.
 * @return 0; -ENOSPC: it is longer than size and cannot be offered; -ENOENT: past the last
 */
typedef int (*shell_word_fn)(const char *before, size_t len, unsigned i, char *out, size_t size);

struct line {
	const char *prompt;
	void (*write)(void *arg, const char *buf, size_t n);
	void *arg;
	shell_word_fn word;              /* may be NULL */
	size_t len, cursor;
	char text[SHELL_LINE_MAX];
	unsigned escape;                 /* how far into an escape sequence the input is */
	char escape_param;
	bool after_cr;
	unsigned n_history;              /* lines ever remembered */
	unsigned browsing;               /* steps back into the history, 0: the line being typed */
	char draft[SHELL_LINE_MAX];      /* the line being typed, while browsing */
	char history[SHELL_HISTORY][SHELL_LINE_MAX];
};

/** Set up an editor; prompt stays the caller's. */
void line_init(struct line *l, const char *prompt, void (*write)(void *arg, const char *buf, size_t n),
	       void *arg, shell_word_fn word);
/** Begin an empty line: print the prompt. */
void line_start(struct line *l);
/** Print prompt and line anew, after something else was printed. */
void line_redraw(struct line *l);
/** One byte typed. Bytes that are neither printable ASCII nor a known key do nothing. */
enum line_event line_feed(struct line *l, char c);

/* Commands. */

struct shell_command {
	const char *name;
	const char *usage; /* arguments as shown after the name, "" for none */
	const char *help;  /* one line */
	/** argv[0] is the name. Task context. @return 0; -EINVAL: used wrongly (its usage is then printed);
	 *  another negative errno: failed, and has said why. */
	int (*fn)(int argc, char **argv);
};

/** Put a command into the shell's table. */
#define SHELL_COMMAND(id) \
	static const struct shell_command id IN_SECTION(".shell_commands." #id) ALIGNED_TO(8)

/** The table that SHELL_COMMAND fills. */
const struct shell_command *shell_commands(unsigned *n);
/**
 * For line.word: names of commands and sub-commands and, out of a command's usage line, its
 * arguments: "a|b" are words as they stand, COMMAND is a command's name, and the placeholder of
 * shell_set_things is a thing's. Other capitals stand for what cannot be completed.
 */
int shell_complete(const char *before, size_t len, unsigned i, char *out, size_t size);
/** Things that arguments may be ("VM"): their placeholder in usage lines, and their i-th name, NULL past the last. */
void shell_set_things(const char *placeholder, const char *(*name)(unsigned i));
/**
 * The sub-commands of a command whose usage begins with COMMAND. Such a command must do nothing with
 * several words but hand them on to shell_dispatch, which here is asked for its table instead of running one.
 */
const struct shell_command *shell_group_table(const struct shell_command *c, unsigned *n);

/**
 * Find a command by its name or by the beginning of just one name; says so when there is none.
 * @param group  what stands before the name when it is typed ("" or "vm ")
 * @return the command or NULL.
 */
const struct shell_command *shell_find(const struct shell_command *table, unsigned n, const char *group,
				       const char *word);
/** Find argv[0] in a table and run it. @return its result, -ENOENT for an unknown name. */
int shell_dispatch(const struct shell_command *table, unsigned n, const char *group, int argc, char **argv);
/** Print the commands of a table, or with a word the one command's usage. @return 0 or -ENOENT. */
int shell_help(const struct shell_command *table, unsigned n, const char *group, const char *word);

/**
 * Split a line in place into words; '...' and "..." keep spaces, and stand anywhere in a word.
 * @return number of words, -EINVAL a quote is not closed, -E2BIG more than max words.
 */
int shell_split(char *line, char **argv, int max);
/** Split and run one line; an empty one does nothing. @return 0 or a negative errno (already reported). */
int shell_run(char *line);

/** Print to the monitor channel, each \n as \r\n; at most 511 bytes at a time. */
void shell_printf(const char *fmt, ...) __printf(1, 2);
/** The same for bytes as they are. */
void shell_write(const char *buf, size_t n);
