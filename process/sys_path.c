/* System calls that name files. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <caisson/mm.h>
#include <caisson/rtc.h>

#include "syscalls.h"

/* Where a relative path begins. */
static int base_of(struct thread *t, int64_t dirfd, char *out)
{
	struct open_file *f;

	if ((int32_t)dirfd == LINUX_AT_FDCWD) {
		strcpy(out, t->process->cwd);
		return 0;
	}
	f = fd_get(t->process->files, (uint64_t)dirfd);
	if (!f)
		return -EBADF;
	strcpy(out, f->path);
	open_file_put(f);
	return 0;
}

int path_from_user(struct thread *t, int64_t dirfd, uint64_t path, char *out)
{
	char *typed = kalloc(VFS_PATH_MAX);
	size_t base = 0;
	int64_t n = typed ? copy_string_from_user(t->process->mm, typed, path, VFS_PATH_MAX) : -ENOMEM;
	int error = n < 0 ? (int)n : n == 0 ? -ENOENT : 0;

	if (!error && typed[0] != '/') {
		error = base_of(t, dirfd, out);
		base = error ? 0 : strlen(out);
		if (!error)
			out[base++] = '/';
	}
	if (!error && base + (size_t)n + 1 > VFS_PATH_MAX)
		error = -ENAMETOOLONG;
	if (!error)
		memcpy(out + base, typed, (size_t)n + 1);
	kfree(typed);
	return error;
}

/* Do something with a path of the program's. */
static int64_t with_path(struct thread *t, uint64_t dirfd, uint64_t path, int64_t (*fn)(struct thread *, const char *, const uint64_t *),
			 const uint64_t *arg)
{
	char *name = kalloc(VFS_PATH_MAX);
	int64_t result = name ? path_from_user(t, (int64_t)dirfd, path, name) : -ENOMEM;

	if (result == 0)
		result = fn(t, name, arg);
	kfree(name);
	return result;
}

static int set_mode(const char *path, uint64_t mode)
{
	return vfs_set(path, &(struct vfs_stat){ .mode = mode & 07777 }, VFS_SET_MODE);
}

static int64_t do_open(struct thread *t, const char *path, const uint64_t *arg)
{
	struct open_file *f;
	struct vfs_stat st;
	bool is_new = (arg[2] & O_CREAT) && vfs_lstat(path, &st) == -ENOENT;
	int64_t result = vfs_open_file(path, (unsigned)arg[2], &f);

	if (result)
		return result;
	if (is_new)
		(void)!set_mode(path, arg[3] & ~(uint64_t)t->process->umask);
	result = fd_add(t->process->files, f, 0, arg[2] & O_CLOEXEC);
	if (result < 0)
		open_file_put(f);
	return result;
}

int64_t sys_openat(struct thread *t, const uint64_t *arg)
{
	return with_path(t, arg[0], arg[1], do_open, arg);
}

static int64_t do_stat(struct thread *t, const char *path, const uint64_t *arg)
{
	struct linux_stat out;
	struct vfs_stat st;
	int error = arg[3] & LINUX_AT_SYMLINK_NOFOLLOW ? vfs_lstat(path, &st) : vfs_stat(path, &st);

	if (error)
		return error;
	stat_from_vfs(&st, path, &out);
	return copy_to_user(t->process->mm, arg[2], &out, sizeof(out));
}

int64_t sys_newfstatat(struct thread *t, const uint64_t *arg)
{
	char first;

	if ((arg[3] & LINUX_AT_EMPTY_PATH) && copy_from_user(t->process->mm, &first, arg[1], 1) == 0 && !first)
		return sys_fstat(t, (uint64_t[]){ arg[0], arg[2] });
	return with_path(t, arg[0], arg[1], do_stat, arg);
}

/* Everybody is root: what exists may be used. */
static int64_t do_access(struct thread *t, const char *path, const uint64_t *arg)
{
	struct vfs_stat st;
	int error = vfs_stat(path, &st);

	(void)t;
	if (!error && (arg[2] & 1) && st.kind == VFS_FILE && !(st.mode & 0111))
		return -EACCES;
	return error;
}

int64_t sys_faccessat(struct thread *t, const uint64_t *arg)
{
	return with_path(t, arg[0], arg[1], do_access, arg);
}

static int64_t do_readlink(struct thread *t, const char *path, const uint64_t *arg)
{
	char *target = kalloc(VFS_PATH_MAX);
	int64_t n = target ? vfs_readlink(path, target, MIN(arg[3], (uint64_t)VFS_PATH_MAX)) : -ENOMEM;
	if (n > 0 && copy_to_user(t->process->mm, arg[2], target, (size_t)n))
		n = -EFAULT;
	kfree(target);
	return n;
}

int64_t sys_readlinkat(struct thread *t, const uint64_t *arg)
{
	if ((int64_t)arg[3] <= 0)
		return -EINVAL;
	return with_path(t, arg[0], arg[1], do_readlink, arg);
}

static int64_t do_mkdir(struct thread *t, const char *path, const uint64_t *arg)
{
	int error = vfs_mkdir(path);

	if (!error)
		(void)!set_mode(path, arg[2] & ~(uint64_t)t->process->umask); /* a file system may have no modes */
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
	return with_path(t, arg[0], arg[1], do_unlink, arg);
}

static int64_t do_rename(struct thread *t, const char *from, const uint64_t *arg)
{
	char *to = kalloc(VFS_PATH_MAX);
	int64_t result = to ? path_from_user(t, (int64_t)arg[2], arg[3], to) : -ENOMEM;

	if (result == 0)
		result = vfs_rename(from, to);
	kfree(to);
	return result;
}

int64_t sys_renameat2(struct thread *t, const uint64_t *arg)
{
	return arg[4] ? -EINVAL : with_path(t, arg[0], arg[1], do_rename, arg);
}

/* --- links and attributes --- */

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

static int64_t do_link(struct thread *t, const char *from, const uint64_t *arg)
{
	char *to = kalloc(VFS_PATH_MAX);
	int64_t result = to ? path_from_user(t, (int64_t)arg[2], arg[3], to) : -ENOMEM;

	if (result == 0)
		result = vfs_link(from, to);
	kfree(to);
	return result;
}

int64_t sys_linkat(struct thread *t, const uint64_t *arg)
{
	return with_path(t, arg[0], arg[1], do_link, arg);
}

static int64_t do_mknod(struct thread *t, const char *path, const uint64_t *arg)
{
	struct open_file *f;
	uint64_t kind = arg[2] & LINUX_S_IFMT;
	int error;

	if (kind == LINUX_S_IFCHR || kind == LINUX_S_IFBLK)
		return vfs_mknod(path, kind == LINUX_S_IFBLK ? VFS_BLOCK : VFS_DEVICE, (unsigned)arg[2] & 07777 & ~t->process->umask, arg[3]);
	if (kind && kind != LINUX_S_IFREG)
		return -EPERM;
	error = vfs_open_file(path, O_WRONLY | O_CREAT | O_EXCL, &f);
	if (!error)
		open_file_put(f);
	return error;
}

int64_t sys_mknodat(struct thread *t, const uint64_t *arg)
{
	return with_path(t, arg[0], arg[1], do_mknod, arg);
}

static int64_t do_chmod(struct thread *t, const char *path, const uint64_t *arg)
{
	(void)t;
	return set_mode(path, arg[2]);
}

int64_t sys_fchmodat(struct thread *t, const uint64_t *arg)
{
	return with_path(t, arg[0], arg[1], do_chmod, arg);
}

/* Everybody is root, and all is root's. */
static int64_t do_chown(struct thread *t, const char *path, const uint64_t *arg)
{
	struct vfs_stat st;

	(void)t;
	(void)arg;
	return vfs_lstat(path, &st);
}

int64_t sys_fchownat(struct thread *t, const uint64_t *arg)
{
	return with_path(t, arg[0], arg[1], do_chown, arg);
}

static int64_t do_utimens(struct thread *t, const char *path, const uint64_t *arg)
{
	enum { UTIME_NOW = 0x3fffffff, UTIME_OMIT = 0x3ffffffe };
	struct linux_timespec times[2] = { { 0, UTIME_NOW }, { 0, UTIME_NOW } };

	if (arg[2] && copy_from_user(t->process->mm, times, arg[2], sizeof(times)))
		return -EFAULT;
	if (times[1].ns == UTIME_OMIT)
		return do_chown(t, path, arg);
	if (times[1].ns == UTIME_NOW)
		times[1].s = (int64_t)(rtc_wall_ns() / 1000000000);
	return vfs_set(path, &(struct vfs_stat){ .mtime = (uint64_t)times[1].s }, VFS_SET_MTIME);
}

int64_t sys_utimensat(struct thread *t, const uint64_t *arg)
{
	struct open_file *f;
	int64_t result;

	if (arg[1])
		return with_path(t, arg[0], arg[1], do_utimens, arg);
	f = fd_get(t->process->files, arg[0]);
	result = f ? do_utimens(t, f->path, arg) : -EBADF;
	open_file_put(f);
	return result;
}

static int64_t do_truncate(struct thread *t, const char *path, const uint64_t *arg)
{
	struct vfs_file *f;
	int64_t error;

	(void)t;
	if ((int64_t)arg[1] < 0)
		return -EINVAL;
	error = vfs_open(path, VFS_WRITE, &f);
	if (error)
		return error;
	error = vfs_truncate(f, arg[1]);
	return vfs_close(f) && !error ? -EIO : error;
}

int64_t sys_truncate(struct thread *t, const uint64_t *arg)
{
	return with_path(t, (uint64_t)LINUX_AT_FDCWD, arg[0], do_truncate, arg);
}

/* --- the current directory --- */

static int64_t do_chdir(struct thread *t, const char *path, const uint64_t *arg)
{
	char *resolved = kalloc(VFS_PATH_MAX);
	struct vfs_stat st;
	int error = resolved ? vfs_real_path(path, resolved) : -ENOMEM;

	(void)arg;
	if (!error)
		error = vfs_stat(path, &st);
	if (!error && st.kind != VFS_DIR)
		error = -ENOTDIR;
	if (error) {
		kfree(resolved);
		return error;
	}
	process_set_cwd(t->process, resolved);
	return 0;
}

int64_t sys_chdir(struct thread *t, const uint64_t *arg)
{
	return with_path(t, (uint64_t)LINUX_AT_FDCWD, arg[0], do_chdir, arg);
}

int64_t sys_getcwd(struct thread *t, const uint64_t *arg)
{
	const char *cwd = *t->process->cwd ? t->process->cwd : "/";
	size_t n = strlen(cwd) + 1;

	if (n > arg[1])
		return -ERANGE;
	return copy_to_user(t->process->mm, arg[0], cwd, n) ? -EFAULT : (int64_t)n;
}
