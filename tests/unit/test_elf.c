/* Executables: what is accepted, and every way in which a file can be wrong; noise. */
// sources: process/elf.c
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <caisson/pt.h>
#include <test.h>

#include "process/elf.h"

#define LIMIT (UINT64_C(1) << 36)
#define FILE_SIZE 20000

struct header {
	uint8_t ident[16];
	uint16_t type, machine;
	uint32_t version;
	uint64_t entry, phoff, shoff;
	uint32_t flags;
	uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};

struct segment_header {
	uint32_t type, flags;
	uint64_t offset, vaddr, paddr, filesz, memsz, align;
};

static struct {
	struct header h;
	struct segment_header p[4];
	char rest[ELF_HEAD];
} f;
static struct elf elf;
static const char *why;

static int setup(void **state)
{
	(void)state;
	memset(&f, 0, sizeof(f));
	f.h = (struct header){
		.ident = { 0x7f, 'E', 'L', 'F', 2, 1, 1 }, .type = 2, .machine = 243, .version = 1, .entry = 0x10100,
		.phoff = sizeof(f.h), .phentsize = sizeof(f.p[0]), .phnum = 3, .ehsize = sizeof(f.h),
	};
	f.p[0] = (struct segment_header){ .type = 1, .flags = 5, .offset = 0, .vaddr = 0x10000, .filesz = 0x1200, .memsz = 0x1200 };
	f.p[1] = (struct segment_header){ .type = 1, .flags = 6, .offset = 0x1200, .vaddr = 0x12200, .filesz = 0x300, .memsz = 0x5000 };
	f.p[2] = (struct segment_header){ .type = 0x6474e551, .flags = 6 };
	why = NULL;
	return 0;
}

static int parse(void)
{
	return elf_parse(&f, ELF_HEAD, FILE_SIZE, LIMIT, &elf, &why);
}

static void P3_a_good_file(void **state)
{
	(void)state;
	assert_int_equal(parse(), 0);
	assert_false(elf.pie);
	assert_false(elf.stack_executable);
	assert_int_equal(elf.entry, 0x10100);
	assert_int_equal(elf.headers, 0x10000 + sizeof(f.h));
	assert_int_equal(elf.n_headers, 3);
	assert_int_equal(elf.n_segments, 2);
	assert_int_equal(elf.segments[0].perm, PERM_R | PERM_X);
	assert_int_equal(elf.segments[1].start, 0x12000);
	assert_int_equal(elf.segments[1].size, 0x6000);
	assert_int_equal(elf.segments[1].data, 0x12200);
	assert_int_equal(elf.segments[1].data_size, 0x300);
	assert_int_equal(elf.segments[1].perm, PERM_R | PERM_W);
	f.h.type = 3;
	assert_int_equal(parse(), 0);
	assert_true(elf.pie);
}

static void P3_bss_without_bytes_of_the_file(void **state)
{
	(void)state;
	f.p[1].filesz = 0;
	assert_int_equal(parse(), 0);
	assert_int_equal(elf.segments[1].data_size, 0);
	f.p[1].memsz = 0; /* nothing at all */
	assert_int_equal(parse(), 0);
	assert_int_equal(elf.n_segments, 1);
}

static void refused(const char *expected)
{
	why = NULL;
	assert_int_equal(parse(), -ENOEXEC);
	assert_non_null(why);
	assert_non_null(strstr(why, expected));
	setup(NULL);
}

static void P3_malformed_files_are_refused_with_a_reason(void **state)
{
	(void)state;
	f.h.ident[1] = 'e', refused("not an ELF");
	f.h.ident[4] = 1, refused("64-bit");
	f.h.ident[5] = 2, refused("64-bit");
	f.h.machine = 62, refused("64-bit RISC-V");
	f.h.type = 1, refused("not an executable");
	f.h.phnum = 0, refused("no program headers");
	f.h.phentsize = 32, refused("no program headers");
	f.h.phnum = 0xffff, refused("program headers are not");
	f.h.phoff = UINT64_MAX - 8, refused("program headers are not");
	f.h.phoff = ELF_HEAD - 8, refused("program headers are not");
	f.p[2].type = 3, refused("dynamic linker");
	f.p[0].filesz = FILE_SIZE + 1, f.p[0].memsz = FILE_SIZE + 1, refused("not in the file");
	f.p[0].filesz = 0x1201, refused("not in the file");
	f.p[1].offset = UINT64_MAX - 0xdff, refused("not in the file");
	f.p[1].vaddr = LIMIT + 0x200, refused("beyond");
	f.p[1].memsz = LIMIT, refused("beyond");
	f.p[1].vaddr = UINT64_MAX - 0xdff, refused("beyond");
	f.p[1].vaddr++, refused("aligned");
	f.p[1].vaddr = 0x11200, refused("overlap");
	f.p[1].vaddr = 0x2200, refused("overlap");
	f.h.entry = 0x12300, refused("entry");
	f.h.entry = 0, refused("entry");
	f.h.entry = 0x11200, refused("entry");
	f.h.entry = UINT64_MAX, refused("entry");
}

static void P3_truncated_at_any_byte(void **state)
{
	(void)state;
	for (size_t n = 0; n < sizeof(f.h) + 3 * sizeof(f.p[0]); n++) {
		char *exact = malloc(n + 1); /* the sanitizer sees what is read beyond */

		memcpy(exact, &f, n);
		assert_int_equal(elf_parse(exact, n, n, LIMIT, &elf, &why), -ENOEXEC);
		free(exact);
	}
}

/* Whatever the fields say: an answer, and what is accepted keeps to the rules. */
static void P3_noise(void **state)
{
	(void)state;
	srand(3);
	for (unsigned round = 0; round < 300000; round++) {
		setup(NULL);
		for (unsigned n = 1 + (unsigned)rand() % 4; n > 0; n--)
			((char *)&f)[16 + (unsigned)rand() % (sizeof(f.h) + 3 * sizeof(f.p[0]) - 16)] ^= (char)(1 << rand() % 8);
		if (parse())
			continue;
		assert_true(elf.n_segments <= ELF_SEGMENTS_MAX);
		for (unsigned i = 0; i < elf.n_segments; i++) {
			const struct elf_segment *s = &elf.segments[i];

			assert_true(s->start + s->size <= LIMIT + PAGE_SIZE && s->size > 0);
			assert_true(s->data >= s->start && s->data + s->data_size <= s->start + s->size);
			assert_true(s->offset + s->data_size <= FILE_SIZE);
			assert_true(i == 0 || s->start >= elf.segments[i - 1].start + elf.segments[i - 1].size);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup(f, setup)
		T(P3_a_good_file), T(P3_bss_without_bytes_of_the_file), T(P3_malformed_files_are_refused_with_a_reason),
		T(P3_truncated_at_any_byte), T(P3_noise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
