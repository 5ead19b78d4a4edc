/* System calls on a process's memory. */
#include <errno.h>

#include "syscalls.h"

static unsigned perm_of(uint64_t prot)
{
	return (prot & LINUX_PROT_READ ? PERM_R : 0u) | (prot & LINUX_PROT_WRITE ? PERM_R | PERM_W : 0u) |
	       (prot & LINUX_PROT_EXEC ? PERM_X | PERM_R : 0u);
}

int64_t sys_brk(struct thread *t, const uint64_t *arg)
{
	return (int64_t)mm_brk(t->process->mm, arg[0]);
}

#define PIECE (256 * PAGE_SIZE) /* between two looks whether it is to end */

/* As mm_populate, which may take long. @return also -EINTR */
static int populate(struct thread *t, uint64_t at, uint64_t size, unsigned access)
{
	int error = mm_check(t->process->mm, at, size);

	for (uint64_t done = 0; !error && done < size; done += PIECE) {
		error = mm_populate(t->process->mm, at + done, MIN(PIECE, size - done), access);
		if (!error && thread_is_ending(t))
			error = -EINTR;
	}
	return error;
}

/* --- mmap --- */

/* What the flags of sharing are; others than Linux knows only where somebody asks for them to be looked at. */
static int check_flags(uint64_t flags)
{
	enum { KNOWN = 0x13fd33 }; /* all but MAP_HUGETLB (there are no such pages) and MAP_SYNC */

	if (flags & LINUX_MAP_HUGETLB)
		return -EINVAL;
	switch (flags & LINUX_MAP_KIND) {
	case LINUX_MAP_SHARED:
	case LINUX_MAP_PRIVATE:
		return 0;
	case LINUX_MAP_SHARED_VALIDATE:
		return flags & ~(uint64_t)KNOWN & ~(uint64_t)LINUX_MAP_KIND ? -EOPNOTSUPP : 0;
	default:
		return -EINVAL;
	}
}

static bool is_shared(uint64_t flags)
{
	return (flags & LINUX_MAP_KIND) != LINUX_MAP_PRIVATE;
}

/* Does the open file allow this? What it never allows goes to *how. */
static int check_access(const struct open_file *f, const uint64_t *arg, unsigned *how)
{
	unsigned access = f->flags & O_ACCMODE;

	if (access == O_WRONLY)
		return -EACCES;
	if (access == O_RDWR || !is_shared(arg[3]))
		return 0;
	*how |= MM_NO_WRITE;
	return arg[2] & LINUX_PROT_WRITE ? -EACCES : 0;
}

static int file_source(struct thread *t, const uint64_t *arg, unsigned *how, struct page_source **out)
{
	struct open_file *f = fd_get(t->process->files, arg[4]);
	int error;

	if (!f)
		return -EBADF;
	error = f->ops->source ? check_access(f, arg, how) : -ENODEV;
	if (!error)
		error = f->ops->source(f, out);
	open_file_put(f);
	return error;
}

/* Where the pages come from. @return 0 with one reference, or NULL in *out for zeros of its own */
static int source_of(struct thread *t, const uint64_t *arg, unsigned *how, struct page_source **out)
{
	int error = 0;

	*out = NULL;
	if (!(arg[3] & LINUX_MAP_ANONYMOUS))
		error = file_source(t, arg, how, out);
	if (error || *out || !is_shared(arg[3]))
		return error;
	*out = shared_memory_new(arg[1]);
	return *out ? 0 : -ENOMEM;
}

static int check_mmap(const uint64_t *arg)
{
	int error = check_flags(arg[3]);

	if (error)
		return error;
	if (arg[1] == 0 || (arg[5] & (PAGE_SIZE - 1)))
		return -EINVAL;
	if (arg[1] > USER_TOP)
		return -ENOMEM;
	return arg[5] + arg[1] < arg[5] ? -EOVERFLOW : 0;
}

int64_t sys_mmap(struct thread *t, const uint64_t *arg)
{
	uint64_t at = arg[0], flags = arg[3];
	unsigned how = (flags & LINUX_MAP_FIXED ? MM_FIXED : 0u) | (is_shared(flags) ? MM_SHARED : 0u) |
		       (flags & LINUX_MAP_FIXED_NOREPLACE ? MM_FIXED | MM_NO_REPLACE : 0u);
	struct page_source *source;
	int error = check_mmap(arg);

	if (!error)
		error = source_of(t, arg, &how, &source);
	if (error)
		return error;
	error = mm_map(t->process->mm, &at, arg[1], perm_of(arg[2]), how, source, flags & LINUX_MAP_ANONYMOUS ? 0 : arg[5]);
	page_source_put(source);
	if (!error && (flags & (LINUX_MAP_POPULATE | LINUX_MAP_LOCKED))) /* as much as can be: the rest comes when it is touched */
		(void)!populate(t, at, arg[1], 0);
	return error ? error : (int64_t)at;
}

int64_t sys_munmap(struct thread *t, const uint64_t *arg)
{
	return mm_unmap(t->process->mm, arg[0], arg[1]);
}

int64_t sys_mprotect(struct thread *t, const uint64_t *arg)
{
	enum { PROT_SEM = 8 };

	if (arg[2] & ~(uint64_t)(LINUX_PROT_READ | LINUX_PROT_WRITE | LINUX_PROT_EXEC | PROT_SEM))
		return -EINVAL; /* what grows by itself has no such mapping here */
	return mm_protect(t->process->mm, arg[0], arg[1], perm_of(arg[2]));
}

int64_t sys_mremap(struct thread *t, const uint64_t *arg)
{
	uint64_t at = arg[0];
	int error;

	if (arg[3] & ~(uint64_t)(MM_MAY_MOVE | MM_MOVE_TO))
		return -EINVAL;
	error = mm_remap(t->process->mm, &at, arg[1], arg[2], (unsigned)arg[3], arg[4]);
	return error ? error : (int64_t)at;
}

/* --- what is mapped --- */

int64_t sys_msync(struct thread *t, const uint64_t *arg)
{
	const uint64_t known = LINUX_MS_ASYNC | LINUX_MS_INVALIDATE | LINUX_MS_SYNC;

	if ((arg[2] & ~known) || (arg[2] & LINUX_MS_ASYNC && arg[2] & LINUX_MS_SYNC))
		return -EINVAL;
	if (!(arg[2] & LINUX_MS_SYNC)) /* it is written back some time, and read back at once in any case */
		return mm_check(t->process->mm, arg[0], arg[1]);
	return mm_sync(t->process->mm, arg[0], arg[1]);
}

int64_t sys_mincore(struct thread *t, const uint64_t *arg)
{
	struct user_mm *mm = t->process->mm;
	int error = mm_check(mm, arg[0], arg[1]);
	unsigned char there[64];

	for (uint64_t done = 0, n; !error && done < arg[1]; done += n * PAGE_SIZE) {
		n = MIN((arg[1] - done + PAGE_SIZE - 1) / PAGE_SIZE, sizeof(there));
		for (uint64_t i = 0; i < n; i++)
			there[i] = mm_is_resident(mm, arg[0] + done + i * PAGE_SIZE);
		error = thread_is_ending(t) ? -EINTR : copy_to_user(mm, arg[2] + done / PAGE_SIZE, there, n);
	}
	return error;
}

/* Nothing is ever moved out of memory: to lock is to have it there. The whole pages that are touched count. */
static int64_t lock(struct thread *t, uint64_t at, uint64_t size, bool now)
{
	uint64_t head = at & (PAGE_SIZE - 1);
	int error;

	if (size > USER_TOP)
		return -ENOMEM;
	if (!now)
		return mm_check(t->process->mm, at - head, size + head);
	error = populate(t, at - head, size + head, 0);
	return error == -EFAULT ? -ENOMEM : error;
}

int64_t sys_mlock(struct thread *t, const uint64_t *arg)
{
	return lock(t, arg[0], arg[1], true);
}

int64_t sys_mlock2(struct thread *t, const uint64_t *arg)
{
	enum { MLOCK_ONFAULT = 1 };

	return arg[2] & ~(uint64_t)MLOCK_ONFAULT ? -EINVAL : lock(t, arg[0], arg[1], !(arg[2] & MLOCK_ONFAULT));
}

int64_t sys_munlock(struct thread *t, const uint64_t *arg)
{
	return lock(t, arg[0], arg[1], false);
}

int64_t sys_mlockall(struct thread *t, const uint64_t *arg)
{
	enum { MCL_CURRENT = 1, MCL_FUTURE = 2, MCL_ONFAULT = 4 };

	(void)t;
	return !(arg[0] & (MCL_CURRENT | MCL_FUTURE)) || arg[0] & ~(uint64_t)(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) ? -EINVAL : 0;
}

int64_t sys_munlockall(struct thread *t, const uint64_t *arg)
{
	(void)t;
	(void)arg;
	return 0;
}

/* --- madvise --- */

enum { MADV_NORMAL = 0, MADV_RANDOM = 1, MADV_SEQUENTIAL = 2, MADV_WILLNEED = 3, MADV_DONTNEED = 4, MADV_FREE = 8,
       MADV_HUGEPAGE = 14, MADV_NOHUGEPAGE = 15, MADV_DONTDUMP = 16, MADV_DODUMP = 17, MADV_COLD = 20, MADV_PAGEOUT = 21,
       MADV_POPULATE_READ = 22, MADV_POPULATE_WRITE = 23 };

/* Only what is nobody else's and no file's can be freed. */
static int check_free(struct user_mm *mm, uint64_t at, uint64_t size)
{
	struct area a;

	for (uint64_t from = at; from < at + size && mm_area(mm, from, &a) && a.start < at + size; from = a.start + a.size)
		if (a.source)
			return -EINVAL;
	return 0;
}

/* What is refused is what would have to be done: other advice may be left unfollowed. */
int64_t sys_madvise(struct thread *t, const uint64_t *arg)
{
	struct user_mm *mm = t->process->mm;
	int error;

	if (!IS_ALIGNED(arg[0], PAGE_SIZE) || arg[1] > USER_TOP)
		return -EINVAL;
	switch (arg[2]) {
	case MADV_FREE:
		error = check_free(mm, arg[0], arg[1]);
		return error ? error : mm_clear(mm, arg[0], arg[1]);
	case MADV_DONTNEED:
		return mm_clear(mm, arg[0], arg[1]);
	case MADV_POPULATE_READ:
	case MADV_POPULATE_WRITE:
		return populate(t, arg[0], arg[1], arg[2] == MADV_POPULATE_WRITE ? PERM_W : PERM_R);
	case MADV_NORMAL: case MADV_RANDOM: case MADV_SEQUENTIAL: case MADV_WILLNEED: case MADV_HUGEPAGE: case MADV_NOHUGEPAGE:
	case MADV_DONTDUMP: case MADV_DODUMP: case MADV_COLD: case MADV_PAGEOUT:
		return mm_check(mm, arg[0], arg[1]);
	default:
		return -EINVAL;
	}
}
