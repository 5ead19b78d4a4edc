/*
 * What Tab may put where a word stands: read out of the usage lines, so that what a
 * command says of its arguments is also what completion knows of them.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <shell/shell.h>

#define GROUP "COMMAND" /* how the usage of a command with sub-commands begins */

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

static int give_command(const struct shell_command *table, unsigned n, unsigned i, char *out, size_t size)
{
	return i < n ? give_name(table[i].name, out, size) : -ENOENT;
}

/* The i-th of "[a|b|c]" without its brackets. */
static int give_alternative(const char *list, size_t len, unsigned i, char *out, size_t size)
{
	const char *end = list + len, *bar;

	for (;; list = bar + 1) {
		bar = memchr(list, '|', (size_t)(end - list));
		if (i-- == 0)
			return give(list, (size_t)((bar ? bar : end) - list), out, size);
		if (!bar)
			return -ENOENT;
	}
}

static bool is_word(const char *s, size_t len, const char *word)
{
	return word && strlen(word) == len && memcmp(s, word, len) == 0;
}

/* The argument numbered k (from 0) of a usage line, without brackets and dots. @return its length, 0: none. */
static size_t usage_argument(const char **usage, unsigned k)
{
	for (;; k--) {
		*usage += strspn(*usage, " [");
		if (k == 0)
			return strcspn(*usage, " ].");
		*usage += strcspn(*usage, " ");
		if (!**usage)
			return 0;
	}
}

static int argument_word(const struct shell_command *c, unsigned k, unsigned i, char *out, size_t size)
{
	const char *usage = c->usage;
	size_t len = usage_argument(&usage, k);
	unsigned n;
	const struct shell_command *table = shell_commands(&n);

	if (len == 0)
		return -ENOENT;
	if (is_word(usage, len, GROUP))
		return give_command(table, n, i, out, size);
	if (is_word(usage, len, things.placeholder))
		return give_name(things.name(i), out, size);
	if (*usage >= 'A' && *usage <= 'Z')
		return -ENOENT; /* stands for something that only the command knows */
	return give_alternative(usage, len, i, out, size);
}

static bool is_group(const struct shell_command *c)
{
	return strncmp(c->usage, GROUP, sizeof(GROUP) - 1) == 0;
}

static const struct shell_command *find_quietly(const struct shell_command *table, unsigned n, const char *name)
{
	for (unsigned i = 0; i < n; i++)
		if (strcmp(table[i].name, name) == 0)
			return &table[i];
	return NULL;
}

int shell_complete(const char *before, size_t len, unsigned i, char *out, size_t size)
{
	char line[SHELL_LINE_MAX], *argv[SHELL_ARGS_MAX];
	const struct shell_command *table, *c;
	unsigned n, at = 0;
	int argc;

	if (give(before, len, line, sizeof(line)))
		return -ENOENT;
	argc = shell_split(line, argv, SHELL_ARGS_MAX);
	if (argc < 0)
		return -ENOENT;
	table = shell_commands(&n);
	for (;;) {
		if (at == (unsigned)argc)
			return give_command(table, n, i, out, size);
		c = find_quietly(table, n, argv[at++]);
		if (!c)
			return -ENOENT;
		if (!is_group(c))
			return argument_word(c, (unsigned)argc - at, i, out, size);
		table = shell_group_table(c, &n);
	}
}
