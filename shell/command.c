/* Commands: splitting a line, finding the command, running it. */
#include <shell/shell.h>

#include <caisson/types.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <shell/output.h>

#define NAME_MAX 16  /* longer words are near to no command */
#define NEAR 2       /* edits that a typing slip takes at most */
#define GROUP_MAX 32 /* a group's name with the space behind it */

extern const struct shell_command __shell_commands_start[];
extern const struct shell_command __shell_commands_end[];

const struct shell_command *shell_commands(unsigned *n)
{
	*n = (unsigned)(__shell_commands_end - __shell_commands_start);
	return __shell_commands_start;
}

/* --- the words of a line --- */

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

/* --- finding a command --- */

const char *shell_own_name(const struct shell_command *c)
{
	const char *space = strrchr(c->name, ' ');

	return space ? space + 1 : c->name;
}

static bool is_member(const struct shell_command *c, const char *group)
{
	size_t len = strlen(group);

	return strncmp(c->name, group, len) == 0 && shell_own_name(c) == c->name + len;
}

const struct shell_command *shell_next(const char *group, const struct shell_command *c)
{
	for (c = c ? c + 1 : __shell_commands_start; c < __shell_commands_end; c++)
		if (is_member(c, group))
			return c;
	return NULL;
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

static const char *nearest(const char *group, const char *word)
{
	const struct shell_command *c = NULL;
	const char *best = NULL;
	unsigned least = NEAR + 1;

	while ((c = shell_next(group, c)) != NULL) {
		const char *name = shell_own_name(c);
		bool comparable = strlen(word) < NAME_MAX && strlen(name) < NAME_MAX;
		unsigned distance = comparable ? edits(word, name) : least;

		/* Where half of the letters differ it is another word. */
		if (distance < least && distance * 2 <= strlen(word)) {
			least = distance;
			best = name;
		}
	}
	return best;
}

static void say_unknown(struct shell *sh, const char *group, const char *word)
{
	const char *near = nearest(group, word);

	if (near)
		shell_error(sh, "unknown command '%s%s'; did you mean '%s%s'?", group, word, group, near);
	else if (*group)
		shell_error(sh, "unknown command '%s%s'; '%.*s' alone lists what there is", group, word,
			    (int)strlen(group) - 1, group);
	else
		shell_error(sh, "unknown command '%s'; 'help' lists what there is", word);
}

static void say_ambiguous(struct shell *sh, const char *group, const char *word)
{
	const struct shell_command *c = NULL;
	char names[160] = "";
	size_t n = 0;

	while ((c = shell_next(group, c)) != NULL && n < sizeof(names))
		if (strncmp(shell_own_name(c), word, strlen(word)) == 0)
			n += (size_t)snprintf(names + n, sizeof(names) - n, " '%s'", c->name);
	shell_error(sh, "'%s%s' may be%s", group, word, names);
}

static const struct shell_command *find_member(struct shell *sh, const char *group, const char *word)
{
	const struct shell_command *c = NULL, *found = NULL;
	size_t len = strlen(word);
	unsigned begin = 0;

	while ((c = shell_next(group, c)) != NULL) {
		const char *name = shell_own_name(c);

		if (len == 0 || strncmp(name, word, len) != 0)
			continue;
		if (name[len] == '\0')
			return c;
		found = c;
		begin++;
	}
	if (begin == 1)
		return found;
	if (begin == 0)
		say_unknown(sh, group, word);
	else
		say_ambiguous(sh, group, word);
	return NULL;
}

const struct shell_command *shell_find(struct shell *sh, int argc, char **argv, int *used)
{
	char group[GROUP_MAX] = "";
	const struct shell_command *c;

	for (*used = 0;;) {
		c = find_member(sh, group, argv[(*used)++]);
		if (!c || c->fn || *used == argc)
			return c;
		snprintf(group, sizeof(group), "%s ", c->name);
	}
}

/* --- running it --- */

/* Take the word out. @return whether it was there. */
static bool take_json(int *argc, char **argv)
{
	int kept = 0;

	for (int i = 0; i < *argc; i++)
		if (i == 0 || strcmp(argv[i], "--json") != 0)
			argv[kept++] = argv[i];
	if (kept == *argc)
		return false;
	*argc = kept;
	return true;
}

static int list_group(struct shell *sh, const struct shell_command *group)
{
	char help[] = "help", name[GROUP_MAX], *argv[] = { help, name };
	int used;
	const struct shell_command *c = shell_find(sh, 1, argv, &used);

	snprintf(name, sizeof(name), "%s", group->name);
	return c ? c->fn(sh, 2, argv) : -ENOENT;
}

static int run_words(struct shell *sh, int argc, char **argv)
{
	const struct shell_command *c;
	int used, error;

	sh->json = take_json(&argc, argv);
	c = shell_find(sh, argc, argv, &used);
	if (!c)
		return -ENOENT;
	if (!c->fn)
		return list_group(sh, c);
	if (sh->json && !strstr(c->usage, "--json")) {
		sh->json = false;
		shell_error(sh, "%s: there is no --json of it", c->name);
		return -EINVAL;
	}
	error = shell_check(sh, c, argc - used, argv + used);
	return error ? error : c->fn(sh, argc - used + 1, argv + used - 1);
}

int shell_run(struct shell *sh, char *line)
{
	char *argv[SHELL_ARGS_MAX];
	int argc = shell_split(line, argv, SHELL_ARGS_MAX);

	sh->json = false;
	if (argc == -EINVAL)
		shell_error(sh, "a quote is not closed");
	else if (argc == -E2BIG)
		shell_error(sh, "a line has at most %d words", SHELL_ARGS_MAX);
	if (argc <= 0)
		return argc;
	argc = run_words(sh, argc, argv);
	sh->json = false;
	return argc;
}
