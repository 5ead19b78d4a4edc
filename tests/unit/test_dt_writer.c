/* Trees written in one go, read again with libfdt. */
// sources: vmm/image/dt_writer.c
#include <test.h>

#include <libfdt.h>

#include <vmm/dt_writer.h>

static uint8_t tree[4096] __attribute__((aligned(8)));
static struct dt_writer w;

static void start(size_t size)
{
	memset(tree, 0x77, sizeof(tree));
	dt_start(&w, tree, size);
	dt_begin(&w, "");
}

static int finish(void)
{
	dt_end(&w);
	return dt_finish(&w);
}

static int write_sample(size_t size)
{
	start(size);
	dt_put_u32(&w, "#address-cells", 2);
	dt_put_text(&w, "model", "abcd");
	dt_put_texts(&w, "compatible", (const char *const[]){ "a,b", "cd", NULL });
	dt_begin_at(&w, "uart", 0x10000000);
	dt_put_range(&w, 0x10000000, UINT64_C(0x1234567890));
	dt_put_flag(&w, "no-map");
	dt_put(&w, "bytes", "\1\2\3\4\5", 5);
	dt_end(&w);
	dt_begin(&w, "empty");
	dt_end(&w);
	return finish();
}

static void expect(const char *path, const char *name, const char *bytes, int n)
{
	int len, node = fdt_path_offset(tree, path);
	const char *value = node < 0 ? NULL : fdt_getprop(tree, node, name, &len);

	assert_non_null(value);
	assert_int_equal(len, n);
	assert_memory_equal(value, bytes, n);
}

static void libfdt_reads_what_was_written(void **state)
{
	int size = write_sample(sizeof(tree));

	(void)state;
	assert_true(size > 0);
	assert_int_equal(fdt_totalsize(tree), size);
	assert_int_equal(fdt_check_full(tree, (size_t)size), 0);
	assert_int_equal(fdt_num_mem_rsv(tree), 0);
	expect("/", "#address-cells", "\0\0\0\2", 4);
	expect("/", "model", "abcd", 5);
	expect("/", "compatible", "a,b\0cd", 7);
	expect("/uart@10000000", "reg", "\0\0\0\0\x10\0\0\0\0\0\0\x12\x34\x56\x78\x90", 16);
	expect("/uart@10000000", "no-map", "", 0);
	expect("/uart@10000000", "bytes", "\1\2\3\4\5", 5);
	assert_true(fdt_path_offset(tree, "/empty") > 0);
}

/** A guest gets no byte of what the memory held before. */
static void every_byte_is_written(void **state)
{
	int size = write_sample(sizeof(tree));

	(void)state;
	for (int i = 0; i < size; i++)
		assert_int_not_equal(tree[i], 0x77);
	assert_int_equal(tree[size], 0x77);
}

static void small_buffers_are_kept_to(void **state)
{
	int size = write_sample(sizeof(tree));

	(void)state;
	for (int n = 0; n < size; n++) {
		assert_int_equal(write_sample((size_t)n), -FDT_ERR_NOSPACE);
		assert_int_equal(tree[n], 0x77);
	}
	assert_int_equal(write_sample((size_t)size), size);
}

static void equal_names_are_one(void **state)
{
	(void)state;
	start(sizeof(tree));
	for (int i = 0; i < DT_NAMES_MAX + 10; i++) {
		dt_begin_at(&w, "n", (uint64_t)i);
		dt_put_u32(&w, "reg", (uint32_t)i);
		dt_end(&w);
	}
	assert_true(finish() > 0);
	assert_int_equal(fdt_size_dt_strings(tree), sizeof("reg"));
	expect("/n@49", "reg", "\0\0\0\x49", 4);
}

static void too_many_names_are_an_error(void **state)
{
	static char names[DT_NAMES_MAX + 1][2];

	(void)state;
	start(sizeof(tree));
	for (int i = 0; i < DT_NAMES_MAX; i++)
		dt_put_flag(&w, memset(names[i], ' ' + i, 1));
	assert_true(finish() > 0);
	assert_int_equal(fdt_check_full(tree, sizeof(tree)), 0);
	start(sizeof(tree));
	for (int i = 0; i <= DT_NAMES_MAX; i++)
		dt_put_flag(&w, memset(names[i], ' ' + i, 1));
	assert_int_equal(finish(), -FDT_ERR_NOSPACE);
}

static void first_error_stays(void **state)
{
	(void)state;
	start(sizeof(tree));
	w.err = -FDT_ERR_BADVALUE;
	dt_put_text(&w, "model", "x");
	assert_int_equal(finish(), -FDT_ERR_BADVALUE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(libfdt_reads_what_was_written),
		cmocka_unit_test(every_byte_is_written),
		cmocka_unit_test(small_buffers_are_kept_to),
		cmocka_unit_test(equal_names_are_one),
		cmocka_unit_test(too_many_names_are_an_error),
		cmocka_unit_test(first_error_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
