/* Tables and records, as a person and as a program reads them. */
// sources: shell/output.c
#include <shell/output.h>
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

static struct shell sh = { .write = take_output };

static int text(void **state)
{
	(void)state;
	sh = (struct shell){ .write = take_output };
	n_out = 0;
	out[0] = '\0';
	return 0;
}

static int json(void **state)
{
	text(state);
	sh.json = true;
	return 0;
}

struct row {
	const char *name;
	uint64_t n, hex, size, time, tenths, flag;
};

static const struct shell_field fields[] = {
	SHELL_FIELD(struct row, n, SHELL_NUMBER, "n", 3),
	SHELL_FIELD(struct row, name, SHELL_TEXT, "name", -6),
	SHELL_FIELD(struct row, hex, SHELL_HEX, NULL, 0),
	SHELL_FIELD(struct row, size, SHELL_SIZE, "size", 8),
	SHELL_FIELD(struct row, time, SHELL_TIME, "time", 8),
	SHELL_FIELD(struct row, tenths, SHELL_TENTHS, "%", 5),
	SHELL_FIELD(struct row, flag, SHELL_FLAG, "set", -4),
};
static const struct shell_layout layout = SHELL_LAYOUT(fields);
static const struct row one = { "a", 7, UINT64_MAX, 3 * MiB, 1234567890, 123, 1 };
static const struct row two = { NULL, UINT64_MAX, 0, 4 * KiB, 0, 5, 0 };

static void show_table(void)
{
	shell_table(&sh, NULL, &layout);
	shell_row(&sh, &layout, &one);
	shell_row(&sh, &layout, &two);
	shell_table_end(&sh);
}

static void a_table_has_headings_and_columns(void **state)
{
	(void)state;
	show_table();
	assert_string_equal(out, "  n  name        size      time      %  set\n"
				 "  7  a          3 MiB   1.234 s   12.3  yes\n"
				 "18446744073709551615  -  4 KiB  0.000 s  0.5  no\n");
}

static void a_row_is_in_line_again_after_a_long_cell(void **state)
{
	static const struct row long_name = { "eight", 12345, 0, 4 * KiB, 0, 5, 0 };

	(void)state;
	shell_table(&sh, NULL, &layout);
	shell_row(&sh, &layout, &long_name);
	assert_string_equal(out, "  n  name        size      time      %  set\n"
				 "12345  eight    4 KiB   0.000 s    0.5  no\n");
}

static void an_empty_table_says_so(void **state)
{
	(void)state;
	shell_table(&sh, NULL, &layout);
	shell_table_end(&sh);
	assert_string_equal(out, "  n  name        size      time      %  set\nnone\n");
	text(state);
	show_table();
	assert_null(strstr(out, "none"));
}

static void a_table_is_an_array(void **state)
{
	(void)state;
	show_table();
	assert_string_equal(out, "[\n {\"n\": 7, \"name\": \"a\", \"hex\": \"0xffffffffffffffff\", \"size\": 3145728, "
				 "\"time\": 1234567890, \"tenths\": 12.3, \"flag\": true},\n"
				 " {\"n\": 18446744073709551615, \"name\": null, \"hex\": \"0x0\", \"size\": 4096, "
				 "\"time\": 0, \"tenths\": 0.5, \"flag\": false}]\n");
}

static void an_empty_table_is_an_empty_array(void **state)
{
	(void)state;
	shell_table(&sh, NULL, &layout);
	shell_table_end(&sh);
	assert_string_equal(out, "[]\n");
}

static void a_record_is_lines(void **state)
{
	(void)state;
	shell_record(&sh, NULL, &layout, &one);
	assert_string_equal(out, "n     7\nname  a\nsize  3 MiB\ntime  1.234 s\n%     12.3\nset   yes\n");
}

static void show_nested(void)
{
	static const struct shell_field name[] = { SHELL_FIELD(struct row, name, SHELL_TEXT, "name", 0) };
	static const struct shell_layout names = SHELL_LAYOUT(name);

	shell_object(&sh, NULL);
	shell_members(&sh, &names, &one);
	shell_array(&sh, "rounds");
	for (unsigned i = 0; i < 2; i++) {
		shell_object(&sh, NULL);
		shell_table(&sh, "rows", &names);
		shell_row(&sh, &names, &two);
		shell_table_end(&sh);
		shell_say(&sh, "round %u\n", i);
		shell_object_end(&sh);
	}
	shell_array_end(&sh);
	shell_record(&sh, "last", &names, &one);
	shell_object_end(&sh);
}

static void what_is_nested_is_one_document(void **state)
{
	(void)state;
	show_nested();
	assert_string_equal(out, "{\n \"name\": \"a\",\n \"rounds\": [\n"
				 "  {\n   \"rows\": [\n    {\"name\": null}]},\n"
				 "  {\n   \"rows\": [\n    {\"name\": null}]}],\n"
				 " \"last\": {\n  \"name\": \"a\"}}\n");
}

static void what_is_nested_is_text_one_after_the_other(void **state)
{
	(void)state;
	show_nested();
	assert_string_equal(out, "name  a\nname\n-\nround 0\nname\n-\nround 1\nname  a\n");
}

static void text_is_escaped(void **state)
{
	static const struct shell_field name[] = { SHELL_FIELD(struct row, name, SHELL_TEXT, "name", 0) };
	static const struct shell_layout names = SHELL_LAYOUT(name);

	(void)state;
	shell_record(&sh, NULL, &names, &(struct row){ .name = "q\"b\\t\tn\x7f\xc3\xa9 \xff \xc3" });
	assert_string_equal(out, "{\n \"name\": \"q\\u0022b\\u005ct\\u0009n\\u007f\xc3\xa9 \\ufffd \\ufffd\"}\n");
}

static void text_does_not_steer_the_terminal(void **state)
{
	static const struct shell_field name[] = { SHELL_FIELD(struct row, name, SHELL_TEXT, "name", 0) };
	static const struct shell_layout names = SHELL_LAYOUT(name);

	(void)state;
	shell_record(&sh, NULL, &names, &(struct row){ .name = "a\x1b[2Jb\r\nc" });
	assert_string_equal(out, "name  a?[2Jb??c\n");
}

static void an_error_is_a_document_too(void **state)
{
	(void)state;
	shell_error(&sh, "no VM '%s'", "\"");
	assert_string_equal(out, "{\"error\": \"no VM '\\u0022'\"}\n");
}

int main(void)
{
#define TEXT(test) cmocka_unit_test_setup(test, text)
#define JSON(test) cmocka_unit_test_setup(test, json)
	const struct CMUnitTest tests[] = {
		TEXT(a_table_has_headings_and_columns),
		TEXT(a_row_is_in_line_again_after_a_long_cell),
		TEXT(an_empty_table_says_so),
		JSON(a_table_is_an_array),
		JSON(an_empty_table_is_an_empty_array),
		TEXT(a_record_is_lines),
		JSON(what_is_nested_is_one_document),
		TEXT(what_is_nested_is_text_one_after_the_other),
		JSON(text_is_escaped),
		TEXT(text_does_not_steer_the_terminal),
		JSON(an_error_is_a_document_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
