/*
 * The shell: a line editor and a table of commands.
 *
 * The editor is fed one byte at a time and writes through a function, so it
 * knows nothing of where the bytes come from. Commands stand in a linker section
 * (SHELL_COMMAND), sorted by name. Who gives commands (a person at the prompt, a
 * script) is a struct shell; what they print goes there (also shell/output.h).
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

/* Those who give commands. */

/** One of them. Its commands run one after the other in one task. */
struct shell {
	/** Take output: text whose lines end in \n. */
	void (*write)(struct shell *sh, const char *buf, size_t n);
	/**
	 * Wait until a time in ticks; the shell's lock is let go meanwhile, so what was looked up before is
	 * looked up again afterwards.
	 * @param any_key  a key ends it, not only Ctrl-C. Where there are no keys it has no effect.
	 * @return 0: it is time; -EINTR: a key, or the machine ends
	 */
	int (*wait)(struct shell *sh, uint64_t deadline, bool any_key);
	bool person;     /* somebody reads along and has keys */
	bool json;       /* the command that runs was given --json */
	struct {         /* shell/output.h */
		unsigned depth;
		bool comma;
		bool empty;  /* the table that was begun last has no row yet */
	} doc;
};

/**
 * Commands of several shells run one at a time, so that no VM goes away while another's command looks at it.
 * Whoever runs commands, or looks at what they may change, holds this. Task context; may sleep.
 */
void shell_lock(void);
void shell_unlock(void);
/** @return 0, or -ETIMEDOUT: another one holds it until the deadline (ticks). */
int shell_lock_until(uint64_t deadline) __must_check;

/* Commands. */

/**
 * The usage line is what the words of a command are checked against before it runs, and what Tab offers:
 *     VM          a word that must be there          [N]       one that may be there
 *     on|off      one of these words                 WORD...   one or more of them (last in the line)
 *     [--json]    the command has a machine-readable form (shell.json)
 */
struct shell_command {
	const char *name;    /* "hart", "vm pause" */
	const char *usage;   /* arguments as shown after the name, "" for none */
	const char *help;    /* one line */
	/**
	 * argv[0] is the name's last word, behind it what the usage line allows. NULL: a group; its commands' names
	 * begin with its own. Task context, shell's lock held.
	 * @return 0, or a negative errno: failed, and has said why (shell_error).
	 */
	int (*fn)(struct shell *sh, int argc, char **argv);
	const char *more;    /* lines for `help NAME`, each ended by \n; may be NULL */
};

/** Put a command into the shell's table. id: its name with _ for spaces, by which the table is sorted. */
#define SHELL_COMMAND(id) \
	static const struct shell_command shell_##id IN_SECTION(".shell_commands." #id) ALIGNED_TO(8)

/** The table that SHELL_COMMAND fills. */
const struct shell_command *shell_commands(unsigned *n);
/**
 * For line.word: names of commands and, out of a command's usage line, its arguments: "a|b" are words as
 * they stand, COMMAND is a command's name, and the placeholder of shell_set_things is a thing's. Other
 * capitals stand for what cannot be completed.
 */
int shell_complete(const char *before, size_t len, unsigned i, char *out, size_t size);
/** Things that arguments may be ("VM"): their placeholder in usage lines, and their i-th name, NULL past the last. */
void shell_set_things(const char *placeholder, const char *(*name)(unsigned i));

/**
 * Find the command that the first words name, each by itself or by the beginning of just one name; says so
 * when there is none.
 * @param[out] used  how many words the name took
 * @return the command, perhaps a group, or NULL.
 */
const struct shell_command *shell_find(struct shell *sh, int argc, char **argv, int *used);
/** The members of a group ("vm "; "" for all that stand alone, and the groups): the first after `c`, NULL: from the start. */
const struct shell_command *shell_next(const char *group, const struct shell_command *c);
/** The name below its group: the last word. */
const char *shell_own_name(const struct shell_command *c);

/** Check words against the command's usage; says what is wrong. @return 0 or -EINVAL. */
int shell_check(struct shell *sh, const struct shell_command *c, int argc, char **argv);
/** A word of a usage line. */
struct shell_word {
	const char *text;    /* "VM", "a|b", without brackets and dots */
	size_t len;
	bool optional, repeated;
};
/** Take the next word off a usage line. @return false: there is none. */
bool shell_usage_word(const char **usage, struct shell_word *out);
bool shell_word_is(const struct shell_word *w, const char *text);
/** The i-th of "a|b|c". @return its length, 0: none. */
size_t shell_alternative(const struct shell_word *w, unsigned i, const char **out);

/** A decimal number from min to max; says what is wrong. @return 0 or -EINVAL. */
int shell_number(struct shell *sh, const char *word, uint64_t min, uint64_t max, uint64_t *out) __must_check;
/** Seconds with up to three decimals, at most a day, in ticks. @return 0 or -EINVAL, having said why. */
int shell_seconds(struct shell *sh, const char *word, uint64_t *ticks) __must_check;

/**
 * Split a line in place into words; '...' and "..." keep spaces, and stand anywhere in a word.
 * @return number of words, -EINVAL a quote is not closed, -E2BIG more than max words.
 */
int shell_split(char *line, char **argv, int max);
/** Split and run one line, shell's lock held; an empty one does nothing. @return 0 or a negative errno (reported). */
int shell_run(struct shell *sh, char *line);

/** Print; at most 511 bytes at a time. Not for commands that know --json, which use shell/output.h. */
void shell_printf(struct shell *sh, const char *fmt, ...) __printf(2, 3);
/** Say why a command fails: one line without its end. With --json it is the document: {"error": "..."}. */
void shell_error(struct shell *sh, const char *fmt, ...) __printf(2, 3);
