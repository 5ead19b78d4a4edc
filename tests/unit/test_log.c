/* Log: the form of a line, levels, long and hostile texts; panic ends the machine once. */
// sources: core/console/log.c core/console/log_keep.c
#include <test.h>

#include <errno.h>

#include <arch/cpu.h>
#include <arch/sbi.h>
#include <caisson/console.h>
#include <caisson/hart.h>
#include <caisson/init.h>
#include <caisson/log.h>
#include <caisson/time.h>

#define LOG_NAME "test"

static char out[4096];
static size_t n_out;
static unsigned writes;
static bool framed;

uint64_t timebase_hz = 10000000;

uint64_t time_now(void)
{
	return mock_time;
}

void console_write(unsigned channel, const char *buf, size_t n)
{
	assert_int_equal(channel, CONSOLE_LOG);
	assert_true(n_out + n < sizeof(out));
	memcpy(out + n_out, buf, n);
	n_out += n;
	out[n_out] = '\0';
	writes++;
}

bool console_framed(void)
{
	return framed;
}

/* How a panic ends is noted here; none of these may return. */
static jmp_buf ended;
static int exit_status, stop_status;
static bool console_panics;

void console_panic(void)
{
	console_panics = true;
}

void machine_exit(int status)
{
	exit_status = status;
	longjmp(ended, 1);
}

void machine_stop(int status)
{
	stop_status = status;
	longjmp(ended, 1);
}

void sbi_shutdown(bool failure)
{
	(void)failure;
	longjmp(ended, 1);
}

static int setup(void **state)
{
	(void)state;
	n_out = writes = 0;
	framed = true;
	timebase_hz = 10000000;
	mock_time = 1234567;
	mock_hart = &mock_harts[0];
	log_set_level(LOG_INFO);
	return 0;
}

static void a_line_has_time_hart_level_component(void **state)
{
	(void)state;
	mock_hart = &mock_harts[2];
	mock_hart->index = 2;
	log_info("text %d", 7);
	assert_string_equal(out, "[    0.123456] 2 info  test: text 7\n");
	assert_int_equal(writes, 1); /* in one piece: lines of two harts do not mix */
}

static void time_counts_on_past_seconds(void **state)
{
	(void)state;
	mock_time = UINT64_C(123456) * 10000000 + 9999999;
	log_error("x");
	assert_string_equal(out, "[123456.999999] 0 error test: x\n");
}

static void before_the_timebase_is_known_time_is_zero(void **state)
{
	(void)state;
	timebase_hz = 0;
	log_warn("x");
	assert_string_equal(out, "[    0.000000] 0 warn  test: x\n");
}

static void a_terminal_gets_carriage_returns(void **state)
{
	(void)state;
	framed = false;
	log_info("x");
	assert_string_equal(out + n_out - 4, " x\r\n");
}

static void lines_above_the_level_are_dropped(void **state)
{
	(void)state;
	log_debug("no");
	log_trace("no");
	assert_int_equal(writes, 0);
	log_set_level(LOG_TRACE);
	log_trace("yes");
	assert_int_equal(writes, 1);
	log_set_level(LOG_ERROR);
	log_warn("no");
	assert_int_equal(writes, 1);
}

static void level_names(void **state)
{
	enum log_level level = LOG_TRACE;

	(void)state;
	assert_int_equal(log_parse_level("error", &level), 0);
	assert_int_equal(level, LOG_ERROR);
	assert_int_equal(log_parse_level("debug", &level), 0);
	assert_int_equal(level, LOG_DEBUG);
	assert_int_equal(log_parse_level("Debug", &level), -EINVAL);
	assert_int_equal(log_parse_level("", &level), -EINVAL);
	assert_int_equal(level, LOG_DEBUG);
	assert_string_equal(log_level_name(LOG_WARN), "warn");
	assert_string_equal(log_level_name((enum log_level)77), "?");
}

static void a_long_line_is_cut_and_says_so(void **state)
{
	static char text[1000];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	log_info("%s", text);
	assert_true(n_out <= 256);
	assert_string_equal(out + n_out - 5, "x...\n");
	n_out = 0;
	framed = false;
	log_info("%s", text);
	assert_true(n_out <= 256);
	assert_string_equal(out + n_out - 6, "x...\r\n");
}

static void a_line_that_just_fits_is_whole(void **state)
{
	static char text[300];

	(void)state;
	for (size_t n = 200; n < 260; n++) {
		size_t whole;

		n_out = 0;
		memset(text, 'x', n);
		text[n] = '\0';
		log_info("%s", text);
		whole = strlen("[    0.123456] 0 info  test: ") + n + 1;
		assert_int_equal(strstr(out, "...") != NULL, n_out < whole);
	}
}

static void a_text_cannot_begin_another_line(void **state)
{
	(void)state;
	log_info("%s", "name\n[    0.000000] 0 error fake: \x1b[2J\x7f\xc3\xa4");
	assert_ptr_equal(strchr(out, '\n'), out + n_out - 1);
	assert_null(strchr(out, '\x1b'));
	assert_null(strchr(out, '\x7f'));
	assert_non_null(strstr(out, "\xc3\xa4")); /* UTF-8 stays */
}

static void a_component_of_any_length_is_safe(void **state)
{
	static char component[600];

	(void)state;
	memset(component, 'c', sizeof(component) - 1);
	log_write(LOG_INFO, component, "text");
	assert_true(n_out <= 256);
	assert_int_equal(out[n_out - 1], '\n');
}

/* The one panic this program can have; a second inside it stops at once, with the same status. */
static void a_panic_ends_the_machine_with_3(void **state)
{
	(void)state;
	if (setjmp(ended) == 0)
		panic("bug %d", 5);
	assert_true(console_panics);
	assert_false(mock_irq_on);
	assert_int_equal(exit_status, 3);
	assert_non_null(strstr(out, "error panic: bug 5\n"));
	assert_non_null(strstr(out, "hart 0"));
}

static void a_panic_in_a_panic_stops_without_a_word(void **state)
{
	(void)state;
	if (setjmp(ended) == 0)
		panic("second");
	assert_int_equal(stop_status, 3);
	assert_int_equal(writes, 0);
}

static void the_newest_lines_are_kept(void **state)
{
	struct log_line line;
	uint64_t at = 0, n = 0;

	(void)state;
	log_info("before");
	assert_false(log_kept_line(&at, &line)); /* nobody has asked for it */
	assert_int_equal(log_keep_start(), 0);
	for (int i = 0; i < LOG_KEPT + 5; i++) {
		n_out = 0;
		log_info("line %d", i);
	}
	n_out = 0;
	log_error("the last");
	for (; log_kept_line(&at, &line); at++) {
		if (n++ == 0)
			assert_non_null(strstr(line.text, "test: line 6"));
		assert_string_equal(line.component, "test");
	}
	assert_int_equal(n, LOG_KEPT);
	at = LOG_KEPT + 5;
	assert_true(log_kept_line(&at, &line));
	assert_int_equal(line.level, LOG_ERROR);
	assert_string_equal(line.text, "[    0.123456] 0 error test: the last");
}

int main(void)
{
#define CASE(test) cmocka_unit_test_setup(test, setup)
	const struct CMUnitTest tests[] = {
		CASE(a_line_has_time_hart_level_component),
		CASE(the_newest_lines_are_kept),
		CASE(time_counts_on_past_seconds),
		CASE(before_the_timebase_is_known_time_is_zero),
		CASE(a_terminal_gets_carriage_returns),
		CASE(lines_above_the_level_are_dropped),
		CASE(level_names),
		CASE(a_long_line_is_cut_and_says_so),
		CASE(a_line_that_just_fits_is_whole),
		CASE(a_text_cannot_begin_another_line),
		CASE(a_component_of_any_length_is_safe),
		CASE(a_panic_ends_the_machine_with_3),
		CASE(a_panic_in_a_panic_stops_without_a_word),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
