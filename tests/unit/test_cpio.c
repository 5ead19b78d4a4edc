/* The initrd reader: archives of every shape, whole, cut and damaged. */
// sources: fs/cpio.c
#include <caisson/fs.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* --- a writer of archives --------------------------------------------------- */

static char work[8192];
static size_t used;

static void pad4(void)
{
	while (used % 4)
		work[used++] = '\0';
}

static void put(const char *name, unsigned mode, const void *data, unsigned size)
{
	unsigned name_size = (unsigned)strlen(name) + 1;

	used += (size_t)snprintf(work + used, sizeof(work) - used,
				 "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X", 1, mode,
				 1, 0, 0, 0, size, 0, 0, 0, 0, name_size, 0);
	memcpy(work + used, name, name_size);
	used += name_size;
	pad4();
	memcpy(work + used, data, size);
	used += size;
	pad4();
}

static void put_sample(void)
{
	used = 0;
	put(".", 040755, "", 0);
	put("./vm", 040755, "", 0);
	put("./vm/0.dtb", 0100644, "hello", 5);
	put("/etc/empty", 0100600, "", 0);
	put("link", 0120777, "vm/0.dtb", 8);
	put("file/0", 0100755, "0123456789abcdef", 16);
	put("TRAILER!!!", 0, "", 0);
}

/** The archive in a heap block of exactly its size, so that the sanitizer sees any byte read beyond it. */
static char *exact(size_t size)
{
	char *block = malloc(size ? size : 1);

	assert_non_null(block);
	memcpy(block, work, size);
	return block;
}

/** Where in work a file's header starts. */
static char *header_of(const char *name)
{
	for (size_t at = 0; at + 110 < used; at += 4)
		if (!memcmp(work + at, "07070", 5) && !strcmp(work + at + 110, name))
			return work + at;
	fail_msg("%s not written", name);
	return NULL;
}

static bool touch_all(const struct file *f, void *arg)
{
	unsigned *sum = arg;

	*sum += (unsigned)strlen(f->path);
	for (uint64_t i = 0; i < f->size; i++)
		*sum += ((const uint8_t *)f->data)[i];
	return true;
}

static void expect_damaged(const char *data, size_t size)
{
	char *block = malloc(size);

	memcpy(block, data, size);
	assert_int_equal(initrd_init(block, size), -EINVAL);
	free(block);
}

/* --- tests -------------------------------------------------------------------- */

static void H8_files_are_found_by_path(void **state)
{
	struct file f;
	char *a;

	(void)state;
	put_sample();
	a = exact(used);
	assert_int_equal(initrd_init(a, used), 3);
	assert_int_equal(initrd_open("vm/0.dtb", &f), 0);
	assert_string_equal(f.path, "vm/0.dtb");
	assert_int_equal(f.size, 5);
	assert_memory_equal(f.data, "hello", 5);
	assert_int_equal(initrd_open("/vm/0.dtb", &f), 0);
	assert_int_equal(initrd_open(".//./vm/0.dtb", &f), 0);
	assert_int_equal(initrd_open("etc/empty", &f), 0);
	assert_int_equal(f.size, 0);
	assert_non_null(f.data);
	assert_int_equal(initrd_open("./file/0", &f), 0);
	assert_int_equal(f.size, 16);
	free(a);
}

static void what_is_no_regular_file_is_not_there(void **state)
{
	struct file f;
	char *a;

	(void)state;
	put_sample();
	a = exact(used);
	assert_int_equal(initrd_init(a, used), 3);
	assert_int_equal(initrd_open("vm", &f), -ENOENT);
	assert_int_equal(initrd_open("link", &f), -ENOENT);
	assert_int_equal(initrd_open("TRAILER!!!", &f), -ENOENT);
	assert_int_equal(initrd_open("vm/0.dt", &f), -ENOENT);
	assert_int_equal(initrd_open("vm/0.dtbx", &f), -ENOENT);
	assert_int_equal(initrd_open("", &f), -ENOENT);
	free(a);
}

static bool take_two(const struct file *f, void *arg)
{
	const char ***next = arg;

	*(*next)++ = f->path;
	return strcmp(f->path, "etc/empty") != 0;
}

static void for_each_keeps_order_and_stops(void **state)
{
	const char *seen[4] = { 0 }, **next = seen;
	char *a;

	(void)state;
	put_sample();
	a = exact(used);
	assert_int_equal(initrd_init(a, used), 3);
	initrd_for_each(take_two, &next);
	assert_int_equal(next - seen, 2);
	assert_string_equal(seen[0], "vm/0.dtb");
	assert_string_equal(seen[1], "etc/empty");
	free(a);
}

static void no_archive_is_an_error(void **state)
{
	struct file f;

	(void)state;
	assert_int_equal(initrd_init(NULL, 0), -EINVAL);
	assert_int_equal(initrd_init(NULL, 1 << 20), -EINVAL);
	assert_int_equal(initrd_open("x", &f), -EINVAL);
	expect_damaged("\0\0\0\0", 4);
}

static void trailer_alone_is_an_empty_archive(void **state)
{
	char *a;

	(void)state;
	used = 0;
	put("TRAILER!!!", 0, "", 0);
	memset(work + used, 0, 512); /* cpio pads to a block */
	a = exact(used + 512);
	assert_int_equal(initrd_init(a, used + 512), 0);
	free(a);
}

static void names_padded_with_zeros_are_names(void **state)
{
	struct file f;
	char *a;

	(void)state;
	used = 0;
	put("aligned000", 0100644, "data", 4);
	memset(header_of("aligned000") + 110 + 7, 0, 3);
	put("TRAILER!!!", 0, "", 0);
	a = exact(used);
	assert_int_equal(initrd_init(a, used), 1);
	assert_int_equal(initrd_open("aligned", &f), 0);
	free(a);
}

static void file_before_the_damage_opens_and_behind_it_does_not(void **state)
{
	struct file f;
	char *a;

	(void)state;
	put_sample();
	header_of("./vm/0.dtb")[0] = 'x';
	a = exact(used);
	assert_int_equal(initrd_init(a, used), -EINVAL);
	assert_int_equal(initrd_open("vm/0.dtb", &f), -EINVAL);
	free(a);

	put_sample();
	memcpy(header_of("file/0"), "070707", 6);
	a = exact(used);
	assert_int_equal(initrd_init(a, used), -EINVAL);
	assert_int_equal(initrd_open("vm/0.dtb", &f), 0);
	assert_int_equal(initrd_open("file/0", &f), -EINVAL);
	free(a);
}

/** Overwrite a field (n counts from 0 = ino) of a lone file's header. */
static void expect_bad_field(unsigned n, const char *text)
{
	used = 0;
	put("name", 0100644, "data", 4);
	put("TRAILER!!!", 0, "", 0);
	memcpy(work + 6 + 8 * n, text, 8);
	expect_damaged(work, used);
}

static void absurd_numbers_are_refused(void **state)
{
	(void)state;
	expect_bad_field(6, "FFFFFFFF");  /* filesize */
	expect_bad_field(6, "7fffffff");
	expect_bad_field(6, "0000zz00");
	expect_bad_field(6, "      04");
	expect_bad_field(6, "-0000004");
	expect_bad_field(11, "FFFFFFFF"); /* namesize */
	expect_bad_field(11, "00000000");
	expect_bad_field(11, "00000004"); /* cuts the name's zero off */
	expect_bad_field(11, "0x000005");
	expect_bad_field(1, "\0\0\0\0\0\0\0");
}

static void every_truncation_is_an_error(void **state)
{
	(void)state;
	put_sample();
	/* The trailer's own padding may be missing, not its name. */
	for (size_t n = 0; n < used - 3; n++) {
		char *a = exact(n);
		unsigned sum = 0;

		assert_int_equal(initrd_init(a, n), -EINVAL);
		initrd_for_each(touch_all, &sum);
		free(a);
	}
}

static void flipped_bits_never_fault(void **state)
{
	struct file f;

	(void)state;
	srand(1);
	for (int round = 0; round < 20000; round++) {
		unsigned sum = 0;
		char *a;

		put_sample();
		for (int i = rand() % 3; i >= 0; i--)
			work[(size_t)rand() % used] ^= (char)(1 << rand() % 8);
		a = exact(used);
		if (initrd_init(a, used) < 0 && initrd_open("file/0", &f) == 0)
			touch_all(&f, &sum);
		initrd_for_each(touch_all, &sum);
		free(a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(H8_files_are_found_by_path),
		cmocka_unit_test(what_is_no_regular_file_is_not_there),
		cmocka_unit_test(for_each_keeps_order_and_stops),
		cmocka_unit_test(no_archive_is_an_error),
		cmocka_unit_test(trailer_alone_is_an_empty_archive),
		cmocka_unit_test(names_padded_with_zeros_are_names),
		cmocka_unit_test(file_before_the_damage_opens_and_behind_it_does_not),
		cmocka_unit_test(absurd_numbers_are_refused),
		cmocka_unit_test(every_truncation_is_an_error),
		cmocka_unit_test(flipped_bits_never_fault),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
