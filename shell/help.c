/* The commands about commands: help, version. */
#include <errno.h>
#include <stdio.h>

#include <caisson/hart.h>
#include <shell/output.h>
#include <shell/shell.h>

#ifdef CONFIG_DEBUG
#define BUILD_KIND "debug"
#else
#define BUILD_KIND "release"
#endif

#define HEAD_MAX 160
#define HEAD_WIDTH 25 /* columns of what is to be typed; summaries of up to 51 characters fit beside it */

struct command_row {
	const char *name, *usage, *help;
};

static const struct shell_field command_fields[] = {
	SHELL_FIELD(struct command_row, name, SHELL_TEXT, "name", 0),
	SHELL_FIELD(struct command_row, usage, SHELL_TEXT, "usage", 0),
	SHELL_FIELD(struct command_row, help, SHELL_TEXT, "help", 0),
};
static const struct shell_layout command_layout = SHELL_LAYOUT(command_fields);

/* All of them, whatever their group. */
static int list_as_json(struct shell *sh)
{
	unsigned n;
	const struct shell_command *table = shell_commands(&n);

	shell_table(sh, NULL, &command_layout);
	for (unsigned i = 0; i < n; i++)
		if (table[i].fn)
			shell_row(sh, &command_layout, &(struct command_row){ table[i].name, table[i].usage, table[i].help });
	shell_table_end(sh);
	return 0;
}

static int list(struct shell *sh, const char *group)
{
	const struct shell_command *c = NULL;
	char head[HEAD_MAX];

	while ((c = shell_next(group, c)) != NULL) {
		int len = snprintf(head, sizeof(head), "%s %s", c->name, c->usage);

		if (len > HEAD_WIDTH)
			shell_say(sh, "  %s\n  %-*s  %s\n", head, HEAD_WIDTH, "", c->help);
		else
			shell_say(sh, "  %-*s  %s\n", HEAD_WIDTH, head, c->help);
	}
	return 0;
}

static int do_help(struct shell *sh, int argc, char **argv)
{
	const struct shell_command *c;
	char group[SHELL_WORD_MAX];
	int used;

	if (sh->json)
		return list_as_json(sh);
	if (argc == 1)
		return list(sh, "");
	c = shell_find(sh, argc - 1, argv + 1, &used);
	if (!c)
		return -ENOENT;
	if (used < argc - 1) {
		shell_error(sh, "help: '%s' has no commands of its own", c->name);
		return -EINVAL;
	}
	shell_say(sh, "%s\n", c->help);
	if (!c->fn) {
		snprintf(group, sizeof(group), "%s ", c->name);
		return list(sh, group);
	}
	shell_say(sh, "usage: %s %s\n%s", c->name, c->usage, c->more ? c->more : "");
	return 0;
}

SHELL_COMMAND(help) = {
	"help", "[COMMAND...] [--json]", "what commands there are, or how to use one", do_help,
	"`help vm` lists the commands that begin with vm, `help vm pause` tells of one of them.\n"
	"Tab completes names and arguments; a name may be cut short where it stays clear.\n",
};

struct version_row {
	const char *version, *build;
	uint64_t harts_max;
};

static const struct shell_field version_fields[] = {
	SHELL_FIELD(struct version_row, version, SHELL_TEXT, "Caisson", 0),
	SHELL_FIELD(struct version_row, build, SHELL_TEXT, "build", 0),
	SHELL_FIELD(struct version_row, harts_max, SHELL_NUMBER, "harts at most", 0),
};
static const struct shell_layout version_layout = SHELL_LAYOUT(version_fields);

static int do_version(struct shell *sh, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	shell_record(sh, NULL, &version_layout, &(struct version_row){ CONFIG_VERSION, BUILD_KIND, HART_MAX });
	return 0;
}

SHELL_COMMAND(version) = { "version", "[--json]", "version of Caisson", do_version, NULL };
