/* Loading programs: segments into a new address space, arguments onto a new stack, scripts by their interpreter. */
#include <errno.h>
#include <string.h>

#include <caisson/log.h>
#include <caisson/mm.h>

#include "elf.h"
#include "stack.h"
#include "thread.h"

#define SCRIPTS_MAX 4          /* interpreters that are scripts themselves */
#define SCRIPT_LINE_MAX 256
#define FLAT_MAX (16 * MiB)

/* --- strings --- */

static int insert_string(struct exec_args *args, size_t at, const char *string, size_t n)
{
	char *more;

	if (args->size + n + 1 > ARGS_MAX)
		return -E2BIG;
	if (!args->strings) {
		args->strings = kalloc(ARGS_MAX);
		if (!args->strings)
			return -ENOMEM;
	}
	more = args->strings + at;
	memmove(more + n + 1, more, args->size - at);
	memcpy(more, string, n);
	more[n] = '\0';
	args->size += n + 1;
	return 0;
}

int exec_args_add(struct exec_args *args, const char *string)
{
	return insert_string(args, args->size, string, strlen(string));
}

/* --- segments --- */

/* Behind the file's last byte in its last page there are zeros, if the program can write there at all. */
static int clear_rest(struct user_mm *mm, const struct elf_segment *s, uint64_t bias)
{
	static const char zeros[256];
	uint64_t at = bias + s->data + s->data_size, end = ALIGN_UP(at, PAGE_SIZE);
	int error = 0;

	while (at < end && !error && (s->perm & PERM_W)) {
		size_t n = MIN(end - at, sizeof(zeros));

		error = copy_to_user(mm, at, zeros, n);
		at += n;
	}
	return error ? -ENOMEM : 0;
}

static int map_segment(struct user_mm *mm, const struct elf_segment *s, uint64_t bias, struct page_source *file)
{
	uint64_t at = bias + s->start, end = at + s->size;
	uint64_t file_end = s->data_size ? ALIGN_UP(bias + s->data + s->data_size, PAGE_SIZE) : at;
	int error = 0;

	if (file_end > at)
		error = mm_map(mm, &at, file_end - at, s->perm, MM_FIXED | MM_NO_REPLACE, file,
			       ALIGN_DOWN(s->offset, PAGE_SIZE));
	if (!error && end > file_end)
		error = mm_map(mm, &file_end, end - file_end, s->perm, MM_FIXED | MM_NO_REPLACE, NULL, 0);
	return error ? error : clear_rest(mm, s, bias);
}

static int map_segments(struct user_mm *mm, const struct elf *elf, uint64_t bias, struct page_source *file)
{
	int error = 0;

	for (unsigned i = 0; i < elf->n_segments && !error; i++) {
		const struct elf_segment *s = &elf->segments[i];

		error = map_segment(mm, s, bias, file);
		mm->brk_start = mm->brk = bias + s->start + s->size;
	}
	return error;
}

static int load_elf(const char *path, const struct elf *elf, const struct exec_args *args, struct program *out,
		    const char **why)
{
	uint64_t bias = elf->pie ? USER_PIE : 0;
	struct page_source *file;
	int error = vfs_source_open(path, &file);

	if (error)
		return error;
	out->mm = mm_new();
	error = out->mm ? signal_map_trampoline(out->mm) : -ENOMEM;
	if (!error)
		error = map_segments(out->mm, elf, bias, file);
	if (error && error != -ENOMEM) {
		*why = "a segment where no program may have one";
		error = -ENOEXEC;
	}
	page_source_put(file);
	if (!error)
		error = stack_build(out->mm, path, args, elf, bias, &out->sp);
	if (error && out->mm)
		mm_put(out->mm);
	out->entry = bias + elf->entry;
	return error;
}

/* --- files --- */

/* The beginning of a file. @return bytes or negative errno; *size is the whole file's */
static int64_t read_head(const char *path, char *head, uint64_t *size)
{
	struct vfs_file *f;
	struct vfs_stat st;
	int64_t n = vfs_open(path, VFS_READ, &f);

	*size = 0;
	if (n)
		return n == -EISDIR || n == -ENOTSUP ? -EACCES : n;
	n = vfs_fstat(f, &st);
	if (n == 0 && !(st.mode & 0111))
		n = -EACCES;
	if (n == 0) {
		*size = st.size;
		n = vfs_read_at(f, head, ELF_HEAD, 0);
	}
	(void)!vfs_close(f);
	return n;
}

static size_t trimmed(const char *line, size_t n)
{
	while (n > 0 && (line[n - 1] == ' ' || line[n - 1] == '\t'))
		n--;
	return n;
}

/* What stands behind "#!". */
struct script_line {
	char *interpreter, *argument;
	size_t interpreter_size, argument_size; /* 0: no argument */
};

/* Of a line that is too long the argument is cut, but not the interpreter. @return false: it names none */
static bool read_script(char *head, struct script_line *out)
{
	size_t line = strcspn(head + 2, "\n"), most = SCRIPT_LINE_MAX - 2;
	size_t first = strspn(head + 2, " \t"), room = MIN(line, most), n, word;
	char *at = head + 2 + first;

	room = room > first ? room - first : 0;
	n = trimmed(at, room);
	word = MIN(strcspn(at, " \t"), n);
	if (word == 0 || (line > most && word == room))
		return false;
	*out = (struct script_line){ .interpreter = at, .interpreter_size = word };
	out->argument = at + word + strspn(at + word, " \t");
	if (out->argument < at + n)
		out->argument_size = (size_t)(at + n - out->argument);
	return true;
}

static void drop_first(struct exec_args *args)
{
	size_t gone = strlen(args->strings) + 1;

	memmove(args->strings, args->strings + gone, args->size - gone);
	args->size -= gone;
	args->argc--;
}

static int insert_argument(struct exec_args *args, const char *string, size_t n)
{
	int error = insert_string(args, 0, string, n);

	args->argc += !error;
	return error;
}

/*
 * "#!INTERPRETER [ARGUMENT]": its words take the place of argv[0], and the script's path follows. *path becomes the
 * interpreter's, in head.
 */
static int adopt_script(char *head, const char **path, struct exec_args *args)
{
	struct script_line s;
	int error;

	if (!read_script(head, &s))
		return -ENOEXEC;
	if (args->argc > 0)
		drop_first(args);
	error = insert_argument(args, *path, strlen(*path));
	if (!error && s.argument_size)
		error = insert_argument(args, s.argument, s.argument_size);
	if (!error)
		error = insert_argument(args, s.interpreter, s.interpreter_size);
	s.interpreter[s.interpreter_size] = '\0';
	memmove(head, s.interpreter, s.interpreter_size + 1);
	*path = head;
	return error;
}

static int load(const char *path, struct exec_args *args, char *head, struct program *out, const char **why)
{
	for (unsigned depth = 0; depth <= SCRIPTS_MAX; depth++) {
		char *page = head + depth * (ELF_HEAD + 1);
		struct elf elf;
		uint64_t size;
		int64_t n;
		int error;

		n = read_head(path, page, &size);
		if (n == -EACCES)
			*why = "not a file that may be executed";
		if (n < 0)
			return (int)n;
		page[n] = '\0';
		if (n < 2 || memcmp(page, "#!", 2) != 0) {
			error = elf_parse(page, (size_t)n, size, USER_PIE, &elf, why);
			return error ? error : load_elf(path, &elf, args, out, why);
		}
		error = adopt_script(page, &path, args);
		if (error)
			return error;
	}
	*why = "too many scripts that are each other's interpreters";
	return -ELOOP;
}

int exec_load(const char *path, struct exec_args *args, struct program *out, const char **why)
{
	char *head = kalloc((SCRIPTS_MAX + 1) * (ELF_HEAD + 1));
	int error = head ? load(path, args, head, out, why) : -ENOMEM;

	kfree(head);
	return error;
}

/* --- flat programs --- */

static int map_flat(struct user_mm *mm, const void *image, size_t size, uint64_t *sp)
{
	uint64_t text = USER_FLAT, data = USER_FLAT_DATA;
	int error = mm_map(mm, &text, size, PERM_R | PERM_W, MM_FIXED, NULL, 0);

	if (!error)
		error = mm_map(mm, &data, USER_FLAT_DATA_SIZE, PERM_R | PERM_W, MM_FIXED, NULL, 0);
	if (!error && copy_to_user(mm, USER_FLAT, image, size))
		error = -ENOMEM;
	if (!error)
		error = mm_protect(mm, USER_FLAT, size, PERM_R | PERM_X);
	return error ? error : stack_map(mm, USER_STACK_SIZE, sp);
}

int exec_load_flat(const void *image, size_t size, struct program *out)
{
	int error;

	if (size == 0 || size > FLAT_MAX)
		return -ENOEXEC;
	out->mm = mm_new();
	if (!out->mm)
		return -ENOMEM;
	out->entry = USER_FLAT;
	error = map_flat(out->mm, image, size, &out->sp);
	if (error)
		mm_put(out->mm);
	return error;
}
