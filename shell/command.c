/* Commands: splitting a line, finding the command, running it. */
#include <shell/shell.h>

#include <caisson/console.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define PRINT_MAX 512
#define NAME_MAX 16  /* longer words are near to no command */
#define NEAR 2       /* edits that a typing slip takes at most */

extern const struct shell_command __shell_commands_start[];
extern const struct shell_command __shell_commands_end[];

/* Set only while a group is asked for its table; commands run one at a time, in the same task. */
static struct {
	bool active;
	const struct shell_command *table;
	unsigned n;
} asked;

void shell_write(const char *buf, size_t n)
{
	console_write(CONSOLE_MONITOR, buf, n);
}

void shell_printf(const char *fmt, ...)
{
	char text[PRINT_MAX];
	const char *at = text, *end;
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	while ((end = strchr(at, '\n')) != NULL) {
		shell_write(at, (size_t)(end - at));
		shell_write("\r\n", 2);
		at = end + 1;
	}
	shell_write(at, strlen(at));
}

const struct shell_command *shell_commands(unsigned *n)
{
	*n = (unsigned)(__shell_commands_end - __shell_commands_start);
	return __shell_commands_start;
}

/* Move one word to `to`, without its quotes. @return where it ended, or NULL: a quote is open. */
static char *take_word(char *from, char **to)
{
	char quote = '\0';

	for (; *from && (quote || *from != ' '); from++) {
		if (*from == quote)
			quote = '\0';
		else if (!quote && (*from == '"' || *from == '\''))
			quote = *from;
		else
			*(*to)++ = *from;
	}
	return quote ? NULL : from;
}

int shell_split(char *line, char **argv, int max)
{
	char *to = line;
	int argc = 0;

	for (;;) {
		bool last;

		line += strspn(line, " ");
		if (!*line)
			return argc;
		if (argc == max)
			return -E2BIG;
		argv[argc++] = to;
		line = take_word(line, &to);
		if (!line)
			return -EINVAL;
		last = !*line;
		*to++ = '\0'; /* perhaps over the space that ended the word: it is not read again */
		if (last)
			return argc;
		line++;
	}
}

/* Insertions, deletions and replacements that make one word of the other; both shorter than NAME_MAX. */
static unsigned edits(const char *a, const char *b)
{
	unsigned row[NAME_MAX];
	size_t n = strlen(b);

	for (size_t j = 0; j <= n; j++)
		row[j] = (unsigned)j;
	for (size_t i = 0; a[i]; i++) {
		unsigned diagonal = row[0];

		row[0] = (unsigned)i + 1;
		for (size_t j = 1; j <= n; j++) {
			unsigned change = diagonal + (a[i] != b[j - 1]);

			diagonal = row[j];
			row[j] = MIN(change, MIN(row[j], row[j - 1]) + 1);
		}
	}
	return row[n];
}

static const char *nearest(const struct shell_command *table, unsigned n, const char *word)
{
	const char *best = NULL;
	unsigned least = NEAR + 1;

	for (unsigned i = 0; i < n && strlen(word) < NAME_MAX; i++) {
		unsigned distance = strlen(table[i].name) < NAME_MAX ? edits(word, table[i].name) : least;

		/* Where half of the letters differ it is another word. */
		if (distance < least && distance * 2 <= strlen(word)) {
			least = distance;
			best = table[i].name;
		}
	}
	return best;
}

static void say_unknown(const struct shell_command *table, unsigned n, const char *group, const char *word)
{
	const char *near = nearest(table, n, word);

	if (near)
		shell_printf("unknown command '%s%s'; did you mean '%s%s'?\n", group, word, group, near);
	else if (*group)
		shell_printf("unknown command '%s%s'; '%.*s' alone lists what there is\n", group, word,
			     (int)strlen(group) - 1, group);
	else
		shell_printf("unknown command '%s'; 'help' lists what there is\n", word);
}

static void say_ambiguous(const struct shell_command *table, unsigned n, const char *group, const char *word)
{
	shell_printf("'%s%s' may be", group, word);
	for (unsigned i = 0; i < n; i++)
		if (strncmp(table[i].name, word, strlen(word)) == 0)
			shell_printf(" '%s%s'", group, table[i].name);
	shell_printf("\n");
}

const struct shell_command *shell_find(const struct shell_command *table, unsigned n, const char *group,
				       const char *word)
{
	const struct shell_command *found = NULL;
	size_t len = strlen(word);
	unsigned begin = 0;

	for (unsigned i = 0; i < n; i++) {
		if (len == 0 || strncmp(table[i].name, word, len) != 0)
			continue;
		if (table[i].name[len] == '\0')
			return &table[i];
		found = &table[i];
		begin++;
	}
	if (begin == 1)
		return found;
	if (begin == 0)
		say_unknown(table, n, group, word);
	else
		say_ambiguous(table, n, group, word);
	return NULL;
}

static void print_usage(const char *group, const struct shell_command *c)
{
	shell_printf("usage: %s%s%s%s\n", group, c->name, *c->usage ? " " : "", c->usage);
}

int shell_dispatch(const struct shell_command *table, unsigned n, const char *group, int argc, char **argv)
{
	const struct shell_command *c;
	int error;

	if (asked.active) {
		asked.table = table;
		asked.n = n;
		return 0;
	}
	c = shell_find(table, n, group, argv[0]);
	if (!c)
		return -ENOENT;
	error = c->fn(argc, argv);
	if (error == -EINVAL)
		print_usage(group, c);
	return error;
}

const struct shell_command *shell_group_table(const struct shell_command *c, unsigned *n)
{
	char name[] = "", sub[] = "", *argv[] = { name, sub, NULL };

	asked.active = true;
	asked.n = 0;
	(void)c->fn(2, argv);
	asked.active = false;
	*n = asked.n;
	return asked.table;
}

int shell_help(const struct shell_command *table, unsigned n, const char *group, const char *word)
{
	const struct shell_command *c;
	char head[64];

	if (word) {
		c = shell_find(table, n, group, word);
		if (!c)
			return -ENOENT;
		shell_printf("%s\n", c->help);
		print_usage(group, c);
		return 0;
	}
	for (c = table; c < table + n; c++) {
		snprintf(head, sizeof(head), "%s%s %s", group, c->name, c->usage);
		shell_printf("  %-26s %s\n", head, c->help);
	}
	return 0;
}

int shell_run(char *line)
{
	char *argv[SHELL_ARGS_MAX];
	int argc = shell_split(line, argv, SHELL_ARGS_MAX);
	unsigned n;
	const struct shell_command *table = shell_commands(&n);

	if (argc == -EINVAL)
		shell_printf("a quote is not closed\n");
	else if (argc == -E2BIG)
		shell_printf("more than %d words\n", SHELL_ARGS_MAX);
	if (argc <= 0)
		return argc;
	return shell_dispatch(table, n, "", argc, argv);
}
