/* The shell's commands: splitting, finding, running, help; what a person reads is compared whole. */
// sources: shell/command.c shell/complete.c shell/usage.c shell/output.c
#include <caisson/time.h>
#include <errno.h>
#include <shell/output.h>
#include <shell/shell.h>
#include <test.h>

static char out[4096];
static size_t n_out;

static void take_output(struct shell *sh, const char *buf, size_t n)
{
	(void)sh;
	assert_true(n_out + n < sizeof(out));
	memcpy(out + n_out, buf, n);
	n_out += n;
	out[n_out] = '\0';
}

static struct shell person = { .write = take_output };

uint64_t time_from_us(uint64_t us)
{
	return us * 10;
}

static int args;
static bool json;
static char last_arg[64];

static int run_any(struct shell *sh, int argc, char **argv)
{
	args = argc;
	json = sh->json;
	snprintf(last_arg, sizeof(last_arg), "%s", argv[argc - 1]);
	return 0;
}

static int run_failing(struct shell *sh, int argc, char **argv)
{
	(void)argc;
	shell_error(sh, "%s does not work", argv[0]);
	return -EIO;
}

static int run_help(struct shell *sh, int argc, char **argv)
{
	shell_say(sh, "help for %s\n", argv[argc - 1]);
	return 0;
}

/* The names that the linker gives to the section's ends. */
const struct shell_command __shell_commands_start[] = {
	{ "hart", "[N...]", "about harts", run_any, NULL },
	{ "helm", "", "steer", run_failing, NULL },
	{ "help", "[COMMAND...]", "about commands", run_help, NULL },
	{ "vm", "[WORD]", "about VMs", run_any, NULL },
	{ "vmstat", "on|off", "counts", run_failing, NULL },
	{ "zone", "COMMAND", "a group", NULL, NULL },
	{ "zone list", "[VM] [--json]", "list", run_any, NULL },
	{ "zone show", "VM [regs|map] [--json]", "show", run_any, NULL },
};
_Static_assert(sizeof(__shell_commands_start) == 8 * 40, "the end below");
__asm__(".globl __shell_commands_end\n.set __shell_commands_end, __shell_commands_start + 8 * 40");

static int setup(void **state)
{
	(void)state;
	n_out = 0;
	out[0] = '\0';
	args = -1;
	json = false;
	return 0;
}

static int run(const char *text)
{
	char line[SHELL_LINE_MAX];

	setup(NULL);
	snprintf(line, sizeof(line), "%s", text);
	return shell_run(&person, line);
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
	assert_int_equal(run("vms on"), -EIO);
}

static void the_beginning_of_several_names_is_refused(void **state)
{
	(void)state;
	assert_int_equal(run("hel"), -ENOENT);
	assert_string_equal(out, "'hel' may be 'helm' 'help'\n");
}

static void an_unknown_command_names_the_nearest(void **state)
{
	(void)state;
	assert_int_equal(run("hlep"), -ENOENT);
	assert_string_equal(out, "unknown command 'hlep'; did you mean 'help'?\n");
	assert_int_equal(run("vmtats x"), -ENOENT);
	assert_string_equal(out, "unknown command 'vmtats'; did you mean 'vmstat'?\n");
	assert_int_equal(run("foo"), -ENOENT);
	assert_string_equal(out, "unknown command 'foo'; 'help' lists what there is\n");
	assert_int_equal(run("''"), -ENOENT);
	assert_string_equal(out, "unknown command ''; 'help' lists what there is\n");
	assert_int_equal(run("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"), -ENOENT);
}

static void an_unknown_member_of_a_group_names_the_group(void **state)
{
	(void)state;
	assert_int_equal(run("zone xyz"), -ENOENT);
	assert_string_equal(out, "unknown command 'zone xyz'; 'zone' alone lists what there is\n");
	assert_int_equal(run("zone lsit"), -ENOENT);
	assert_string_equal(out, "unknown command 'zone lsit'; did you mean 'zone list'?\n");
	assert_int_equal(run("list"), -ENOENT); /* a member is none of the top */
}

static void a_group_alone_is_listed(void **state)
{
	(void)state;
	assert_int_equal(run("zone"), 0);
	assert_string_equal(out, "help for zone\n");
	assert_int_equal(run("zone show"), -EINVAL); /* a member of it is not */
}

static void words_are_checked_against_the_usage(void **state)
{
	(void)state;
	assert_int_equal(run("zone show"), -EINVAL);
	assert_string_equal(out, "zone show: VM is missing\nusage: zone show VM [regs|map] [--json]\n");
	assert_int_equal(run("zone show tick rags"), -EINVAL);
	assert_string_equal(out, "zone show: 'rags' is not regs|map\nusage: zone show VM [regs|map] [--json]\n");
	assert_int_equal(run("zone show tick map more"), -EINVAL);
	assert_string_equal(out, "zone show: 'more' is one word too many\nusage: zone show VM [regs|map] [--json]\n");
	assert_int_equal(run("helm x"), -EINVAL);
	assert_string_equal(out, "helm: 'x' is one word too many\nusage: helm\n");
	assert_int_equal(run("vmstat o"), -EINVAL);
	assert_string_equal(out, "vmstat: 'o' is not on|off\nusage: vmstat on|off\n");
	assert_int_equal(args, -1);
	assert_int_equal(run("vmstat off"), -EIO);
	assert_string_equal(out, "vmstat does not work\n");
	assert_int_equal(run("hart 1 2 3 4"), 0);
	assert_int_equal(args, 5);
	assert_int_equal(run("zone sh tick map"), 0);
	assert_int_equal(args, 3);
}

static void json_is_for_those_who_know_it(void **state)
{
	(void)state;
	assert_int_equal(run("zone show --json tick"), 0);
	assert_true(json);
	assert_int_equal(args, 2);
	assert_false(person.json);
	assert_int_equal(run("zone list"), 0);
	assert_false(json);
	assert_int_equal(run("hart 1 --json"), -EINVAL);
	assert_string_equal(out, "hart: there is no --json of it\n");
	assert_int_equal(run("zone show --json"), -EINVAL);
	assert_string_equal(out, "{\"error\": \"zone show: VM is missing\"}\n");
}

static void bad_lines_are_reported(void **state)
{
	(void)state;
	assert_int_equal(run("hart 'x"), -EINVAL);
	assert_string_equal(out, "a quote is not closed\n");
	assert_int_equal(run("1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17"), -E2BIG);
	assert_string_equal(out, "a line has at most 16 words\n");
}

static void numbers_are_checked(void **state)
{
	static const char *const bad[] = { "", "-1", "1x", "0", "101", "99999999999999999999", " 5", "0x5" };
	uint64_t n;

	(void)state;
	assert_int_equal(shell_number(&person, "100", 1, 100, &n), 0);
	assert_int_equal(n, 100);
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(shell_number(&person, bad[i], 1, 100, &n), -EINVAL);
	assert_true(strstr(out, "'0x5' is not a number from 1 to 100\n") != NULL);
}

static void seconds_may_have_decimals(void **state)
{
	static const char *const bad[] = { "", ".5", "-1", "1.2345", "1.5s", "86401", "999999", "1,5", "1e3" };
	uint64_t ticks;

	(void)state;
	assert_int_equal(shell_seconds(&person, "1.25", &ticks), 0);
	assert_int_equal(ticks, time_from_us(1250000));
	assert_int_equal(shell_seconds(&person, "86400", &ticks), 0);
	assert_int_equal(shell_seconds(&person, "0.001", &ticks), 0);
	assert_int_equal(ticks, time_from_us(1000));
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(shell_seconds(&person, bad[i], &ticks), -EINVAL);
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
	candidates_are("help zone ", "list show");
	candidates_are("", "hart helm help vm vmstat zone");
	candidates_are("help ", "hart helm help vm vmstat zone");
	candidates_are("zone ", "list show");
	assert_int_equal(args, -1); /* nothing was run for it */
}

static void completion_of_arguments(void **state)
{
	(void)state;
	shell_set_things("VM", thing);
	candidates_are("zone show ", "linux tick");
	candidates_are("zone  show  'tick' ", "regs map");
	candidates_are("zone show tick map ", "--json");
	candidates_are("zone list ", "linux tick");
}

static void completion_knows_nothing_more(void **state)
{
	char word[4];

	(void)state;
	candidates_are("hart ", ""); /* N is only the command's */
	candidates_are("hart 1 ", "");
	candidates_are("helm ", "");
	candidates_are("help hart ", "");
	candidates_are("zone show tick map --json ", "");
	candidates_are("zone show tick map a b c ", "");
	candidates_are("nothing ", "");
	candidates_are("zone nothing ", "");
	candidates_are("zone 'open ", "");
	candidates_are("1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 ", "");
	assert_int_equal(shell_complete("", 0, 0, word, sizeof(word)), -ENOSPC);
	assert_int_equal(shell_complete("", 0, 3, word, sizeof(word)), 0);
}

static void printing_is_cut(void **state)
{
	char text[1000];

	(void)state;
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	shell_printf(&person, "%s", text);
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
		CASE(a_group_alone_is_listed),
		CASE(words_are_checked_against_the_usage),
		CASE(json_is_for_those_who_know_it),
		CASE(numbers_are_checked),
		CASE(seconds_may_have_decimals),
		CASE(bad_lines_are_reported),
		CASE(completion_of_commands_and_subcommands),
		CASE(completion_of_arguments),
		CASE(completion_knows_nothing_more),
		CASE(printing_is_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
