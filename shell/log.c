/* Commands about the log: log show, log filter, log level. */
#include <errno.h>
#include <string.h>

#include <caisson/log.h>
#include <shell/output.h>
#include <shell/shell.h>

struct level_row {
	const char *level, *highest;
};

static const struct shell_field level_fields[] = {
	SHELL_FIELD(struct level_row, level, SHELL_TEXT, "log level:", 0),
	SHELL_FIELD(struct level_row, highest, SHELL_TEXT, NULL, 0),
};
static const struct shell_layout level_layout = SHELL_LAYOUT(level_fields);

static int do_level(struct shell *sh, int argc, char **argv)
{
	enum log_level level;

	if (argc == 2 && log_parse_level(argv[1], &level) == 0)
		log_set_level(level);
	shell_record(sh, NULL, &level_layout,
		     &(struct level_row){ log_level_name(log_level), log_level_name(CONFIG_LOG_MAX_LEVEL) });
	if (log_level > CONFIG_LOG_MAX_LEVEL)
		shell_say(sh, "but lines above %s are not in this image (./caisson run --debug has them)\n",
			  log_level_name(CONFIG_LOG_MAX_LEVEL));
	return 0;
}

SHELL_COMMAND(log) = { "log", "COMMAND", "the log; `log` alone lists its commands", NULL, NULL };
SHELL_COMMAND(log_level) = {
	"log level", "[error|warn|info|debug|trace] [--json]", "show or set which lines are logged", do_level, NULL,
};

/* --- lines --- */

#define LINES_DEFAULT "20"

struct line_row {
	uint64_t number;
	const char *level, *component, *line;
};

static const struct shell_field line_fields[] = {
	SHELL_FIELD(struct line_row, number, SHELL_NUMBER, NULL, 0),
	SHELL_FIELD(struct line_row, level, SHELL_TEXT, NULL, 0),
	SHELL_FIELD(struct line_row, component, SHELL_TEXT, NULL, 0),
	SHELL_FIELD(struct line_row, line, SHELL_TEXT, "kept lines of the log", 0),
};
static const struct shell_layout line_layout = SHELL_LAYOUT(line_fields);

/* Which lines: as important as `most` or more, of a component (NULL: any). */
struct filter {
	enum log_level most;
	const char *component;
};

static bool next_line(uint64_t *number, const struct filter *f, struct log_line *line)
{
	for (; log_kept_line(number, line); ++*number)
		if (line->level <= f->most && (!f->component || strcmp(f->component, line->component) == 0))
			return true;
	return false;
}

/* The last n of them. */
static void show_lines(struct shell *sh, const struct filter *f, uint64_t n)
{
	struct log_line line;
	uint64_t at = 0, total = 0;

	for (; next_line(&at, f, &line); at++)
		total++;
	shell_table(sh, NULL, &line_layout);
	for (at = 0; next_line(&at, f, &line); at++) {
		if (total > n) {
			total--;
			continue;
		}
		shell_row(sh, &line_layout, &(struct line_row){
			at, log_level_name(line.level), line.component, line.text,
		});
	}
	shell_table_end(sh);
}

static int do_show(struct shell *sh, int argc, char **argv)
{
	static const struct filter all = { LOG_TRACE, NULL };
	uint64_t n;

	if (shell_number(sh, argc > 1 ? argv[1] : LINES_DEFAULT, 1, LOG_KEPT, &n))
		return -EINVAL;
	show_lines(sh, &all, n);
	return 0;
}

SHELL_COMMAND(log_show) = {
	"log show", "[N] [--json]", "the last lines of the log: 20, or N up to 200", do_show,
	"The log itself goes where ./caisson was told (--log FILE), else to the terminal.\n",
};

static int do_filter(struct shell *sh, int argc, char **argv)
{
	struct filter f = { .component = argc > 2 ? argv[2] : NULL };

	if (log_parse_level(argv[1], &f.most))
		return -EINVAL;
	show_lines(sh, &f, LOG_KEPT);
	return 0;
}

SHELL_COMMAND(log_filter) = {
	"log filter", "error|warn|info|debug|trace [COMPONENT] [--json]",
	"kept lines of a level or above, of one component", do_filter,
	"The component stands before the colon: `log filter debug vm`.\n",
};
