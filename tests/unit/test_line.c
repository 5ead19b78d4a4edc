/* The line editor, against a small terminal that shows what a person would see. */
// sources: shell/line.c
#include <errno.h>
#include <shell/shell.h>
#include <test.h>

#define COLUMNS 300 /* wider than any line */

/* One row: printable bytes, CR, BS, ESC [ K, ESC [ n D; a line feed begins a new one. */
static struct {
	char row[COLUMNS + 1];
	size_t at;
	unsigned rows, cleared;
	char before[COLUMNS + 1]; /* the row above */
} screen;

static struct line line;

static const char *screen_escape(const char *s)
{
	unsigned n = 0;

	assert_int_equal(*s++, '[');
	while (*s >= '0' && *s <= '9')
		n = n * 10 + (unsigned)(*s++ - '0');
	switch (*s) {
	case 'K':
		memset(screen.row + screen.at, 0, COLUMNS - screen.at);
		break;
	case 'D':
		assert_in_range(n, 1, screen.at);
		screen.at -= n;
		break;
	case 'H':
		screen.at = 0;
		break;
	case 'J':
		memset(screen.row, 0, sizeof(screen.row));
		screen.cleared++;
		break;
	default:
		fail_msg("terminal got ESC [ %u %c", n, *s);
	}
	return s + 1;
}

static void terminal(void *arg, const char *buf, size_t n)
{
	char text[1024];
	const char *s = text;

	assert_ptr_equal(arg, &screen);
	assert_true(n < sizeof(text));
	memcpy(text, buf, n);
	text[n] = '\0';
	while (*s) {
		char c = *s++;

		if (c == '\r') {
			screen.at = 0;
		} else if (c == '\n') {
			memcpy(screen.before, screen.row, sizeof(screen.row));
			memset(screen.row, 0, sizeof(screen.row));
			screen.rows++;
		} else if (c == '\b') {
			assert_true(screen.at > 0);
			screen.at--;
		} else if (c == 0x1b) {
			s = screen_escape(s);
		} else {
			assert_in_range(c, ' ', '~');
			if (screen.at < COLUMNS)
				screen.row[screen.at++] = c;
		}
	}
}

static const char *const names[] = { "hart", "help", "log", "vm", "vmstat" };

static const char *const arguments[] = { "list", "stats", "stop" };

/* After "vm " its arguments, and one that is too long to offer. */
static int word(const char *before, size_t len, unsigned i, char *out, size_t size)
{
	bool vm = len >= 3 && strncmp(before, "vm ", 3) == 0;

	if (len > 0 && !vm)
		return -ENOENT;
	if (vm && i == 0)
		return -ENOSPC;
	i -= vm;
	if (i >= (vm ? ARRAY_SIZE(arguments) : ARRAY_SIZE(names)))
		return -ENOENT;
	snprintf(out, size, "%s", vm ? arguments[i] : names[i]);
	return 0;
}

static int setup(void **state)
{
	(void)state;
	memset(&screen, 0, sizeof(screen));
	line_init(&line, "> ", terminal, &screen, word);
	line_start(&line);
	return 0;
}

/* @return the last byte's event; no byte before it may end the line. */
static enum line_event type(const char *keys)
{
	enum line_event event = LINE_MORE;

	for (; *keys; keys++) {
		assert_int_equal(event, LINE_MORE);
		event = line_feed(&line, *keys);
	}
	return event;
}

static void enter(const char *text)
{
	assert_int_equal(type(text), LINE_MORE);
	assert_int_equal(type("\r"), LINE_DONE);
	line_start(&line);
}

/* The line holds text, the cursor is at `cursor`, and the terminal shows just that. */
static void expect(const char *text, size_t cursor)
{
	char shown[COLUMNS + 1];
	size_t end = strlen(screen.row);

	while (end > 2 && screen.row[end - 1] == ' ' && end > strlen(text) + 2)
		screen.row[--end] = '\0';
	assert_string_equal(line.text, text);
	assert_int_equal(line.len, strlen(text));
	assert_int_equal(line.cursor, cursor);
	snprintf(shown, sizeof(shown), "> %s", text);
	assert_string_equal(screen.row, shown);
	assert_int_equal(screen.at, cursor + 2);
}

static void enter_ends_the_line(void **state)
{
	(void)state;
	type("vm list");
	expect("vm list", 7);
	assert_int_equal(type("\r"), LINE_DONE);
	assert_string_equal(line.text, "vm list");
	assert_int_equal(screen.rows, 1);
	line_start(&line);
	expect("", 0);
	assert_int_equal(type("\n"), LINE_MORE); /* of CR LF */
	assert_int_equal(type("\n"), LINE_DONE);
}

static void insert_and_delete_anywhere(void **state)
{
	(void)state;
	type("abd\x1b[Dc");
	expect("abcd", 3);
	type("\x7f");
	expect("abd", 2);
	type("\x08");
	expect("ad", 1);
	type("\x1b[3~");
	expect("a", 1);
	type("\x1b[3~\x04");
	expect("a", 1);
	type("\x7f\x7f\x7f");
	expect("", 0);
}

static void cursor_keys_stay_inside(void **state)
{
	(void)state;
	type("ab\x1b[C\x1b[C");
	expect("ab", 2);
	type("\x1b[D\x1b[D\x1b[D");
	expect("ab", 0);
	type("\x05");
	expect("ab", 2);
	type("\x01");
	expect("ab", 0);
	type("\x1b[F");
	expect("ab", 2);
	type("\x1b[H");
	expect("ab", 0);
	type("\x1b[4~");
	expect("ab", 2);
	type("\x1b[1~x");
	expect("xab", 1);
	type("\x1bOFy\x1bOHz");
	expect("zxaby", 1);
}

static void kill_keys(void **state)
{
	(void)state;
	type("one two  three\x17");
	expect("one two  ", 9);
	type("\x17");
	expect("one ", 4);
	type("two\x1b[D\x1b[D\x0b");
	expect("one t", 5);
	type("\x1b[D\x15");
	expect("t", 0);
	type("\x15\x17");
	expect("t", 0);
	type("\x0b\x0b");
	expect("", 0);
}

static void cancel_gives_the_line_up(void **state)
{
	(void)state;
	assert_int_equal(type("poweroff\x03"), LINE_CANCELLED);
	assert_int_equal(screen.rows, 1);
	line_start(&line);
	expect("", 0);
	type("\x1b[A");
	expect("", 0); /* and it is not remembered */
}

static void cancel_inside_an_escape_sequence(void **state)
{
	(void)state;
	assert_int_equal(type("\x1b[\x03"), LINE_CANCELLED);
	line_start(&line);
	type("A");
	expect("A", 1);
}

static void clear_screen_keeps_the_line(void **state)
{
	(void)state;
	type("ab\x1b[D\x0c");
	assert_int_equal(screen.cleared, 1);
	expect("ab", 1);
}

static void history_goes_back_and_forth(void **state)
{
	(void)state;
	enter("one");
	enter("two");
	enter("two");
	enter("");
	type("dra\x1b[A");
	expect("two", 3);
	type("\x1b[A");
	expect("one", 3);
	type("\x1b[A");
	expect("one", 3);
	type("\x1b[B");
	expect("two", 3);
	type("\x1b[B");
	expect("dra", 3);
	type("\x1b[B");
	expect("dra", 3);
}

static void an_edited_history_line_is_a_new_one(void **state)
{
	(void)state;
	enter("one");
	enter("\x1b[A!");
	type("\x1b[A");
	expect("one!", 4);
	type("\x1b[A");
	expect("one", 3);
}

static void history_forgets_the_oldest(void **state)
{
	char text[8];

	(void)state;
	for (unsigned i = 0; i < SHELL_HISTORY + 3; i++) {
		snprintf(text, sizeof(text), "n%u", i);
		enter(text);
	}
	for (unsigned i = 0; i < SHELL_HISTORY + 3; i++)
		type("\x1b[A");
	expect("n3", 2);
}

static void tab_completes_one_name(void **state)
{
	(void)state;
	type("lo\t");
	expect("log ", 4);
	type("\t");
	expect("log ", 4); /* it has no arguments */
}

static void tab_completes_arguments(void **state)
{
	(void)state;
	type("vm s\t");
	expect("vm st", 5);
	type("\t");
	assert_string_equal(screen.before, "stats  stop  ");
	type("o\t");
	expect("vm stop ", 8);
	type("\x15vm l rest\x01\x06\x06\x06\x06\t");
	expect("vm list  rest", 8);
}

static void tab_completes_what_names_share(void **state)
{
	(void)state;
	type("v\t");
	expect("vm", 2);
	type("\t");
	assert_string_equal(screen.before, "vm  vmstat  ");
	expect("vm", 2);
	type("x\t");
	expect("vmx", 3);
}

static void tab_on_nothing_lists_all(void **state)
{
	(void)state;
	type("\t");
	assert_string_equal(screen.before, "hart  help  log  vm  vmstat  ");
	expect("", 0);
}

static void tab_before_the_rest_of_a_word(void **state)
{
	(void)state;
	type("loxyz\x1b[D\x1b[D\x1b[D\t");
	expect("log xyz", 4);
}

static void a_full_line_takes_no_more(void **state)
{
	char long_text[SHELL_LINE_MAX + 20];

	(void)state;
	memset(long_text, 'l', sizeof(long_text));
	long_text[0] = 'x';
	long_text[sizeof(long_text) - 1] = '\0';
	assert_int_equal(type(long_text), LINE_MORE);
	assert_int_equal(line.len, SHELL_LINE_MAX - 1);
	type("\x01" "z");
	assert_int_equal(line.text[0], 'x');
	assert_int_equal(line.text[SHELL_LINE_MAX - 1], '\0');
	assert_int_equal(type("\r"), LINE_DONE);
}

static void other_keys_do_nothing(void **state)
{
	(void)state;
	type("a\x1b[15~\x1b[5~\x1b[Z\x1bOP\x1bx\x07\xc3\xa4\x1b[1;5C");
	expect("a", 1);
}

static void redraw_after_a_message(void **state)
{
	(void)state;
	type("abc\x1b[D");
	terminal(&screen, "\r\nnews\r\n", 8);
	line_redraw(&line);
	expect("abc", 2);
}

/* Any bytes: never outside the line, and the terminal always shows the line as it is. */
static void random_keys_agree_with_the_screen(void **state)
{
	static const char keys[] = "abcdef  \x01\x02\x04\x05\x06\x08\x0b\x0e\x10\x15\x17\x7f\t\r\x03"
				   "\x1b[ABCDHF~13";
	uint64_t seed = 11;

	(void)state;
	for (unsigned i = 0; i < 200000; i++) {
		char c = i % 97 == 0 ? (char)mock_random(&seed) :
			keys[mock_random(&seed) % (sizeof(keys) - 1)];

		if (line_feed(&line, c) != LINE_MORE)
			line_start(&line);
		assert_true(line.cursor <= line.len && line.len < SHELL_LINE_MAX);
		assert_int_equal(strlen(line.text), line.len);
		assert_int_equal(screen.at, line.cursor + 2);
		assert_memory_equal(screen.row + 2, line.text, line.len);
	}
}

int main(void)
{
#define CASE(test) cmocka_unit_test_setup(test, setup)
	const struct CMUnitTest tests[] = {
		CASE(enter_ends_the_line),
		CASE(insert_and_delete_anywhere),
		CASE(cursor_keys_stay_inside),
		CASE(kill_keys),
		CASE(cancel_gives_the_line_up),
		CASE(cancel_inside_an_escape_sequence),
		CASE(clear_screen_keeps_the_line),
		CASE(history_goes_back_and_forth),
		CASE(an_edited_history_line_is_a_new_one),
		CASE(history_forgets_the_oldest),
		CASE(tab_completes_one_name),
		CASE(tab_completes_arguments),
		CASE(tab_completes_what_names_share),
		CASE(tab_on_nothing_lists_all),
		CASE(tab_before_the_rest_of_a_word),
		CASE(a_full_line_takes_no_more),
		CASE(other_keys_do_nothing),
		CASE(redraw_after_a_message),
		CASE(random_keys_agree_with_the_screen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
