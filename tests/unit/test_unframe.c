/* Input on a framed line: typed bytes come through as they were, what the host says between them is obeyed. */
// sources: core/console/unframe.c
#include <test.h>

#include <stdlib.h>

#include <caisson/console.h>

#include "../../core/console/unframe.h"

static char typed[8192];
static size_t typed_n, room;
static unsigned resizes;

static size_t input(const char *buf, size_t n)
{
	n = MIN(n, room - typed_n);
	memcpy(typed + typed_n, buf, n);
	typed_n += n;
	return n;
}

static void on_resize(void)
{
	resizes++;
}

static int setup(void **state)
{
	(void)state;
	room = sizeof(typed);
	typed_n = 0;
	assert_int_equal(console_unframe("\n", 1, input), 1); /* out of whatever the last test left */
	console_set_resized(NULL);
	assert_true(console_unframe("\x10S0x0\n", 6, input) == 6);
	console_set_resized(on_resize);
	typed_n = resizes = 0;
	return 0;
}

static void feed(const char *s)
{
	assert_int_equal(console_unframe(s, strlen(s), input), strlen(s));
}

static void expect(const char *s, unsigned columns, unsigned rows)
{
	assert_int_equal(typed_n, strlen(s));
	assert_memory_equal(typed, s, typed_n);
	assert_int_equal(console_size().columns, columns);
	assert_int_equal(console_size().rows, rows);
	typed_n = 0;
}

static void typed_bytes_come_through(void **state)
{
	(void)state;
	feed("ls -l\r");
	expect("ls -l\r", 0, 0);
	feed("a\x10\x10" "b\x10");
	expect("a\x10" "b", 0, 0);
	feed("\x10" "c");
	expect("\x10" "c", 0, 0);
	assert_int_equal(resizes, 0);
}

static void sizes_between_them(void **state)
{
	(void)state;
	feed("one\x10S80x25\ntwo");
	expect("onetwo", 80, 25);
	feed("\x10");
	feed("S1");
	feed("32x4");
	assert_int_equal(resizes, 1);
	feed("3\n");
	expect("", 132, 43);
	feed("\x10S65535x65535\n\x10S0x0\nS");
	expect("S", 0, 0);
	assert_int_equal(resizes, 4);
}

/* What is not a size changes nothing, and typed bytes go on after it. */
static void what_is_not_a_size(void **state)
{
	static const char *const not[] = {
		"80", "80x", "x25x", "80x25 ", "65536x1", "1x65536", "-1x25", "80x-1", "99999999999999999999x1", "", "80 x 25", "\x10S",
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(not); i++) {
		feed("\x10S7x8\n\x10S");
		feed(not[i]);
		feed("\n");
		typed_n = 0;
		if (strcmp(not[i], "80x") != 0) /* no rows are none */
			expect("", 7, 8);
		feed("on\n");
		expect("on\n", console_size().columns, console_size().rows);
	}
	feed("\x10?\x10@on");
	expect("on", 7, 8);
}

/* Whoever sends keeps what was not taken and offers it again: nothing is lost or doubled at any point. */
static void a_full_consumer(void **state)
{
	static const char line[] = "ab\x10\x10" "c\x10S5x6\nd\x10\x10\x10\x10";
	size_t done = 0;

	(void)state;
	room = 0;
	while (done < sizeof(line) - 1) {
		size_t n = console_unframe(line + done, sizeof(line) - 1 - done, input);

		done += n;
		room += n == 0;
	}
	expect("ab\x10" "cd\x10\x10", 5, 6);
}

/* As a host would send it, cut anywhere. */
static void any_mixture(void **state)
{
	static char sent[4 * sizeof(typed)], line[sizeof(sent)];

	(void)state;
	srand(5);
	for (unsigned round = 0; round < 300; round++) {
		size_t n = 0, wire = 0, done = 0;
		unsigned columns = 0;

		while (n < 200) {
			if (rand() % 8 == 0) {
				columns = (unsigned)rand() % 500;
				wire += (size_t)sprintf(line + wire, "\x10S%ux%u\n", columns, columns / 2);
			}
			sent[n] = (char)(rand() % 4 ? rand() : 0x10);
			line[wire++] = sent[n];
			if (sent[n++] == 0x10)
				line[wire++] = 0x10;
		}
		if (!columns)
			columns = console_size().columns;
		while (done < wire) {
			size_t part = (size_t)rand() % 20 + 1;

			done += console_unframe(line + done, MIN(part, wire - done), input);
		}
		assert_int_equal(typed_n, n);
		assert_memory_equal(typed, sent, n);
		assert_int_equal(console_size().columns, columns);
		typed_n = 0;
	}
}

int main(void)
{
#define CASE(test) cmocka_unit_test_setup(test, setup)
	const struct CMUnitTest tests[] = {
		CASE(typed_bytes_come_through), CASE(sizes_between_them), CASE(what_is_not_a_size), CASE(a_full_consumer),
		CASE(any_mixture),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
