/* Commands for scripts, though they can be typed too: sleep, echo. */
#include <errno.h>

#include <caisson/time.h>
#include <shell/output.h>
#include <shell/shell.h>

static int do_sleep(struct shell *sh, int argc, char **argv)
{
	uint64_t ticks;

	(void)argc;
	if (shell_seconds(sh, argv[1], &ticks))
		return -EINVAL;
	return sh->wait(sh, time_now() + ticks, false);
}

SHELL_COMMAND(sleep) = {
	"sleep", "SECONDS", "do nothing for a while", do_sleep,
	"SECONDS may have decimals: 0.25. Ctrl-C ends it.\n",
};

static int do_echo(struct shell *sh, int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		shell_say(sh, "%s%s", i > 1 ? " " : "", argv[i]);
	shell_say(sh, "\n");
	return 0;
}

SHELL_COMMAND(echo) = { "echo", "[WORD...]", "print words", do_echo, NULL };
