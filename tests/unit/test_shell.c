/* The shell's commands: splitting, finding, running, help; what a person reads is compared whole. */
// sources: shell/command.c shell/complete.c
#include <caisson/console.h>
#include <errno.h>
#include <shell/shell.h>
#include <test.h>

static char out[4096];
static size_t n_out;

void console_write(unsigned channel, const char *buf, size_t n)
{
	assert_int_equal(channel, CONSOLE_MONITOR);
	assert_true(n_out + n < sizeof(out));
	memcpy(out + n_out, buf, n);
	n_out += n;
	out[n_out] = '\0';
}

static int args;
static char last_arg[64];

static int run_hart(int argc, char **argv)
{
	args = argc;
	snprintf(last_arg, sizeof(last_arg), "%s", argv[argc - 1]);
	return 0;
}

static int run_help(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	return -EINVAL;
}

static int run_helm(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	return -EIO;
}

static int run_vm(int argc, char **argv);

/* The names that the linker gives to the section's ends. */
const struct shell_command __shell_commands_start[] = {
	{ "hart", "[N]", "about harts", run_hart },
	{ "helm", "", "steer", run_helm },
	{ "help", "[COMMAND]", "about commands", run_help },
	{ "vm", "", "about VMs", run_hart },
	{ "vmstat", "", "counts", run_helm },
	{ "zone", "COMMAND [VM]", "a group", run_vm },
};
_Static_assert(sizeof(__shell_commands_start) == 6 * 32, "the end below");
__asm__(".globl __shell_commands_end\n.set __shell_commands_end, __shell_commands_start + 6 * 32");

static const struct shell_command zone_table[] = {
	{ "list", "[--json]", "list", run_hart },
	{ "show", "VM [regs|map] MORE...", "show", run_hart },
};

static int run_vm(int argc, char **argv)
{
	return shell_dispatch(zone_table, ARRAY_SIZE(zone_table), "zone ", argc - 1, argv + 1);
}

static int setup(void **state)
{
	(void)state;
	n_out = 0;
	out[0] = '\0';
	args = -1;
	return 0;
}

static int run(const char *text)
{
	char line[SHELL_LINE_MAX];

	setup(NULL);
	snprintf(line, sizeof(line), "%s", text);
	return shell_run(line);
}

static void split_is(const char *text, int n, ...)
{
	char line[SHELL_LINE_MAX], *argv[4];
	va_list words;

	snprintf(line, sizeof(line), "%s", text);
	assert_int_equal(shell_split(line, argv, 4), n);
	va_start(words, n);
	for (int i = 0; i < n; i++)
		assert_string_equal(argv[i], va_arg(words, const char *));
	va_end(words);
}

static void words_are_split(void **state)
{
	(void)state;
	split_is("", 0);
	split_is("   ", 0);
	split_is("a", 1, "a");
	split_is("  a  bc ", 2, "a", "bc");
	split_is("a b c d", 4, "a", "b", "c", "d");
	split_is("a b c d ", 4, "a", "b", "c", "d");
	split_is("a b c d e", -E2BIG);
}

static void quotes_keep_spaces(void **state)
{
	(void)state;
	split_is("\"a b\" 'c  d'", 2, "a b", "c  d");
	split_is("a' 'b c\"\"", 2, "a b", "c");
	split_is("'' x", 2, "", "x");
	split_is("\"it's\"'\"'", 1, "it's\"");
	split_is("a \"b", -EINVAL);
	split_is("'", -EINVAL);
}

static void a_command_runs_with_its_words(void **state)
{
	(void)state;
	assert_int_equal(run("hart 1 'two three'"), 0);
	assert_int_equal(args, 3);
	assert_string_equal(last_arg, "two three");
	assert_string_equal(out, "");
	assert_int_equal(run("  "), 0);
	assert_int_equal(args, -1);
}

static void the_beginning_of_one_name_is_enough(void **state)
{
	(void)state;
	assert_int_equal(run("ha"), 0);
	assert_int_equal(args, 1);
	assert_int_equal(run("vm"), 0); /* whole, though vmstat begins so too */
	assert_int_equal(args, 1);
	assert_int_equal(run("vms"), -EIO);
}

static void the_beginning_of_several_names_is_refused(void **state)
{
	(void)state;
	assert_int_equal(run("hel"), -ENOENT);
	assert_string_equal(out, "'hel' may be 'helm' 'help'\r\n");
}

static void an_unknown_command_names_the_nearest(void **state)
{
	(void)state;
	assert_int_equal(run("hlep"), -ENOENT);
	assert_string_equal(out, "unknown command 'hlep'; did you mean 'help'?\r\n");
	assert_int_equal(run("vmtats x"), -ENOENT);
	assert_string_equal(out, "unknown command 'vmtats'; did you mean 'vmstat'?\r\n");
	assert_int_equal(run("foo"), -ENOENT);
	assert_string_equal(out, "unknown command 'foo'; 'help' lists what there is\r\n");
	assert_int_equal(run("''"), -ENOENT);
	assert_string_equal(out, "unknown command ''; 'help' lists what there is\r\n");
	assert_int_equal(run("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"), -ENOENT);
}

static void an_unknown_member_of_a_group_names_the_group(void **state)
{
	char word[] = "xyz", *argv[] = { word };
	unsigned n;
	const struct shell_command *table = shell_commands(&n);

	(void)state;
	assert_int_equal(shell_dispatch(table, n, "vm ", 1, argv), -ENOENT);
	assert_string_equal(out, "unknown command 'vm xyz'; 'vm' alone lists what there is\r\n");
}

static void wrong_use_prints_the_usage(void **state)
{
	(void)state;
	assert_int_equal(run("help"), -EINVAL);
	assert_string_equal(out, "usage: help [COMMAND]\r\n");
	assert_int_equal(run("helm"), -EIO); /* failed for another reason, and has said so itself */
	assert_string_equal(out, "");
}

static void bad_lines_are_reported(void **state)
{
	(void)state;
	assert_int_equal(run("hart 'x"), -EINVAL);
	assert_string_equal(out, "a quote is not closed\r\n");
	assert_int_equal(run("1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17"), -E2BIG);
	assert_string_equal(out, "more than 16 words\r\n");
}

static void help_lists_commands_or_tells_of_one(void **state)
{
	unsigned n;
	const struct shell_command *table = shell_commands(&n);

	(void)state;
	assert_int_equal(n, 6);
	assert_int_equal(shell_help(table, 2, "", NULL), 0);
	assert_string_equal(out, "  hart [N]                   about harts\r\n"
				 "  helm                       steer\r\n");
	setup(NULL);
	assert_int_equal(shell_help(table, n, "", "vmst"), 0);
	assert_string_equal(out, "counts\r\nusage: vmstat\r\n");
	assert_int_equal(shell_help(table, n, "", "nothing"), -ENOENT);
}

static const char *thing(unsigned i)
{
	static const char *const vms[] = { "linux", "tick", NULL };

	return vms[i];
}

/* All candidates after `before` are these, joined by spaces. */
static void candidates_are(const char *before, const char *words)
{
	char all[256] = "", word[SHELL_WORD_MAX];

	for (unsigned i = 0; shell_complete(before, strlen(before), i, word, sizeof(word)) == 0; i++) {
		if (i)
			strcat(all, " ");
		strcat(all, word);
	}
	assert_string_equal(all, words);
	assert_string_equal(out, "");
}

static void completion_of_commands_and_subcommands(void **state)
{
	(void)state;
	args = -1;
	candidates_are("", "hart helm help vm vmstat zone");
	candidates_are("help ", "hart helm help vm vmstat zone");
	candidates_are("zone ", "list show");
	assert_int_equal(args, -1); /* nothing was run for it */
	run("zone list x");
	assert_int_equal(args, 2);
}

static void completion_of_arguments(void **state)
{
	(void)state;
	shell_set_things("VM", thing);
	candidates_are("zone show ", "linux tick");
	candidates_are("zone  show  'tick' ", "regs map");
	candidates_are("zone list ", "--json");
}

static void completion_knows_nothing_more(void **state)
{
	char word[4];

	(void)state;
	candidates_are("hart ", ""); /* N is only the command's */
	candidates_are("hart 1 ", "");
	candidates_are("helm ", "");
	candidates_are("zone show tick map ", "");
	candidates_are("zone show tick map a b c ", "");
	candidates_are("nothing ", "");
	candidates_are("zone nothing ", "");
	candidates_are("zone 'open ", "");
	candidates_are("1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 ", "");
	assert_int_equal(shell_complete("", 0, 0, word, sizeof(word)), -ENOSPC);
	assert_int_equal(shell_complete("", 0, 3, word, sizeof(word)), 0);
}

static void printing_ends_lines_for_a_terminal(void **state)
{
	char text[1000];

	(void)state;
	shell_printf("a%d\n\nb", 1);
	assert_string_equal(out, "a1\r\n\r\nb");
	setup(NULL);
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	shell_printf("%s", text);
	assert_int_equal(n_out, 511);
}

int main(void)
{
#define CASE(test) cmocka_unit_test_setup(test, setup)
	const struct CMUnitTest tests[] = {
		CASE(words_are_split),
		CASE(quotes_keep_spaces),
		CASE(a_command_runs_with_its_words),
		CASE(the_beginning_of_one_name_is_enough),
		CASE(the_beginning_of_several_names_is_refused),
		CASE(an_unknown_command_names_the_nearest),
		CASE(an_unknown_member_of_a_group_names_the_group),
		CASE(wrong_use_prints_the_usage),
		CASE(bad_lines_are_reported),
		CASE(help_lists_commands_or_tells_of_one),
		CASE(completion_of_commands_and_subcommands),
		CASE(completion_of_arguments),
		CASE(completion_knows_nothing_more),
		CASE(printing_ends_lines_for_a_terminal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
