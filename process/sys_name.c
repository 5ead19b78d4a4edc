/* System calls that make names, remove and move them. */
#include <errno.h>
#include <string.h>

#include <caisson/mm.h>

#include "syscalls.h"

enum { RENAME_NOREPLACE = 1 };

/* What was just made gets its mode; a file system may have none. */
static void set_mode(struct thread *t, const char *path, uint64_t mode)
{
	(void)!vfs_set(path, &(struct vfs_stat){ .mode = mode & 07777 & ~t->process->umask }, VFS_SET_MODE);
}

static int64_t do_mkdir(struct thread *t, const char *path, const uint64_t *arg)
{
	int error = vfs_mkdir(path);

	if (!error)
		set_mode(t, path, arg[2] & 01777);
	return error;
}

int64_t sys_mkdirat(struct thread *t, const uint64_t *arg)
{
	return with_path(t, arg[0], arg[1], do_mkdir, arg);
}

static int64_t do_unlink(struct thread *t, const char *path, const uint64_t *arg)
{
	(void)t;
	return arg[2] & LINUX_AT_REMOVEDIR ? vfs_rmdir(path) : vfs_unlink(path);
}

int64_t sys_unlinkat(struct thread *t, const uint64_t *arg)
{
	return arg[2] & ~(uint64_t)LINUX_AT_REMOVEDIR ? -EINVAL : with_path(t, arg[0], arg[1], do_unlink, arg);
}

/* Two paths of a call: the second one stands in arg[2], arg[3]. */
static int64_t with_second(struct thread *t, const char *from, const uint64_t *arg, int (*fn)(const char *, const char *, uint64_t))
{
	char *to = kalloc(VFS_PATH_MAX);
	int64_t result = to ? path_from_user(t, (int64_t)arg[2], arg[3], to) : -ENOMEM;

	if (result == 0)
		result = fn(from, to, arg[4]);
	kfree(to);
	return result;
}

static int rename_one(const char *from, const char *to, uint64_t flags)
{
	return flags & RENAME_NOREPLACE ? vfs_rename_to_new(from, to) : vfs_rename(from, to);
}

static int64_t do_rename(struct thread *t, const char *from, const uint64_t *arg)
{
	return with_second(t, from, arg, rename_one);
}

int64_t sys_renameat2(struct thread *t, const uint64_t *arg)
{
	return arg[4] & ~(uint64_t)RENAME_NOREPLACE ? -EINVAL : with_path(t, arg[0], arg[1], do_rename, arg);
}

int64_t sys_symlinkat(struct thread *t, const uint64_t *arg)
{
	char *names = kalloc(2 * VFS_PATH_MAX);
	int64_t result = names ? copy_string_from_user(t->process->mm, names, arg[0], VFS_PATH_MAX) : -ENOMEM;

	if (result >= 0)
		result = path_from_user(t, (int64_t)arg[1], arg[2], names + VFS_PATH_MAX);
	if (result == 0)
		result = vfs_symlink(names, names + VFS_PATH_MAX);
	kfree(names);
	return result;
}

/* AT_SYMLINK_FOLLOW: what the link leads to gets the name. */
static int link_one(const char *from, const char *to, uint64_t flags)
{
	char *real;
	int error;

	if (!(flags & LINUX_AT_SYMLINK_FOLLOW))
		return vfs_link(from, to);
	real = kalloc(VFS_PATH_MAX);
	error = real ? vfs_real_path(from, real) : -ENOMEM;
	if (!error)
		error = vfs_link(*real ? real : "/", to);
	kfree(real);
	return error;
}

static int64_t do_link(struct thread *t, const char *from, const uint64_t *arg)
{
	return with_second(t, from, arg, link_one);
}

int64_t sys_linkat(struct thread *t, const uint64_t *arg)
{
	return arg[4] & ~(uint64_t)LINUX_AT_SYMLINK_FOLLOW ? -EINVAL : with_path(t, arg[0], arg[1], do_link, arg);
}

static int64_t do_mknod(struct thread *t, const char *path, const uint64_t *arg)
{
	unsigned mode = (unsigned)arg[2] & 07777 & ~t->process->umask;
	uint64_t kind = arg[2] & LINUX_S_IFMT;
	struct open_file *f;
	int error;

	if (kind == LINUX_S_IFCHR || kind == LINUX_S_IFBLK)
		return vfs_mknod(path, kind == LINUX_S_IFBLK ? VFS_BLOCK : VFS_DEVICE, mode, arg[3]);
	if (kind == LINUX_S_IFIFO)
		return vfs_mknod(path, VFS_FIFO, mode, 0);
	if (kind && kind != LINUX_S_IFREG)
		return kind == LINUX_S_IFDIR ? -EPERM : -EINVAL;
	error = vfs_open_file(path, O_WRONLY | O_CREAT | O_EXCL, mode, &f);
	if (!error)
		open_file_put(f);
	return error;
}

int64_t sys_mknodat(struct thread *t, const uint64_t *arg)
{
	return with_path(t, arg[0], arg[1], do_mknod, arg);
}
