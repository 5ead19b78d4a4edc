/*
 * Executables: static ELF files for 64-bit RISC-V, fixed (ET_EXEC) and position-independent (ET_DYN without an
 * interpreter). Pure: what a file's first bytes say, checked. (ELF-64 Object File Format; RISC-V ELF psABI.)
 */
#pragma once

#include <caisson/types.h>

#define ELF_SEGMENTS_MAX 16
#define ELF_HEAD 4096 /* bytes of a file that hold its headers */

struct elf_segment {
	uint64_t start, size;          /* pages of memory; without the load bias */
	uint64_t data, data_size;      /* the bytes that come from the file: where in memory, how many */
	uint64_t offset;               /* where they are in the file */
	unsigned perm;                 /* PERM_* */
};

struct elf {
	bool pie;
	uint64_t entry;                /* without the load bias */
	uint64_t headers;              /* where the program headers stand in memory; 0: nowhere */
	unsigned n_headers;
	unsigned n_segments;
	struct elf_segment segments[ELF_SEGMENTS_MAX]; /* upwards, no page in two of them */
	bool stack_executable;
};

/**
 * Read an executable's headers.
 * @param head, n    the first bytes of the file, ELF_HEAD or all of it
 * @param file_size  bytes in the file
 * @param limit      one past the highest address that it may name
 * @param[out] why   on failure what is wrong with it, a constant
 * @return 0, or -ENOEXEC
 */
int elf_parse(const void *head, size_t n, uint64_t file_size, uint64_t limit, struct elf *out, const char **why) __must_check;
