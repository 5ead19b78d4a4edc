/*
 * Page-table formats of the RISC-V privileged architecture: Sv39, Sv48, Sv57
 * for one-stage translation and Sv39x4, Sv48x4, Sv57x4 for guest-physical
 * addresses (Privileged Architecture, "Supervisor-Level ISA" and "Hypervisor
 * Extension"). Plain table arithmetic (core/mm/pt.c) without CSRs or fences:
 * whoever changes a valid entry flushes (aspace.flush does). The caller
 * serialises changes. Entry bits come from arch/pte.h, frames from caisson/mm.h.
 */
#pragma once

#include <caisson/types.h>

/** What an access wants. Also the permissions of areas and leaves. */
enum { PERM_R = 1, PERM_W = 2, PERM_X = 4, PERM_U = 8 /* user pages; implied in guest formats */ };

#define PT_LEVELS_MAX 5

struct pt_format {
	const char *name;      /* "sv39", "sv48x4", ... */
	unsigned levels;       /* 3, 4 or 5 */
	unsigned root_extra;   /* 2 for the x4 formats: the root has 2^2 times 512 entries */
	unsigned mode;         /* value of satp.MODE or hgatp.MODE */
	bool guest;            /* leaves carry U, as the second stage requires */
	unsigned input_bits;   /* width of an input address; one-stage formats sign-extend it */
};

extern const struct pt_format pt_sv39, pt_sv48, pt_sv57, pt_sv39x4, pt_sv48x4, pt_sv57x4;

/** Format by name, or NULL. */
const struct pt_format *pt_format_by_name(const char *name);

/** log2 of the bytes that a leaf at `level` maps (level 0: 12, 1: 21, 2: 30, ...). */
static inline unsigned pt_level_shift(unsigned level)
{
	return 12 + 9 * level;
}

/** Order (frame_alloc) of the root table. */
static inline unsigned pt_root_order(const struct pt_format *f)
{
	return f->root_extra;
}

/** Is the range page-aligned, not empty, and all of it addresses of the format? */
bool pt_range_valid(const struct pt_format *f, uint64_t addr, uint64_t size) __must_check;

/**
 * Map [addr, addr + size) to [hpa, ...) with the largest leaves that fit, none
 * larger than max_level. perm: PERM_*. A and D are set from the start (we keep
 * no statistics, and hardware without Svadu would fault).
 * @param[in,out] tables  number of table frames, counted up
 * @return 0; -EINVAL unaligned, outside the format or the physical address width, or
 *         no permission at all; -EEXIST or -ENOMEM (what was mapped so far stays, also
 *         empty tables: the caller unmaps what it owns of the range).
 */
int pt_map(const struct pt_format *f, hpa_t root, uint64_t addr, uint64_t size, hpa_t hpa,
	   unsigned perm, unsigned max_level, uint64_t *tables) __must_check;

/**
 * Remove all leaves in the range, calling `leaf` (if not NULL) for each, and give
 * back tables that are empty then. Holes are fine.
 * @return 0; -EINVAL for a bad range (nothing done) or a leaf that straddles an end
 *         of it (what comes before it is removed; areas never share leaves).
 */
int pt_unmap(const struct pt_format *f, hpa_t root, uint64_t addr, uint64_t size,
	     void (*leaf)(void *arg, uint64_t addr, hpa_t hpa, unsigned order), void *arg,
	     uint64_t *tables);

/**
 * As pt_unmap, where others may walk through the tables meanwhile: a table that is empty then is out of its place, but
 * not given back. `table` (not NULL) gets it, a frame, and gives it back when no hart can have kept the way to it.
 */
int pt_detach(const struct pt_format *f, hpa_t root, uint64_t addr, uint64_t size,
	      void (*leaf)(void *arg, uint64_t addr, hpa_t hpa, unsigned order), void (*table)(void *arg, hpa_t table),
	      void *arg, uint64_t *tables);

/** A leaf found by pt_walk. */
struct pt_leaf {
	hpa_t hpa;       /* physical address of the looked-up byte */
	unsigned level;  /* of the leaf */
	unsigned perm;   /* PERM_* */
};

/**
 * Look addr up. Takes no lock: safe beside pt_map, not beside pt_unmap.
 * @return 0 with *leaf, or -ENOENT with leaf->level = level of the empty entry.
 */
int pt_walk(const struct pt_format *f, hpa_t root, uint64_t addr,
	    struct pt_leaf *leaf) __must_check;

/**
 * The first leaf that maps something of [*addr, end): *addr becomes the first address that it maps there. None of it is
 * in an upper half. As pt_walk otherwise. @return 0, or -ENOENT: there is none.
 */
int pt_next_leaf(const struct pt_format *f, hpa_t root, uint64_t *addr, uint64_t end, struct pt_leaf *leaf) __must_check;

/**
 * Let another root's empty tables have the leaves of the next table of [*addr, end) that has any, all of 4 KiB.
 * @param[in,out] addr  page-aligned; afterwards where to go on, or beyond end: there are no more
 * @param read_only     both have them without PERM_W from then on
 * @param share         called for each frame before the second leaf is there
 * @param[out] shared   leaves, also on errors
 * @param[in,out] tables  of the other root
 * @return 0; -EINVAL: there is a larger leaf; -ENOMEM, -EEXIST as pt_map
 */
int pt_share(const struct pt_format *f, hpa_t from, hpa_t to, uint64_t *addr, uint64_t end, bool read_only,
	     void (*share)(hpa_t frame), unsigned *shared, uint64_t *tables) __must_check;

/** Change the permissions of all leaves in the range. @return 0, -ENOENT for a hole, -EINVAL. */
int pt_protect(const struct pt_format *f, hpa_t root, uint64_t addr, uint64_t size,
	       unsigned perm) __must_check;

/** Let the 4 KiB leaf at addr show another frame. @return 0; -ENOENT: there is none; -EINVAL. */
int pt_replace(const struct pt_format *f, hpa_t root, uint64_t addr, hpa_t hpa, unsigned perm) __must_check;

/**
 * Let every root entry of the range have a table of its own that stays, empty or not. What shares these entries
 * (the root tables of processes have copies of the kernel's) then sees whatever is mapped there later.
 * @return 0, -EINVAL, -EEXIST for a leaf in a root entry, -ENOMEM (what was done stays).
 */
int pt_keep_tables(const struct pt_format *f, hpa_t root, uint64_t addr, uint64_t size,
		   uint64_t *tables) __must_check;

/** How many leaves the table of 4 KiB leaves round addr has. As pt_walk. @return 0; -ENOENT: there is no such table. */
int pt_small_leaves(const struct pt_format *f, hpa_t root, uint64_t addr, unsigned *n) __must_check;

/**
 * Put one leaf of 2 MiB in the place of the table of 4 KiB leaves at addr, both aligned to that. Others may walk through
 * the table meanwhile: it is not given back (pt_free_small).
 * @return 0 with *table; -ENOENT: there is no such table; -EINVAL.
 */
int pt_fold(const struct pt_format *f, hpa_t root, uint64_t addr, hpa_t hpa, unsigned perm, hpa_t *table,
	    uint64_t *tables) __must_check;
/** Give back the frames that a table taken out by pt_fold shows, and the table. */
void pt_free_small(hpa_t table);

/** Free every table below and including the root; leaves are not touched. */
void pt_free_tables(const struct pt_format *f, hpa_t root, uint64_t *tables);
