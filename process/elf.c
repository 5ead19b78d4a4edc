/* Reading an executable's headers (elf.h). What the file says is checked before it is used. */
#include <errno.h>
#include <string.h>

#include <caisson/pt.h>

#include "elf.h"

struct file_header {
	uint8_t ident[16];
	uint16_t type, machine;
	uint32_t version;
	uint64_t entry, phoff, shoff;
	uint32_t flags;
	uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};

struct program_header {
	uint32_t type, flags;
	uint64_t offset, vaddr, paddr, filesz, memsz, align;
};

enum { ET_EXEC = 2, ET_DYN = 3, EM_RISCV = 243, CLASS_64 = 2, LITTLE_ENDIAN = 1 };
enum { PT_LOAD = 1, PT_INTERP = 3, PT_PHDR = 6, PT_GNU_STACK = 0x6474e551 };
enum { PF_X = 1, PF_W = 2, PF_R = 4 };

#define FAIL(text) do { *why = (text); return -ENOEXEC; } while (0)

static int check_header(const struct file_header *h, size_t n, const char **why)
{
	if (n < sizeof(*h) || memcmp(h->ident, "\177ELF", 4))
		FAIL("not an ELF file");
	if (h->ident[4] != CLASS_64 || h->ident[5] != LITTLE_ENDIAN || h->machine != EM_RISCV)
		FAIL("not for 64-bit RISC-V");
	if (h->type != ET_EXEC && h->type != ET_DYN)
		FAIL("not an executable");
	if (h->phentsize != sizeof(struct program_header) || h->phnum == 0)
		FAIL("no program headers");
	if (h->phoff > n || (uint64_t)h->phnum * sizeof(struct program_header) > n - h->phoff)
		FAIL("its program headers are not in its first page, or it ends before them");
	return 0;
}

static unsigned perm_of(uint32_t flags)
{
	return (flags & PF_R ? PERM_R : 0u) | (flags & PF_W ? PERM_W | PERM_R : 0u) | (flags & PF_X ? PERM_X | PERM_R : 0u);
}

static int add_segment(struct elf *out, const struct program_header *p, uint64_t file_size, uint64_t limit,
		       const char **why)
{
	struct elf_segment *s = &out->segments[out->n_segments];
	const struct elf_segment *last = out->n_segments ? s - 1 : NULL;

	if (p->memsz == 0)
		return 0;
	if (out->n_segments == ELF_SEGMENTS_MAX)
		FAIL("too many segments");
	if (p->filesz > p->memsz || p->offset > file_size || p->filesz > file_size - p->offset)
		FAIL("a segment's bytes are not in the file");
	if (p->vaddr >= limit || p->memsz > limit - p->vaddr)
		FAIL("a segment beyond the addresses of programs");
	if ((p->vaddr - p->offset) % PAGE_SIZE)
		FAIL("a segment that is not aligned in its file as in memory");
	s->start = ALIGN_DOWN(p->vaddr, PAGE_SIZE);
	s->size = ALIGN_UP(p->vaddr + p->memsz, PAGE_SIZE) - s->start;
	s->data = p->vaddr;
	s->data_size = p->filesz;
	s->offset = p->offset;
	s->perm = perm_of(p->flags);
	if (last && s->start < last->start + last->size)
		FAIL("segments that overlap, or not in the order of their addresses");
	out->n_segments++;
	return 0;
}

static bool entry_is_there(const struct elf *e)
{
	for (unsigned i = 0; i < e->n_segments; i++)
		if (e->entry - e->segments[i].data < e->segments[i].data_size && (e->segments[i].perm & PERM_X))
			return true;
	return false;
}

/* Where the program headers are in memory, if a segment has that part of the file. */
static uint64_t headers_in_memory(const struct elf *e, uint64_t phoff)
{
	for (unsigned i = 0; i < e->n_segments; i++) {
		const struct elf_segment *s = &e->segments[i];

		if (phoff >= s->offset && phoff - s->offset < s->data_size)
			return s->data + (phoff - s->offset);
	}
	return 0;
}

int elf_parse(const void *head, size_t n, uint64_t file_size, uint64_t limit, struct elf *out, const char **why)
{
	struct file_header h;
	int error;

	*out = (struct elf){ .n_segments = 0 };
	memset(&h, 0, sizeof(h));
	memcpy(&h, head, MIN(n, sizeof(h)));
	error = check_header(&h, n, why);
	if (error)
		return error;
	for (unsigned i = 0; i < h.phnum; i++) {
		struct program_header p;

		memcpy(&p, (const char *)head + h.phoff + i * sizeof(p), sizeof(p));
		if (p.type == PT_INTERP)
			FAIL("it wants a dynamic linker; only static programs run");
		if (p.type == PT_GNU_STACK)
			out->stack_executable = p.flags & PF_X;
		error = p.type == PT_LOAD ? add_segment(out, &p, file_size, limit, why) : 0;
		if (error)
			return error;
	}
	out->pie = h.type == ET_DYN;
	out->entry = h.entry;
	out->n_headers = h.phnum;
	out->headers = headers_in_memory(out, h.phoff);
	if (!entry_is_there(out))
		FAIL("its entry is not in a segment that can be executed");
	return 0;
}
