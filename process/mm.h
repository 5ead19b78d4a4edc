/*
 * A process's memory: its address space, what programs do with it, and copies across its border.
 *
 *     0x10000            flat programs and fixed executables (at the addresses that they name)
 *     USER_PIE           static-pie executables; the heap (brk) follows the executable
 *     USER_MAPS          mmap without an address, upwards
 *     below USER_TOP     the stack: USER_STACK_SIZE, lazily, and nothing right below it
 *
 * One lock serialises everything; it may sleep, since a page may have to come from a disk. All functions: task context.
 */
#pragma once

#include <caisson/aspace.h>
#include <caisson/list.h>
#include <caisson/mutex.h>
#include <caisson/types.h>

#define USER_LOWEST UINT64_C(0x10000)      /* null pointers, with small offsets, point at nothing */
#define USER_TRAMPOLINE UINT64_C(0xffffff000) /* the code through which signal handlers return */
#define USER_PIE UINT64_C(0x1000000000)
#define USER_MAPS UINT64_C(0x2000000000)
#define USER_TOP UINT64_C(0x4000000000)    /* one past the highest user address (Sv39) */
#define USER_STACK_SIZE (8 * MiB)
#define USER_STACK_GUARD (1 * MiB)         /* right below the stack: nothing is mapped here unasked */

struct user_mm {
	struct mutex lock;       /* of the space and the rest; then: the file system's */
	uint32_t refs;           /* atomic: processes */
	struct aspace space;
	uint64_t harts;          /* atomic: those that translate through it */
	uint64_t brk_start, brk; /* the heap, as the program sees it: bytes */
	uint64_t args, env, env_end; /* where the strings of argv and envp stand */
	struct list node;        /* among all (mm.c) */
	uint64_t limit, heap_limit; /* bytes: of all mappings, of the heap (setrlimit) */
};

/** An empty one, with the kernel's half. @return NULL: out of memory */
struct user_mm *mm_new(void) __must_check;
/** One more that is alike, its pages shared until one of the two writes. @return NULL: out of memory */
struct user_mm *mm_fork(struct user_mm *from) __must_check;
void mm_get(struct user_mm *mm);
/** Give it up; the last one gives back all its memory. No thread of the caller's runs in it. */
void mm_put(struct user_mm *mm);

/** This hart begins, ends to translate through it. Interrupts off. */
void mm_load(struct user_mm *mm);
void mm_unload(struct user_mm *mm);

/** Flags of mm_map. */
enum { MM_FIXED = 1 /* at this address; what was there goes */, MM_NO_REPLACE = 2 /* with MM_FIXED: -EEXIST instead */,
       MM_SHARED = 4, MM_NO_WRITE = 8 /* it never becomes writable */ };

/**
 * Map pages.
 * @param[in,out] at  where; without MM_FIXED a wish, and 0 none
 * @param size        bytes, rounded up to pages
 * @param perm        PERM_R, PERM_W, PERM_X
 * @param source      NULL: zeros
 * @return 0; -EINVAL, -EEXIST, -EACCES; -EPERM: below USER_LOWEST; -ENOMEM (no room among the addresses, either)
 */
int mm_map(struct user_mm *mm, uint64_t *at, uint64_t size, unsigned perm, unsigned flags, struct page_source *source,
	   uint64_t offset) __must_check;
/** As munmap(2) and mprotect(2). @return 0, -EINVAL, -EACCES, -ENOMEM */
int mm_unmap(struct user_mm *mm, uint64_t at, uint64_t size) __must_check;
int mm_protect(struct user_mm *mm, uint64_t at, uint64_t size, unsigned perm) __must_check;

/** Flags of mm_remap, as mremap(2) has them. */
enum { MM_MAY_MOVE = 1, MM_MOVE_TO = 2 };
/**
 * As mremap(2).
 * @param[in,out] at  where it is, where it is then
 * @param to          MM_MOVE_TO: where it is to be; what is there goes
 * @return 0; -EINVAL; -EFAULT: not all of it is one mapping; -ENOMEM: no room, or it may not move
 */
int mm_remap(struct user_mm *mm, uint64_t *at, uint64_t size, uint64_t new_size, unsigned flags, uint64_t to) __must_check;
/** Drop the pages (MADV_DONTNEED): zeros, or the file's, from now on. @return 0; -EINVAL; -ENOMEM: a hole, the rest is done */
int mm_clear(struct user_mm *mm, uint64_t at, uint64_t size) __must_check;
/** Have the pages there before they are touched. @return 0; -EFAULT: not allowed or not there; -ENOMEM: a hole, or no memory */
int mm_populate(struct user_mm *mm, uint64_t at, uint64_t size, unsigned access) __must_check;
/** Is all of the range mapped? @return 0; -EINVAL: unaligned; -ENOMEM */
int mm_check(struct user_mm *mm, uint64_t at, uint64_t size) __must_check;
/** Write what was changed in shared files back (msync). @return 0; -EINVAL; -ENOMEM: a hole, the rest is done; -EIO and the like */
int mm_sync(struct user_mm *mm, uint64_t at, uint64_t size) __must_check;
/** Is the page at this address mapped already? For mincore(2). */
bool mm_is_resident(struct user_mm *mm, uint64_t at);
/** Copy the first area that ends above an address. @return false: there is none */
bool mm_area(struct user_mm *mm, uint64_t above, struct area *out) __must_check;

/** What mm_map and mm_brk keep to from now on: bytes of all mappings, and of the heap. */
void mm_set_limits(struct user_mm *mm, uint64_t total, uint64_t heap);
/** Move the heap's end. @return where it is now: as before if that cannot be */
uint64_t mm_brk(struct user_mm *mm, uint64_t to);

/* For the files of process/ that have the lock. */
/** Where there is room for what nobody gave an address; `wish` (0: none) if that can be. @return 0 or -ENOMEM */
int mm_find(struct user_mm *mm, uint64_t wish, uint64_t size, uint64_t *at) __must_check;
/** Would it have more than it may, with so many bytes more? */
bool mm_is_too_much(struct user_mm *mm, uint64_t more);
/** Can this be mapped where a program says? @return 0; -EINVAL: unaligned; -EPERM: too low; -ENOMEM: too high */
int mm_check_fixed(uint64_t at, uint64_t size) __must_check;

/** Before the first process: take pages out of all memories when a file becomes shorter. */
void mm_init(void);

/** A program's access has faulted. access: PERM_*. */
enum fault_result mm_fault(struct user_mm *mm, uint64_t addr, unsigned access);

/** Copy across the border: what the program may not read (or write) itself is not copied. @return 0, -EFAULT (some may be copied) */
int copy_from_user(struct user_mm *mm, void *to, uint64_t from, size_t n) __must_check;
int copy_to_user(struct user_mm *mm, uint64_t to, const void *from, size_t n) __must_check;
/** A string with its NUL. @return its length; -EFAULT; -ENAMETOOLONG: it does not end within max bytes */
int64_t copy_string_from_user(struct user_mm *mm, char *to, uint64_t from, size_t max) __must_check;

/** Pages that processes share, zeros at first, from now on until nobody maps them (process/shared.c). @return NULL: out of memory */
struct page_source *shared_memory_new(uint64_t size) __must_check;
