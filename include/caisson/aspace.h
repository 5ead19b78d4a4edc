/*
 * Address spaces: one mechanism for the kernel, processes and guests.
 *
 * An address space is a root table, a table *format* (caisson/pt.h) and a sorted
 * set of *areas* that do not overlap. An area has a range, permissions and a
 * backend that answers for it:
 *
 *   linear   existing contiguous frames, mapped at once with the largest leaves
 *   alloc    frames of its own, zeroed, on first touch (lazy) or at once (eager)
 *   device   never mapped: an access is handed to its read and write functions
 *   user     a process's: 4 KiB pages on first touch, zero or from a source (a
 *            file); shared, or private and copied when one is written
 *
 * Input addresses are plain 64-bit numbers here: kernel virtual in the kernel's
 * space, guest physical in a VM's.
 *
 * Locking: aspace.lock (taken with interrupts off, for one block at a time)
 * guards the tables and the set of areas. Areas are added and removed only while
 * nobody translates through them (boot; a VM that does not run), so look-up takes
 * no lock. In the kernel's space, which is never looked up by fault, areas may be
 * added at any time. Of a space with user areas everything, look-up and faults included, is serialised
 * by its owner, with a lock that may sleep. Lock order: aspace.lock, then the heap's, then the frames'.
 */
#pragma once

#include <caisson/pt.h>
#include <caisson/spinlock.h>
#include <caisson/types.h>

struct aspace;
struct area;

/** Outcome of the one fault path. */
enum fault_result {
	FAULT_RESOLVED, /* mapped now (or already): repeat the access */
	FAULT_NO_AREA,  /* no area there */
	FAULT_PERM,     /* an area, but it does not allow this access */
	FAULT_DEVICE,   /* a device area: hand the access to area->device */
	FAULT_NOMEM,    /* a frame or a table was needed and there is none */
	FAULT_NO_PAGE,  /* the area's source has no such page, or cannot read it (a process gets SIGBUS) */
};

/**
 * Functions of a device area. `off` is the offset from the area's start,
 * `size` 1, 2, 4 or 8 bytes, aligned or not as the guest asked: the device decides. Bits of a written value above
 * size are not defined; a value read has them clear.
 * @return 0, or negative errno for an access that the device does not answer
 *         (the guest then gets an access fault). Called with interrupts off.
 */
struct device_ops {
	const char *name;
	/* @return 0; -EAGAIN (write only): the access is to be done once more; else it faults */
	int (*read)(void *dev, uint64_t off, unsigned size, uint64_t *value);
	int (*write)(void *dev, uint64_t off, unsigned size, uint64_t value);
};

enum area_kind { AREA_LINEAR, AREA_ALLOC, AREA_DEVICE, AREA_USER };

/** Where the pages of a user area come from. Whoever makes one has the first reference. */
struct page_source {
	const struct page_source_ops *ops;
	uint32_t refs;        /* atomic */
};

struct page_source_ops {
	/**
	 * The frame with the page at this offset (of the source; page-aligned): one owner more (frame_get), the caller's.
	 * Task context, may sleep. @return 0; -ENOMEM: the machine's is out; else there is no such page: -ENXIO, beyond its end; -EIO; -ENOSPC
	 */
	int (*page)(struct page_source *s, uint64_t offset, hpa_t *out);
	/**
	 * The page, which page() gave, is about to be written through a shared area, for the first time there. NULL: it need
	 * not be known. @return 0; -EIO, -ENOMEM: it is not written then
	 */
	int (*dirty)(struct page_source *s, uint64_t offset);
	/** Write changed pages in the range back to where they come from. NULL: nothing is to be done. Task context. @return 0 or -errno */
	int (*sync)(struct page_source *s, uint64_t offset, uint64_t size);
	/**
	 * The last reference is to be given up (page_source_drop): a source that can be found by somebody does it under the lock
	 * under which it is found, and goes on living if that was not the last one after all. Task context; may sleep.
	 */
	void (*release)(struct page_source *s);
	/** For people: what it is. @return as snprintf. NULL: it has no name. */
	int (*name)(const struct page_source *s, char *to, size_t size);
};

/** Flags for aspace_map_alloc. */
enum {
	ALLOC_EAGER = 1, /* all frames now */
	ALLOC_LARGE = 2, /* 2 MiB blocks (eager: also 1 GiB) where range and memory allow */
	USER_SHARED = 4, /* user areas: what is written is seen by all that map the source; else it is copied first */
	USER_NO_WRITE = 8, /* user areas: they never get PERM_W */
};

struct area {
	uint64_t start, size; /* page-aligned, bytes */
	unsigned perm;        /* PERM_* */
	enum area_kind kind;
	unsigned flags;       /* ALLOC_* */
	hpa_t hpa;            /* linear: physical address of start */
	uint64_t frames;      /* alloc: frames handed out so far, in 4 KiB units */
	const struct device_ops *device;
	void *device_arg;
	struct page_source *source; /* user: NULL for zeros */
	uint64_t source_offset;     /* of start, in the source */
};

#define ASPACE_LEAF_LEVELS 3 /* leaves of 4 KiB, 2 MiB and 1 GiB are used */

struct aspace_fold;

struct aspace {
	const struct pt_format *format;
	hpa_t root;           /* root table; 16 KiB, 16 KiB-aligned for guest formats */
	uint64_t lo, hi;      /* addresses from lo up to and including hi may be used */
	struct area *areas;   /* sorted by start */
	unsigned n_areas, cap_areas;
	uint64_t tables;      /* table frames in use, in 4 KiB units */
	uint64_t leaves[ASPACE_LEAF_LEVELS]; /* of alloc areas: of 4 KiB, 2 MiB, 1 GiB */
	uint64_t split;       /* blocks of 2 MiB in ALLOC_LARGE areas that have leaves of 4 KiB */
	uint64_t folds;       /* how many of these became one leaf (aspace_fold_commit) */
	struct aspace_fold *fold; /* under way, or NULL */
	uint64_t resident;    /* pages of user areas that are mapped */
	uint64_t flushes;     /* how often the owner's flush was asked for */
	/**
	 * Called after valid entries were removed and before their addresses can be used
	 * again (TLB shoot-down). No lock held, interrupts as the caller of aspace_unmap
	 * has them. New entries where there were none need no flush. NULL: nobody translates through the space, and of
	 * one with user areas nobody else looks at it.
	 */
	void (*flush)(struct aspace *as, uint64_t start, uint64_t size);
	spinlock_t lock;
};

/** Make an empty space for input addresses lo..hi. @return 0 or -ENOMEM. */
int aspace_init(struct aspace *as, const struct pt_format *format, uint64_t lo,
		uint64_t hi) __must_check;
/** Remove all areas and give back every frame and table that the space owns. */
void aspace_destroy(struct aspace *as);

/**
 * Add an area. start and size are multiples of PAGE_SIZE.
 * @return 0; -EINVAL unaligned, empty, outside lo..hi or without a permission;
 *         -EEXIST overlaps an area; -ENOMEM. On errors nothing is changed.
 */
int aspace_map_linear(struct aspace *as, uint64_t start, uint64_t size, hpa_t hpa,
		      unsigned perm) __must_check;
int aspace_map_alloc(struct aspace *as, uint64_t start, uint64_t size, unsigned perm,
		     unsigned flags) __must_check;
int aspace_map_device(struct aspace *as, uint64_t start, uint64_t size,
		      const struct device_ops *ops, void *arg) __must_check;
/** As map_linear for memory-mapped I/O of the host: never executable, device attributes. */
int aspace_map_io(struct aspace *as, uint64_t start, uint64_t size, hpa_t hpa) __must_check;
/**
 * Remove the area that starts at start and free the frames it owns. Nobody may
 * access the range any more: frames are free before the flush. @return 0 or -ENOENT.
 */
int aspace_unmap(struct aspace *as, uint64_t start) __must_check;
/** Find `size` free bytes, aligned to `align`, from `from` up. @return 0 or -ENOSPC. */
int aspace_find_free(struct aspace *as, uint64_t from, uint64_t size, uint64_t align,
		     uint64_t *out) __must_check;

/*
 * User areas (CONFIG_USER_AREAS; core/mm/aspace_user.c). Task context, serialised by the owner of the space. They alone
 * can be taken away, split and changed in parts. perm is a mask of PERM_R, PERM_W and PERM_X, or 0: no access.
 */

#define USER_AREAS_MAX 32768 /* of a space: what is done to the set with interrupts off stays short */

/** Make user areas possible. Once. @return 0 or -ENOMEM. */
int aspace_user_init(void) __must_check;
/**
 * Add a user area where nothing is; it becomes one with a neighbour that is alike.
 * @param flags   USER_SHARED, USER_NO_WRITE; shared areas have a source
 * @param source  NULL, or who has the pages; referred to once more
 * @return 0; -EINVAL, -EEXIST, -ENOMEM as aspace_map_linear; -ENOMEM also: there are USER_AREAS_MAX; -EACCES: PERM_W with
 *         USER_NO_WRITE
 */
int aspace_map_user(struct aspace *as, uint64_t start, uint64_t size, unsigned perm, unsigned flags,
		    struct page_source *source, uint64_t offset) __must_check;
/** Leave nothing of user areas in the range. @return 0; -EINVAL: a bad range, or other areas are in it; -ENOMEM */
int aspace_unmap_user(struct aspace *as, uint64_t start, uint64_t size) __must_check;
/** Change what may be done in the range. @return 0; -EINVAL; -ENOENT: not all of it is user areas; -EACCES; -ENOMEM */
int aspace_protect_user(struct aspace *as, uint64_t start, uint64_t size, unsigned perm) __must_check;
/**
 * Take the pages in the range away: the next access is a first one. Pages of a source stay there.
 * @return 0; -EINVAL: nothing is done; -ENOENT: not all of it is user areas, what is has been done
 */
int aspace_clear_user(struct aspace *as, uint64_t start, uint64_t size) __must_check;
/** Take away the pages that areas show of a source from its offset `from` on, private copies too. */
void aspace_cut_source(struct aspace *as, const struct page_source *source, uint64_t from);
/**
 * Move user areas with their pages to a range where nothing is.
 * @return 0; -EINVAL; -EEXIST; -ENOENT: not all of it is user areas; -ENOMEM. On errors nothing is changed.
 */
int aspace_move_user(struct aspace *as, uint64_t from, uint64_t size, uint64_t to) __must_check;
/**
 * Give an empty space the same user areas. Pages are shared; those of private areas until one of the two writes.
 * @return 0; -ENOMEM: `to` has part of it, and is to be destroyed
 */
int aspace_fork(struct aspace *to, struct aspace *from) __must_check;
/** The area that holds addr, or else the first one above, or NULL. */
const struct area *aspace_find_from(const struct aspace *as, uint64_t addr);
/** One reference more or less; s may be NULL. */
void page_source_get(struct page_source *s);
void page_source_put(struct page_source *s);
/** For page_source_ops.release: give the reference up. @return it was the last one. */
bool page_source_drop(struct page_source *s) __must_check;
/** Who takes pages out of all the spaces when a source has lost them. One; boot. */
void page_source_on_cut(void (*fn)(struct page_source *s, uint64_t from));
/** Its pages from `from` on (page-aligned) are no more: the file has become shorter. Task context, no lock held that page() takes. */
void page_source_cut(struct page_source *s, uint64_t from);

/** The area that holds addr, or NULL. */
const struct area *aspace_find(const struct aspace *as, uint64_t addr);

/**
 * The one fault path. access: one of PERM_R, PERM_W, PERM_X; the permission is
 * checked first, also for devices (an instruction fetch there is FAULT_PERM). Any context.
 * Two harts may touch the same page at once: both get FAULT_RESOLVED. A hart that faulted
 * on an entry another one has just made valid may still hold the old one in its TLB (unless
 * it has Svvptc), so fence the address locally before repeating.
 */
enum fault_result aspace_fault(struct aspace *as, uint64_t addr, unsigned access);

/**
 * Physical address behind addr for an access, resolving lazy areas.
 * @param[out] hpa  the address; @param[out] len bytes that are contiguous from there (may be NULL)
 * @return as aspace_fault.
 */
enum fault_result aspace_resolve(struct aspace *as, uint64_t addr, unsigned access, hpa_t *hpa,
				 uint64_t *len);

/*
 * Folding (core/mm/aspace_fold.c): a block of 2 MiB that was given frame by frame when no block was free becomes one leaf:
 *
 *     aspace_fold_begin    a new block; from here on nobody may write to the old frames: whoever has to (a device), or keeps
 *                          a pointer to one, calls aspace_fold_stop first
 *     aspace_fold_copy     the bytes
 *     aspace_fold_commit   the leaf
 *     aspace_fold_end      flush; what is no longer used goes back. From here on the block may be written again.
 *
 * Task context, one fold of a space at a time, no areas added or removed meanwhile.
 */

struct aspace_fold {
	uint64_t at;          /* the block's first address */
	hpa_t block, table;   /* new; old */
	unsigned pages;       /* that were there */
	bool stopped, done;   /* by aspace_fold_stop; by aspace_fold_commit. At most one of them */
};

/**
 * The next block that can be folded, from *at on and then from the lowest one on: in an ALLOC_LARGE area, with so many of its
 * 512 pages at least. Can take long. @return false: there is none.
 */
bool aspace_fold_next(struct aspace *as, uint64_t *at, unsigned min_pages) __must_check;
/** @param at  from aspace_fold_next @return 0; -ENOMEM: no block is free; -ENOENT: there is nothing to be folded any more */
int aspace_fold_begin(struct aspace *as, uint64_t at, struct aspace_fold *fold) __must_check;
/** @return 0, or -EAGAIN: it was stopped. */
int aspace_fold_copy(struct aspace *as, struct aspace_fold *fold) __must_check;
/** @return 0, or -EAGAIN: it was stopped, or a page has come that was not there. */
int aspace_fold_commit(struct aspace *as, struct aspace_fold *fold) __must_check;
/** After aspace_fold_begin in any case. */
void aspace_fold_end(struct aspace *as, struct aspace_fold *fold);
/**
 * Stop the fold under way, if there is one: the frames stay. One that is committed stands: then the addresses of the block
 * are to be looked up anew. Any context.
 */
void aspace_fold_stop(struct aspace *as);

/** A copy of the area number `i` in the order of addresses. Any context. @return false: there are no more. */
bool aspace_area(struct aspace *as, unsigned i, struct area *out);
/**
 * The first run of mapped addresses in [from, to): what is mapped or unmapped meanwhile may or may not be in it.
 * Task context; can take long. @return false: nothing there is mapped.
 */
bool aspace_next_mapped(struct aspace *as, uint64_t from, uint64_t to, uint64_t *start, uint64_t *size);
