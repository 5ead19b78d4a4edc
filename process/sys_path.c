/* System calls that name files: opening, looking, the current directory. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <caisson/mm.h>

#include "syscalls.h"

/* Where a relative path begins. That it is a directory is found out on the way. */
static int base_of(struct thread *t, int64_t dirfd, char *out)
{
	struct open_file *f;
	int error;

	if ((int32_t)dirfd == LINUX_AT_FDCWD) {
		process_get_cwd(t->process, out);
		return 0;
	}
	f = fd_get(t->process->files, (uint64_t)dirfd);
	if (!f)
		return -EBADF;
	error = f->path[0] == '/' ? 0 : -ENOTDIR;
	if (!error)
		strcpy(out, f->path);
	open_file_put(f);
	return error;
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

int64_t with_path(struct thread *t, uint64_t dirfd, uint64_t path, int64_t (*fn)(struct thread *, const char *, const uint64_t *),
		  const uint64_t *arg)
{
	char *name = kalloc(VFS_PATH_MAX);
	int64_t result = name ? path_from_user(t, (int64_t)dirfd, path, name) : -ENOMEM;

	if (result == 0)
		result = fn(t, name, arg);
	kfree(name);
	return result;
}

bool path_is_empty(struct thread *t, uint64_t path)
{
	char first;

	return copy_from_user(t->process->mm, &first, path, 1) == 0 && !first;
}

/* "...fd/pipe:[NUMBER]": where a link of /proc/self/fd leads that stands for a pipe. @return its number, 0: it is none */
static uint64_t pipe_number(const char *real)
{
	static const char name[] = "/fd/pipe:[";
	const char *at = strstr(real, name);

	return at ? strtoull(at + sizeof(name) - 1, NULL, 10) : 0;
}

/* A file of the program's own, once more: /dev/stdin and its like, where that is a pipe. @return NULL: none */
static struct open_file *reopen(struct thread *t, const char *path)
{
	char *real = kalloc(VFS_PATH_MAX);
	uint64_t number = real && vfs_real_path(path, real) == 0 ? pipe_number(real) : 0;
	struct open_file *found = NULL;

	kfree(real);
	for (unsigned fd = 0; number && !found && fd < FDS_MAX; fd++) {
		struct linux_stat st = { .ino = 0 };

		found = fd_get(t->process->files, fd);
		if (found && found->ops->stat && found->ops->stat(found, &st) == 0 && st.ino == number &&
		    (st.mode & LINUX_S_IFMT) == LINUX_S_IFIFO)
			break;
		open_file_put(found);
		found = NULL;
	}
	return found;
}

static int64_t do_open(struct thread *t, const char *path, const uint64_t *arg)
{
	struct open_file *f = NULL;
	int64_t result = vfs_open_file(path, (unsigned)arg[2], (unsigned)arg[3] & 07777 & ~t->process->umask, &f);

	if (result)
		f = result == -ENOENT ? reopen(t, path) : NULL;
	if (!f)
		return result;
	result = fd_add(t->process->files, f, 0, arg[2] & O_CLOEXEC);
	if (result < 0)
		open_file_put(f);
	return result;
}

int64_t sys_openat(struct thread *t, const uint64_t *arg)
{
	if (arg[2] & O_TMPFILE)
		return -ENOTSUP;
	if ((arg[2] & O_CREAT) && (arg[2] & O_DIRECTORY))
		return -EINVAL;
	return with_path(t, arg[0], arg[1], do_open, arg);
}

/* --- what is there --- */

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
	if (arg[3] & ~(uint64_t)(LINUX_AT_SYMLINK_NOFOLLOW | LINUX_AT_EMPTY_PATH | LINUX_AT_NO_AUTOMOUNT))
		return -EINVAL;
	if ((arg[3] & LINUX_AT_EMPTY_PATH) && (int32_t)arg[0] != LINUX_AT_FDCWD && path_is_empty(t, arg[1]))
		return sys_fstat(t, (uint64_t[]){ arg[0], arg[2] });
	return with_path(t, arg[0], arg[1], do_stat, arg);
}

static struct linux_statx_time statx_time(int64_t s, int64_t ns)
{
	return (struct linux_statx_time){ .s = s, .ns = (uint32_t)ns };
}

static int put_statx(struct thread *t, uint64_t to, const struct linux_stat *st)
{
	struct linux_statx out = {
		.mask = 0x7ff, .blksize = (uint32_t)st->blksize, .nlink = st->nlink, .uid = st->uid, .gid = st->gid,
		.mode = (uint16_t)st->mode, .ino = st->ino, .size = (uint64_t)st->size, .blocks = (uint64_t)st->blocks,
		.atime = statx_time(st->atime, st->atime_ns), .ctime = statx_time(st->ctime, st->ctime_ns),
		.mtime = statx_time(st->mtime, st->mtime_ns),
		.rdev_major = (uint32_t)(st->rdev >> 8), .rdev_minor = st->rdev & 0xff, .dev_minor = (uint32_t)st->dev,
	};

	return copy_to_user(t->process->mm, to, &out, sizeof(out));
}

static int64_t do_statx(struct thread *t, const char *path, const uint64_t *arg)
{
	struct linux_stat found;
	struct vfs_stat st;
	int error = arg[2] & LINUX_AT_SYMLINK_NOFOLLOW ? vfs_lstat(path, &st) : vfs_stat(path, &st);

	if (error)
		return error;
	stat_from_vfs(&st, path, &found);
	return put_statx(t, arg[4], &found);
}

int64_t sys_statx(struct thread *t, const uint64_t *arg)
{
	struct linux_stat st;
	struct open_file *f;
	int error;

	if (arg[2] & ~(uint64_t)(LINUX_AT_SYMLINK_NOFOLLOW | LINUX_AT_EMPTY_PATH | LINUX_AT_NO_AUTOMOUNT | LINUX_AT_STATX_SYNC))
		return -EINVAL;
	if (!(arg[2] & LINUX_AT_EMPTY_PATH) || (int32_t)arg[0] == LINUX_AT_FDCWD || !path_is_empty(t, arg[1]))
		return with_path(t, arg[0], arg[1], do_statx, arg);
	f = fd_get(t->process->files, arg[0]);
	if (!f)
		return -EBADF;
	error = f->ops->stat ? f->ops->stat(f, &st) : -EINVAL;
	open_file_put(f);
	return error ? error : put_statx(t, arg[4], &st);
}

/* Everybody is root: what exists may be used, but for programs that are none and what is read-only. */
static int64_t do_access(struct thread *t, const char *path, const uint64_t *arg)
{
	enum { EXECUTE = 1, WRITE = 2 };
	struct vfs_statfs room;
	struct vfs_stat st;
	int error = arg[3] & LINUX_AT_SYMLINK_NOFOLLOW ? vfs_lstat(path, &st) : vfs_stat(path, &st);

	(void)t;
	if (!error && (arg[2] & EXECUTE) && st.kind == VFS_FILE && !(st.mode & 0111))
		return -EACCES;
	if (!error && (arg[2] & WRITE) && (st.kind == VFS_FILE || st.kind == VFS_DIR) && vfs_statfs(path, &room) == 0 && room.read_only)
		return -EROFS;
	return error;
}

int64_t sys_faccessat2(struct thread *t, const uint64_t *arg)
{
	enum { MODES = 7 };

	if ((arg[2] & ~(uint64_t)MODES) || (arg[3] & ~(uint64_t)(LINUX_AT_SYMLINK_NOFOLLOW | LINUX_AT_EACCESS | LINUX_AT_EMPTY_PATH)))
		return -EINVAL;
	return with_path(t, arg[0], arg[1], do_access, arg);
}

int64_t sys_faccessat(struct thread *t, const uint64_t *arg)
{
	return sys_faccessat2(t, (uint64_t[]){ arg[0], arg[1], arg[2], 0 });
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

/* cwd: kalloc, resolved. It is the process's then, or given back. */
static int64_t enter(struct thread *t, char *cwd)
{
	struct vfs_stat st;
	int error = vfs_stat(*cwd ? cwd : "/", &st);

	if (!error && st.kind != VFS_DIR)
		error = -ENOTDIR;
	if (error)
		kfree(cwd);
	else
		process_set_cwd(t->process, cwd);
	return error;
}

/* As much as it needs of a path that was put into room for any. */
static char *shortened(char *path)
{
	char *copy = kalloc(strlen(path) + 1);

	if (copy)
		strcpy(copy, path);
	kfree(path);
	return copy;
}

static int64_t do_chdir(struct thread *t, const char *path, const uint64_t *arg)
{
	char *resolved = kalloc(VFS_PATH_MAX);
	int error = resolved ? vfs_real_path(path, resolved) : -ENOMEM;

	(void)arg;
	if (error) {
		kfree(resolved);
		return error;
	}
	resolved = shortened(resolved);
	return resolved ? enter(t, resolved) : -ENOMEM;
}

int64_t sys_chdir(struct thread *t, const uint64_t *arg)
{
	return with_path(t, (uint64_t)LINUX_AT_FDCWD, arg[0], do_chdir, arg);
}

int64_t sys_fchdir(struct thread *t, const uint64_t *arg)
{
	struct open_file *f = fd_get(t->process->files, arg[0]);
	int64_t result = -EBADF;

	if (f)
		result = f->path[0] == '/' ? do_chdir(t, f->path, arg) : -ENOTDIR;
	open_file_put(f);
	return result;
}

int64_t sys_getcwd(struct thread *t, const uint64_t *arg)
{
	char *cwd = kalloc(VFS_PATH_MAX);
	struct vfs_stat st;
	int64_t result;

	if (!cwd)
		return -ENOMEM;
	process_get_cwd(t->process, cwd);
	if (!*cwd)
		strcpy(cwd, "/");
	result = (int64_t)strlen(cwd) + 1;
	if (vfs_stat(cwd, &st))
		result = -ENOENT; /* it was removed */
	else if ((uint64_t)result > arg[1])
		result = -ERANGE;
	else if (copy_to_user(t->process->mm, arg[0], cwd, (size_t)result))
		result = -EFAULT;
	kfree(cwd);
	return result;
}
