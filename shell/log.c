/* Commands about the log. */
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
