/*
 * ELF64 executables as kernels (System V ABI, "Object Files"; RISC-V ELF
 * psABI). An ELF says itself where it goes: its loadable segments at their
 * physical addresses where these are RAM, else at their virtual ones.
 */
#include "placement.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define EI_CLASS 4
#define EI_DATA 5
#define ELF_CLASS_64 2
#define ELF_DATA_LITTLE 1
#define ELF_DATA_BIG 2
#define ELF_TYPE_EXEC 2
#define ELF_TYPE_DYN 3         /* position-independent: good where linked at addresses in RAM */
#define ELF_MACHINE_RISCV 243
#define ELF_PT_LOAD 1

/* Kernels have fewer than ten. The limit keeps the search for overlaps short. */
#define SEGMENTS_MAX 32

struct elf_header {
	uint8_t ident[16];
	uint8_t type[2], machine[2], version[4];
	uint8_t entry[8], phoff[8], shoff[8];
	uint8_t flags[4], ehsize[2], phentsize[2], phnum[2], shentsize[2], shnum[2], shstrndx[2];
};

struct elf_segment {
	uint8_t type[4], flags[4];
	uint8_t offset[8], vaddr[8], paddr[8], filesz[8], memsz[8], align[8];
};

_Static_assert(sizeof(struct elf_header) == 64, "ELF64 header");
_Static_assert(sizeof(struct elf_segment) == 56, "ELF64 program header");

/** A loadable segment, checked and placed. */
struct part {
	uint64_t start, size;  /* guest-physical, bytes in memory */
	uint64_t vaddr;
	const void *data;
	uint64_t data_size;
};

static bool elf_matches(const struct file *f)
{
	return f->size >= 4 && !memcmp(f->data, "\177ELF", 4);
}

static int refuse(const struct placement *p, const char *what)
{
	return placement_refuse(p, -EINVAL, p->cfg->kernel.label, "%s", what);
}

/* --- the header ---------------------------------------------------------------- */

static const struct {
	unsigned number;
	const char *name;
} machines[] = {
	{ 2, "SPARC" }, { 3, "x86" }, { 8, "MIPS" }, { 20, "PowerPC" }, { 21, "64-bit PowerPC" },
	{ 22, "S/390" }, { 40, "32-bit Arm" }, { 43, "64-bit SPARC" }, { 62, "x86-64" },
	{ 183, "64-bit Arm" }, { 258, "LoongArch" },
};

static int refuse_machine(const struct placement *p, unsigned number)
{
	const char *label = p->cfg->kernel.label;

	for (unsigned i = 0; i < ARRAY_SIZE(machines); i++)
		if (machines[i].number == number)
			return placement_refuse(p, -EINVAL, label, "an ELF for %s, not for RISC-V",
						machines[i].name);
	return placement_refuse(p, -EINVAL, label, "an ELF for machine number %u, not for RISC-V",
				number);
}

/** The machine comes first: it says more about a wrong file than class or byte order. */
static int check_machine(const struct placement *p, const struct elf_header *h)
{
	unsigned machine = (unsigned)read_le(h->machine, 2);

	if (h->ident[EI_DATA] == ELF_DATA_BIG)
		machine = (unsigned)(h->machine[0] << 8 | h->machine[1]);
	if (machine != ELF_MACHINE_RISCV)
		return refuse_machine(p, machine);
	if (h->ident[EI_CLASS] != ELF_CLASS_64)
		return refuse(p, "an ELF for 32-bit RISC-V; guests are 64-bit");
	if (h->ident[EI_DATA] != ELF_DATA_LITTLE)
		return refuse(p, "a big-endian ELF; guests are little-endian");
	return 0;
}

static int check_header(const struct placement *p, const struct elf_header *h)
{
	uint64_t size = p->cfg->kernel.file.size, type, phoff, phnum;
	int err;

	if (size < sizeof(*h))
		return refuse(p, "an ELF that ends within its header");
	err = check_machine(p, h);
	if (err)
		return err;
	type = read_le(h->type, 2);
	if (type != ELF_TYPE_EXEC && type != ELF_TYPE_DYN)
		return refuse(p, "an ELF, but not an executable");
	phoff = read_le(h->phoff, 8);
	phnum = read_le(h->phnum, 2);
	if (read_le(h->phentsize, 2) != sizeof(struct elf_segment) && phnum != 0)
		return refuse(p, "an ELF with program headers of an unknown size");
	if (phnum > SEGMENTS_MAX)
		return placement_refuse(p, -EINVAL, p->cfg->kernel.label,
					"an ELF with %" PRIu64 " program headers; "
					"at most %d are taken", phnum, SEGMENTS_MAX);
	if (phoff > size || phnum * sizeof(struct elf_segment) > size - phoff)
		return refuse(p, "an ELF whose program headers lie beyond the end of the file");
	return 0;
}

/* --- segments ------------------------------------------------------------------- */

static int refuse_address(const struct placement *p, uint64_t start, uint64_t size)
{
	char where[48];

	snprintf(where, sizeof(where), "0x%" PRIx64 " to 0x%" PRIx64, p->ram, p->end);
	return placement_refuse(p, start >= p->ram ? -E2BIG : -EINVAL, p->cfg->kernel.label,
				"its segment at 0x%" PRIx64 " (%s) lies outside the VM's RAM, "
				"%s (%s)", start, size_needed(size).text, where,
				size_there(p->end - p->ram).text);
}

static int read_segment(const struct placement *p, const struct elf_segment *ph, struct part *s)
{
	const struct file *f = &p->cfg->kernel.file;
	uint64_t offset = read_le(ph->offset, 8), paddr = read_le(ph->paddr, 8);

	s->vaddr = read_le(ph->vaddr, 8);
	s->size = read_le(ph->memsz, 8);
	s->data_size = read_le(ph->filesz, 8);
	if (s->data_size > s->size)
		return refuse(p, "an ELF with a segment that is larger in the file than in memory");
	if (offset > f->size || s->data_size > f->size - offset)
		return refuse(p, "an ELF with a segment that lies beyond the end of the file");
	s->data = (const uint8_t *)f->data + offset;

	if (placement_in_ram(p, paddr, s->size))
		s->start = paddr;
	else if (placement_in_ram(p, s->vaddr, s->size))
		s->start = s->vaddr;
	else
		return refuse_address(p, paddr, s->size);
	return 0;
}

/**
 * Read the loadable segments.
 * @return how many, or -EINVAL, -E2BIG with a message
 */
static int read_segments(const struct placement *p, struct part s[SEGMENTS_MAX])
{
	const uint8_t *data = p->cfg->kernel.file.data;
	const struct elf_header *h = (const void *)data;
	const struct elf_segment *ph;
	int n = 0, err = check_header(p, h);

	if (err)
		return err;
	ph = (const void *)(data + read_le(h->phoff, 8));
	for (uint64_t i = 0; i < read_le(h->phnum, 2); i++) {
		if (read_le(ph[i].type, 4) != ELF_PT_LOAD || read_le(ph[i].memsz, 8) == 0)
			continue;
		err = read_segment(p, &ph[i], &s[n++]);
		if (err)
			return err;
	}
	return n ? n : refuse(p, "an ELF with nothing to load");
}

static bool overlap(const struct part *a, const struct part *b)
{
	return a->start < b->start + b->size && b->start < a->start + a->size;
}

static int check_overlaps(const struct placement *p, const struct part *s, int n)
{
	for (int i = 1; i < n; i++)
		for (int j = 0; j < i; j++)
			if (overlap(&s[i], &s[j]))
				return placement_refuse(p, -EINVAL, p->cfg->kernel.label,
							"an ELF whose segments at 0x%" PRIx64
							" and 0x%" PRIx64 " overlap",
							s[j].start, s[i].start);
	return 0;
}

/** e_entry is virtual and moves with the segment that holds it; or it is physical already. */
static int find_entry(const struct placement *p, const struct part *s, int n, uint64_t *entry)
{
	const struct elf_header *h = p->cfg->kernel.file.data;
	uint64_t virt = read_le(h->entry, 8);

	for (int i = 0; i < n; i++)
		if (virt - s[i].vaddr < s[i].size) {
			*entry = s[i].start + (virt - s[i].vaddr);
			return 0;
		}
	*entry = virt;
	for (int i = 0; i < n; i++)
		if (virt - s[i].start < s[i].size)
			return 0;
	if (p->cfg->has_entry)
		return 0;
	return placement_refuse(p, -EINVAL, p->cfg->kernel.label,
				"an ELF whose entry 0x%" PRIx64 " lies in none of its segments",
				virt);
}

static int elf_place(const struct placement *p, struct image_layout *out)
{
	struct part s[SEGMENTS_MAX];
	uint64_t start = UINT64_MAX, end = 0;
	int n, err;

	if (p->cfg->has_load)
		return refuse(p, "load is for flat images; an ELF says itself where it goes");
	n = read_segments(p, s);
	if (n < 0)
		return n;
	err = check_overlaps(p, s, n);
	if (err)
		return err;
	for (int i = 0; i < n; i++) {
		start = MIN(start, s[i].start);
		end = MAX(end, s[i].start + s[i].size);
	}
	out->kernel_start = start;
	out->kernel_size = end - start;
	return find_entry(p, s, n, &out->entry);
}

static int elf_load(const struct placement *p, const struct image_layout *layout,
		    const struct image_sink *sink)
{
	struct part s[SEGMENTS_MAX];
	int n = read_segments(p, s), err = 0;

	(void)layout;
	if (n < 0)
		return n;
	/* What a segment has beyond its data is zero, as RAM is from the start. */
	for (int i = 0; i < n && !err; i++)
		if (s[i].data_size)
			err = sink->write(sink->arg, s[i].start, s[i].data, s[i].data_size);
	return err;
}

const struct image_kind image_kind_elf = {
	.name = "ELF",
	.matches = elf_matches,
	.place = elf_place,
	.load = elf_load,
};
