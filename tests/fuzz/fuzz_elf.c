/* Loading programs: any bytes as an executable or a script. */
// sources: process/elf.c process/exec.c process/stack.c
/*
 * An input is how large the file is beyond its bytes, how many arguments there are, which allocation fails, and the
 * bytes. What is loaded has to be sound, and whatever fails gives everything back.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <caisson/mm.h>
#include <caisson/random.h>
#include <caisson/vfs.h>
#include <mem.h>

#include "process/elf.h"
#include "process/signal.h"
#include "process/thread.h"

#define CHECK(what) do { if (!(what)) fail(#what, __LINE__); } while (0)
#define AREAS_MAX 64

struct area_of_ours {
	uint64_t start, size;
	unsigned perm;
};

static struct {
	const uint8_t *data;
	size_t n;
	uint64_t size;             /* of the file */
	unsigned opened, spaces, sources;
	struct user_mm mm;
	struct area_of_ours areas[AREAS_MAX];
	unsigned n_areas;
} f;

static void fail(const char *what, int line)
{
	fprintf(stderr, "fuzz: line %d: %s does not hold\n", line, what);
	abort();
}

/* --- the file, whatever its name is --- */

int vfs_open(const char *path, unsigned flags, struct vfs_file **out)
{
	static struct vfs_file file;

	CHECK(flags == VFS_READ);
	if (strlen(path) % 7 == 6)
		return -ENOENT;
	f.opened++;
	*out = &file;
	return 0;
}

int vfs_close(struct vfs_file *file)
{
	(void)file;
	f.opened--;
	return 0;
}

int vfs_fstat(struct vfs_file *file, struct vfs_stat *st)
{
	(void)file;
	*st = (struct vfs_stat){ .kind = VFS_FILE, .mode = 0755, .size = f.size };
	return 0;
}

int64_t vfs_read_at(struct vfs_file *file, void *data, size_t n, uint64_t pos)
{
	size_t there = MIN(n, f.size);

	(void)file;
	CHECK(pos == 0 && n <= ELF_HEAD);
	memset(data, 0, there);
	memcpy(data, f.data, MIN(there, f.n));
	return (int64_t)there;
}

/* --- memory --- */

static struct page_source source;

int vfs_source_open(const char *path, struct page_source **out)
{
	(void)path;
	if (mock_alloc_fails())
		return -ENOMEM;
	f.sources++;
	*out = &source;
	return 0;
}

void page_source_put(struct page_source *s)
{
	CHECK(s == &source);
	f.sources--;
}

struct user_mm *mm_new(void)
{
	if (mock_alloc_fails())
		return NULL;
	f.spaces++;
	f.mm = (struct user_mm){ .refs = 1 };
	return &f.mm;
}

void mm_put(struct user_mm *mm)
{
	CHECK(mm == &f.mm);
	f.spaces--;
	f.n_areas = 0;
}

static const struct area_of_ours *at(uint64_t address)
{
	for (unsigned i = 0; i < f.n_areas; i++)
		if (address - f.areas[i].start < f.areas[i].size)
			return &f.areas[i];
	return NULL;
}

int mm_map(struct user_mm *mm, uint64_t *where, uint64_t size, unsigned perm, unsigned flags, struct page_source *from, uint64_t offset)
{
	uint64_t start = *where, end;

	CHECK(mm == &f.mm && f.spaces == 1 && (flags & MM_FIXED) && !(flags & MM_SHARED));
	CHECK(start % PAGE_SIZE == 0 && offset % PAGE_SIZE == 0 && size > 0);
	size = ALIGN_UP(size, PAGE_SIZE);
	end = start + size;
	CHECK(end > start && end <= USER_TOP);
	if (from)
		CHECK(from == &source && offset < f.size);
	if (start < USER_LOWEST)
		return -EINVAL;
	for (unsigned i = 0; i < f.n_areas; i++)
		if (start < f.areas[i].start + f.areas[i].size && f.areas[i].start < end)
			return -EEXIST;
	if (mock_alloc_fails())
		return -ENOMEM;
	CHECK(f.n_areas < AREAS_MAX);
	f.areas[f.n_areas++] = (struct area_of_ours){ start, size, perm };
	return 0;
}

int mm_protect(struct user_mm *mm, uint64_t start, uint64_t size, unsigned perm)
{
	(void)mm; (void)start; (void)size; (void)perm;
	return 0;
}

int copy_to_user(struct user_mm *mm, uint64_t to, const void *from, size_t n)
{
	CHECK(mm == &f.mm);
	for (size_t i = 0; i < n; i++) /* all of it can be read */
		(void)((const volatile uint8_t *)from)[i];
	for (uint64_t page = ALIGN_DOWN(to, PAGE_SIZE); page < to + n; page += PAGE_SIZE) {
		const struct area_of_ours *a = at(page);

		if (!a || !(a->perm & PERM_W))
			return -EFAULT;
	}
	return 0;
}

int signal_map_trampoline(struct user_mm *mm)
{
	uint64_t where = USER_TRAMPOLINE;

	return mm_map(mm, &where, PAGE_SIZE, PERM_R | PERM_X, MM_FIXED, NULL, 0);
}

void random_bytes(void *buf, size_t n)
{
	memset(buf, 0x5c, n);
}

/* --- one file --- */

static void check_elf(void)
{
	struct elf elf;
	const char *why = NULL;
	char head[ELF_HEAD] = "";
	size_t n = MIN(f.size, sizeof(head));
	char *exact = malloc(n + 1);

	memcpy(head, f.data, MIN(f.n, n));
	memcpy(exact, head, n); /* what is read beyond is found */
	if (elf_parse(exact, n, f.size, USER_PIE, &elf, &why)) {
		CHECK(why && *why);
	} else {
		CHECK(elf.n_segments > 0 && elf.n_segments <= ELF_SEGMENTS_MAX && !why);
		for (unsigned i = 0; i < elf.n_segments; i++) {
			const struct elf_segment *s = &elf.segments[i];

			CHECK(s->size > 0 && s->start % PAGE_SIZE == 0 && s->size % PAGE_SIZE == 0);
			CHECK(s->start + s->size > s->start && s->start + s->size <= USER_PIE);
			CHECK(i == 0 || s->start >= s[-1].start + s[-1].size);
			CHECK(s->data >= s->start && s->data + s->data_size <= s->start + s->size);
			CHECK(s->offset + s->data_size >= s->offset && s->offset + s->data_size <= f.size);
			CHECK(s->data % PAGE_SIZE == s->offset % PAGE_SIZE);
		}
	}
	free(exact);
}

static unsigned strings_in(const struct exec_args *args)
{
	unsigned n = 0;

	for (size_t i = 0; i < args->size; i++)
		n += args->strings[i] == '\0';
	return n;
}

static void load(unsigned argc)
{
	struct exec_args args = { .argc = argc, .envc = 1 };
	struct program out = { .entry = 0 };
	const char *why = NULL;
	int error = 0;

	for (unsigned i = 0; i <= argc && !error; i++)
		error = exec_args_add(&args, i % 2 ? "" : "word");
	if (!error)
		error = exec_load("/program", &args, &out, &why);
	CHECK(f.opened == 0 && f.sources == 0);
	if (error) {
		CHECK(error == -ENOEXEC || error == -ELOOP || error == -E2BIG || error == -ENOMEM || error == -ENOENT);
		CHECK(f.spaces == 0);
	} else {
		const struct area_of_ours *code = at(out.entry), *stack = at(out.sp);

		CHECK(f.spaces == 1 && strings_in(&args) == args.argc + args.envc && !why);
		CHECK(code && (code->perm & PERM_X));
		CHECK(stack && (stack->perm & PERM_W) && out.sp % 16 == 0);
		CHECK(f.mm.brk == f.mm.brk_start && f.mm.brk % PAGE_SIZE == 0);
		mm_put(out.mm);
	}
	kfree(args.strings);
	CHECK(heap_in_use() == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	if (n < 3)
		return 0;
	f.data = data + 3;
	f.n = n - 3;
	f.size = data[0] == 255 ? UINT64_C(1) << 40 : f.n + data[0] % 64 * PAGE_SIZE;
	if (data[0] & 64)
		f.size -= MIN(f.size, 100);
	f.n_areas = 0;
	check_elf();
	mock_alloc_fail_at = data[2] < 64 ? data[2] : 0;
	load(data[1] % 4);
	mock_alloc_fail_at = 0;
	return 0;
}
