/* Building a program's first stack (stack.h): put together in the kernel, copied at once. */
#include <errno.h>
#include <string.h>

#include <caisson/mm.h>
#include <caisson/random.h>

#include "stack.h"

enum { AT_NULL = 0, AT_PHDR = 3, AT_PHENT = 4, AT_PHNUM = 5, AT_PAGESZ = 6, AT_BASE = 7, AT_FLAGS = 8, AT_ENTRY = 9,
       AT_UID = 11, AT_EUID = 12, AT_GID = 13, AT_EGID = 14, AT_HWCAP = 16, AT_CLKTCK = 17, AT_SECURE = 23, AT_RANDOM = 25,
       AT_EXECFN = 31 };

#define PHENT 56
#define HWCAP (BIT(0) | BIT('c' - 'a') | BIT('d' - 'a') | BIT('f' - 'a') | BIT('i' - 'a') | BIT('m' - 'a'))
#define RANDOM_SIZE 16
#define AUXV_MAX 20 /* pairs */
#define STACK_MIN (64 * KiB)

/* Where things go: addresses of the program's, and the same in the kernel's copy. */
struct block {
	char *data;
	uint64_t start;         /* address of data[0] */
	uint64_t *words;        /* the next word to write */
};

int stack_map(struct user_mm *mm, uint64_t size, uint64_t *sp)
{
	uint64_t at;

	size = ALIGN_UP(MIN(MAX(size, STACK_MIN), USER_STACK_SIZE), PAGE_SIZE);
	at = USER_TOP - size;
	*sp = USER_TOP;
	return mm_map(mm, &at, size, PERM_R | PERM_W, MM_FIXED, NULL, 0);
}

static void put(struct block *b, uint64_t word)
{
	*b->words++ = word;
}

static void put_pair(struct block *b, uint64_t kind, uint64_t value)
{
	put(b, kind);
	put(b, value);
}

/* Pointers to n strings that stand at `from`, ended by a null one. @return where the strings go on */
static uint64_t put_pointers(struct block *b, uint64_t from, unsigned n)
{
	for (; n > 0; n--) {
		put(b, from);
		from += strlen(b->data + (from - b->start)) + 1;
	}
	put(b, 0);
	return from;
}

static void put_auxv(struct block *b, const struct elf *elf, uint64_t bias, uint64_t random, uint64_t path)
{
	if (elf->headers) {
		put_pair(b, AT_PHDR, bias + elf->headers);
		put_pair(b, AT_PHENT, PHENT);
		put_pair(b, AT_PHNUM, elf->n_headers);
	}
	put_pair(b, AT_PAGESZ, PAGE_SIZE);
	put_pair(b, AT_BASE, 0);
	put_pair(b, AT_FLAGS, 0);
	put_pair(b, AT_ENTRY, bias + elf->entry);
	put_pair(b, AT_UID, 0);
	put_pair(b, AT_EUID, 0);
	put_pair(b, AT_GID, 0);
	put_pair(b, AT_EGID, 0);
	put_pair(b, AT_HWCAP, HWCAP);
	put_pair(b, AT_CLKTCK, 100);
	put_pair(b, AT_SECURE, 0);
	put_pair(b, AT_RANDOM, random);
	put_pair(b, AT_EXECFN, path);
	put_pair(b, AT_NULL, 0);
}

int stack_build(struct user_mm *mm, const char *path, const struct exec_args *args, const struct elf *elf, uint64_t bias,
		uint64_t *sp)
{
	size_t words = (1 + args->argc + 1 + args->envc + 1 + 2 * AUXV_MAX) * sizeof(uint64_t);
	size_t path_size = strlen(path) + 1, strings = RANDOM_SIZE + path_size + args->size;
	size_t size = ALIGN_UP(words + strings, 16);
	uint64_t stack = args->stack_size ? args->stack_size : USER_STACK_SIZE, at;
	struct block b;
	int error;

	if (size > MAX(stack, STACK_MIN) / 4)
		return -E2BIG;
	error = stack_map(mm, stack, sp);
	if (error)
		return error;
	b.data = kzalloc(size);
	if (!b.data)
		return -ENOMEM;
	b.start = *sp -= size;
	b.words = (uint64_t *)b.data;
	at = b.start + words; /* random bytes, the path, the strings */
	random_bytes(b.data + words, RANDOM_SIZE);
	memcpy(b.data + words + RANDOM_SIZE, path, path_size);
	if (args->size)
		memcpy(b.data + words + RANDOM_SIZE + path_size, args->strings, args->size);
	put(&b, args->argc);
	mm->args = at + RANDOM_SIZE + path_size;
	mm->env = put_pointers(&b, mm->args, args->argc);
	mm->env_end = put_pointers(&b, mm->env, args->envc);
	put_auxv(&b, elf, bias, at, at + RANDOM_SIZE);
	error = copy_to_user(mm, *sp, b.data, size) ? -ENOMEM : 0;
	kfree(b.data);
	return error;
}
