/*
 * What Tab may put where a word stands: read out of the usage lines, so that what a
 * command says of its arguments is also what completion knows of them.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <shell/shell.h>

static struct {
	const char *placeholder;
	const char *(*name)(unsigned i);
} things;

void shell_set_things(const char *placeholder, const char *(*name)(unsigned i))
{
	things.placeholder = placeholder;
	things.name = name;
}

static int give(const char *word, size_t len, char *out, size_t size)
{
	if (len >= size)
		return -ENOSPC;
	memcpy(out, word, len);
	out[len] = '\0';
	return 0;
}

static int give_name(const char *name, char *out, size_t size)
{
	return name ? give(name, strlen(name), out, size) : -ENOENT;
}

/* The i-th member of a group. */
static int give_member(const char *group, unsigned i, char *out, size_t size)
{
	const struct shell_command *c = shell_next(group, NULL);

	for (; c && i > 0; i--)
		c = shell_next(group, c);
	return give_name(c ? shell_own_name(c) : NULL, out, size);
}

/* The word number k (from 0) of a usage line; a repeated one stands for all that follow. */
static bool usage_argument(const char *usage, unsigned k, struct shell_word *w)
{
	for (unsigned i = 0;; i++) {
		if (!shell_usage_word(&usage, w))
			return false;
		if (i == k || w->repeated)
			return true;
	}
}

static int argument_word(const struct shell_command *c, unsigned k, unsigned i, char *out, size_t size)
{
	struct shell_word w;
	const char *word;
	size_t len;

	if (!usage_argument(c->usage, k, &w))
		return -ENOENT;
	if (things.placeholder && shell_word_is(&w, things.placeholder))
		return give_name(things.name(i), out, size);
	if (*w.text >= 'A' && *w.text <= 'Z')
		return -ENOENT; /* stands for something that only the command knows */
	len = shell_alternative(&w, i, &word);
	return len ? give(word, len, out, size) : -ENOENT;
}

static const struct shell_command *find_quietly(const char *group, const char *name)
{
	const struct shell_command *c = NULL;

	while ((c = shell_next(group, c)) != NULL)
		if (strcmp(shell_own_name(c), name) == 0)
			return c;
	return NULL;
}

/* Where the words lead. */
struct place {
	const struct shell_command *command; /* NULL: the next word is a member of the group */
	char group[SHELL_WORD_MAX];
	int used;                            /* words so far */
};

/* @return 0, or -ENOENT: a word is no command's name */
static int walk(struct place *p, int argc, char **argv)
{
	p->command = NULL;
	p->group[0] = '\0';
	while (p->used < argc) {
		const struct shell_command *c = find_quietly(p->group, argv[p->used++]);

		if (!c)
			return -ENOENT;
		if (c->fn) {
			p->command = c;
			return 0;
		}
		snprintf(p->group, sizeof(p->group), "%s ", c->name);
	}
	return 0;
}

/* Are the words behind it another command's name? */
static bool takes_command(const struct shell_command *c)
{
	struct shell_word w;

	return usage_argument(c->usage, 0, &w) && shell_word_is(&w, "COMMAND");
}

int shell_complete(const char *before, size_t len, unsigned i, char *out, size_t size)
{
	char line[SHELL_LINE_MAX], *argv[SHELL_ARGS_MAX];
	struct place at = { .used = 0 };
	int argc;

	if (give(before, len, line, sizeof(line)))
		return -ENOENT;
	argc = shell_split(line, argv, SHELL_ARGS_MAX);
	if (argc < 0 || walk(&at, argc, argv))
		return -ENOENT;
	if (at.command && takes_command(at.command)) {
		if (walk(&at, argc, argv) || at.command)
			return -ENOENT; /* that one's arguments are not looked at */
	}
	if (at.command)
		return argument_word(at.command, (unsigned)(argc - at.used), i, out, size);
	return give_member(at.group, i, out, size);
}
