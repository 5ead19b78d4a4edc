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

/* Where the pages of a mapped file come from. @return 0 with one reference, or NULL in *out for zeros */
static int source_of(struct thread *t, const uint64_t *arg, struct page_source **out)
{
	struct open_file *f;
	int error = -ENODEV;

	*out = NULL;
	if (arg[3] & LINUX_MAP_ANONYMOUS)
		return 0;
	f = fd_get(t->process->files, arg[4]);
	if (!f)
		return -EBADF;
	if ((f->flags & O_ACCMODE) == O_WRONLY)
		error = -EACCES;
	else if (f->ops->source)
		error = f->ops->source(f, out);
	open_file_put(f);
	return error;
}

int64_t sys_mmap(struct thread *t, const uint64_t *arg)
{
	uint64_t at = arg[0], flags = arg[3], kind = flags & 0xf;
	unsigned how = (flags & LINUX_MAP_FIXED ? MM_FIXED : 0u) |
		       (flags & LINUX_MAP_FIXED_NOREPLACE ? MM_FIXED | MM_NO_REPLACE : 0u);
	struct page_source *source;
	int error;

	if ((kind != LINUX_MAP_PRIVATE && kind != LINUX_MAP_SHARED) || (arg[5] & (PAGE_SIZE - 1)))
		return -EINVAL;
	error = source_of(t, arg, &source);
	if (error)
		return error;
	error = mm_map(t->process->mm, &at, arg[1], perm_of(arg[2]), how | (source && kind == LINUX_MAP_SHARED ? MM_SHARED : 0u),
		       source, arg[5]);
	page_source_put(source);
	return error ? error : (int64_t)at;
}

int64_t sys_munmap(struct thread *t, const uint64_t *arg)
{
	return mm_unmap(t->process->mm, arg[0], arg[1]);
}

int64_t sys_mprotect(struct thread *t, const uint64_t *arg)
{
	return mm_protect(t->process->mm, arg[0], arg[1], perm_of(arg[2]));
}

/* Advice: what is dropped by MADV_DONTNEED has to read as zeros again, so that one cannot be left out. */
int64_t sys_madvise(struct thread *t, const uint64_t *arg)
{
	enum { MADV_DONTNEED = 4 };

	(void)t;
	return arg[2] == MADV_DONTNEED ? -EINVAL : 0;
}
