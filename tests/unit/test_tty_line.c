/* The line discipline: lines that are edited, characters that mean something, what is echoed, bytes without lines. */
// sources: process/tty_line.c
#include <string.h>

#include <test.h>

#include "process/signal.h"
#include "process/tty_line.h"

static struct tty_line line;
static char screen[64 * 1024];
static size_t shown;

static void show(const char *text, size_t n)
{
	assert_true(shown + n < sizeof(screen));
	memcpy(screen + shown, text, n);
	shown += n;
	screen[shown] = '\0';
}

static int setup(void **state)
{
	(void)state;
	shown = 0;
	screen[0] = '\0';
	tty_line_init(&line, show);
	return 0;
}

static unsigned type(const char *keys)
{
	unsigned signal = 0;

	for (; *keys; keys++)
		signal |= tty_line_type(&line, (uint8_t)*keys);
	return signal;
}

static void check_take(const char *expected, bool some_expected)
{
	uint8_t data[8192];
	bool some;
	size_t n = tty_line_take(&line, data, sizeof(data) - 1, &some);

	data[n] = '\0';
	assert_string_equal((char *)data, expected);
	assert_int_equal(some, some_expected);
}

static void check_line(const char *keys, const char *expected)
{
	shown = 0;
	type(keys);
	check_take(expected, true);
}

static void set(uint32_t iflag, uint32_t lflag)
{
	struct termios new = line.settings;

	new.iflag = iflag;
	new.lflag = lflag;
	tty_line_set(&line, &new);
}

static void a_line_is_there_when_it_ends(void **state)
{
	(void)state;
	type("ab");
	check_take("", false);
	type("c\rnext\n");
	check_take("abc\n", true);
	check_take("next\n", true);
	check_take("", false);
	assert_string_equal(screen, "abc\r\nnext\r\n");
}

static void a_line_is_edited(void **state)
{
	(void)state;
	check_line("\x7fx\x7f\x7fyz\x7f\r", "y\n");
	assert_string_equal(screen, "x\b \byz\b \b\r\n");
	check_line("one two_3  \x17three\r", "one three\n");
	check_line("away\x15" "here\r", "here\n");
	check_line("a\x01\x7f" "b\r", "ab\n");
	assert_string_equal(screen, "a^A\b \b\b \bb\r\n");
	check_line("\xc3\xa9\xe2\x82\xac\x7f!\r", "\xc3\xa9!\n"); /* a character, not a byte */
	check_line("\x16\x7f\x16\x03\x16\x16x\r", "\x7f\x03\x16x\n");
	check_line("kept\x12\r", "kept\n");
	assert_string_equal(screen, "kept^R\r\nkept\r\n");
}

static void a_tab_is_as_wide_as_it_was(void **state)
{
	char out[16];
	size_t n = 3;

	(void)state;
	tty_line_output(&line, "abc", &n, out, sizeof(out)); /* a prompt */
	type("d\t\x7f");
	assert_string_equal(screen, "d\t\b \b\b \b\b \b\b \b");
	check_line("\r", "d\n");
}

static void an_end_is_not_a_byte(void **state)
{
	(void)state;
	type("\x04");
	check_take("", true);
	check_take("", false);
	type("half\x04");
	check_take("half", true);
	check_take("", false);
	type("x\x04\x04");
	check_take("x", true);
	check_take("", true);
}

static void characters_send_signals(void **state)
{
	(void)state;
	assert_int_equal(type("lost\x03"), SIGINT);
	assert_string_equal(screen, "lost^C");
	check_line("\r", "\n");
	assert_int_equal(type("\x1c"), SIGQUIT);
	assert_int_equal(type("\x1a"), SIGTSTP);
	set(line.settings.iflag, line.settings.lflag | TTY_NOFLSH);
	assert_int_equal(type("kept\x03\r"), SIGINT);
	check_take("kept\n", true);
	set(line.settings.iflag, line.settings.lflag & ~(uint32_t)TTY_ISIG);
	assert_int_equal(type("\x03\r"), 0);
	check_take("\x03\n", true);
	line.settings.cc[VINTR] = 0; /* none */
	set(line.settings.iflag, line.settings.lflag | TTY_ISIG);
	assert_int_equal(tty_line_type(&line, 0), 0);
}

static void output_stops_and_goes_on(void **state)
{
	(void)state;
	type("\x13");
	assert_true(line.stopped);
	type("x");
	assert_true(line.stopped);
	type("\x11");
	assert_false(line.stopped);
	set(line.settings.iflag | TTY_IXANY, line.settings.lflag);
	type("\x13y");
	assert_false(line.stopped);
	type("\x13");
	set(line.settings.iflag & ~(uint32_t)TTY_IXON, line.settings.lflag);
	assert_false(line.stopped);
	check_line("\x13\r", "xy\x13\n");
}

static void without_lines_bytes_are_bytes(void **state)
{
	(void)state;
	type("begun");
	set(0, 0);
	shown = 0;
	screen[0] = '\0';
	check_take("begun", true);
	type("\x03\x04\x7f\x11\r\n");
	check_take("\x03\x04\x7f\x11\r\n", true);
	check_take("", false);
	assert_string_equal(screen, "");
}

static void an_end_before_lines_went_is_none_after(void **state)
{
	(void)state;
	type("\x04");
	set(0, 0);
	check_take("", false);
}

static void a_line_too_long_keeps_its_beginning_and_its_end(void **state)
{
	uint8_t data[2 * TTY_RING];
	bool some;

	(void)state;
	for (unsigned i = 0; i < 2 * TTY_RING; i++)
		type(i % 2 ? "b" : "a");
	type("\x15x\x04"); /* it can still be edited, and ended */
	check_take("x", true);
	for (unsigned i = 0; i < 2 * TTY_RING; i++)
		type("x");
	type("\r");
	assert_int_equal(tty_line_take(&line, data, sizeof(data), &some), TTY_RING);
	assert_int_equal(data[TTY_RING - 1], '\n');
	check_line("next\r", "next\n");
}

static void a_reader_with_little_room_gets_the_rest_later(void **state)
{
	uint8_t data[4];
	bool some;

	(void)state;
	type("abcd\x04rest\r");
	assert_int_equal(tty_line_take(&line, data, 3, &some), 3);
	assert_int_equal(tty_line_take(&line, data, 1, &some), 1); /* and the end of the line that is no byte with it */
	check_take("rest\n", true);
}

static void output_gets_its_returns(void **state)
{
	const char text[] = "a\nb\n";
	char out[8];
	size_t n = 4, made;

	(void)state;
	made = tty_line_output(&line, text, &n, out, sizeof(out));
	assert_int_equal(n, 4);
	assert_int_equal(made, 6);
	assert_memory_equal(out, "a\r\nb\r\n", 6);
	assert_int_equal(tty_line_shown(&line, text, 4, 6), 4);
	assert_int_equal(tty_line_shown(&line, text, 4, 5), 3); /* half of the end does not count */
	assert_int_equal(tty_line_shown(&line, text, 4, 3), 2);
	n = 4;
	made = tty_line_output(&line, text, &n, out, 3);
	assert_true(made <= 3 && n == 2);
	line.settings.oflag = 0;
	n = 4;
	assert_int_equal(tty_line_output(&line, text, &n, out, sizeof(out)), 4);
	assert_int_equal(tty_line_shown(&line, text, 4, 2), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_line_is_there_when_it_ends, setup),
		cmocka_unit_test_setup(a_line_is_edited, setup),
		cmocka_unit_test_setup(a_tab_is_as_wide_as_it_was, setup),
		cmocka_unit_test_setup(an_end_is_not_a_byte, setup),
		cmocka_unit_test_setup(characters_send_signals, setup),
		cmocka_unit_test_setup(output_stops_and_goes_on, setup),
		cmocka_unit_test_setup(without_lines_bytes_are_bytes, setup),
		cmocka_unit_test_setup(an_end_before_lines_went_is_none_after, setup),
		cmocka_unit_test_setup(a_line_too_long_keeps_its_beginning_and_its_end, setup),
		cmocka_unit_test_setup(a_reader_with_little_room_gets_the_rest_later, setup),
		cmocka_unit_test_setup(output_gets_its_returns, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
