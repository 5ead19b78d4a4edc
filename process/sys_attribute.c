/* System calls about what is said of a file: modes, owners, times. Everybody is root, so they are notes only. */
#include <errno.h>
#include <string.h>

#include <caisson/mm.h>
#include <caisson/rtc.h>

#include "syscalls.h"

/** What is to be said. */
struct change {
	struct vfs_stat st;
	unsigned what;         /* VFS_SET_* */
	bool no_follow;
};

/* A file system that has no such notes: nothing happens, as if root had them changed and the medium lost them. */
static int64_t forgive(int error)
{
	return error == -ENOTSUP ? 0 : error;
}

static int64_t change_path(struct thread *t, const char *path, const uint64_t *arg)
{
	const struct change *c = (const struct change *)arg[0];
	struct vfs_stat st;

	(void)t;
	if (c->no_follow && (c->what & VFS_SET_MODE) && vfs_lstat(path, &st) == 0 && st.kind == VFS_LINK)
		return -ENOTSUP; /* links have no modes */
	return forgive(c->no_follow ? vfs_lset(path, &c->st, c->what) : vfs_set(path, &c->st, c->what));
}

static int64_t change_open(struct thread *t, uint64_t fd, const struct change *c)
{
	struct open_file *f = fd_get(t->process->files, fd);
	int64_t result;

	if (!f)
		return -EBADF;
	if (f->flags & O_PATH)
		result = -EBADF;
	else if (f->ops->set)
		result = forgive(f->ops->set(f, &c->st, c->what));
	else
		result = f->path[0] == '/' ? forgive(vfs_set(f->path, &c->st, c->what)) : 0;
	open_file_put(f);
	return result;
}

/* path 0, or empty with AT_EMPTY_PATH: the descriptor itself. */
static int64_t change_at(struct thread *t, uint64_t dirfd, uint64_t path, uint64_t flags, struct change *c)
{
	if (flags & ~(uint64_t)(LINUX_AT_SYMLINK_NOFOLLOW | LINUX_AT_EMPTY_PATH))
		return -EINVAL;
	c->no_follow = flags & LINUX_AT_SYMLINK_NOFOLLOW;
	if ((flags & LINUX_AT_EMPTY_PATH) && (int32_t)dirfd != LINUX_AT_FDCWD && path_is_empty(t, path))
		return change_open(t, dirfd, c);
	return with_path(t, dirfd, path, change_path, (const uint64_t[]){ (uintptr_t)c });
}

/* --- modes --- */

int64_t sys_fchmodat2(struct thread *t, const uint64_t *arg)
{
	struct change c = { .st.mode = arg[2] & 07777, .what = VFS_SET_MODE };

	return change_at(t, arg[0], arg[1], arg[3], &c);
}

int64_t sys_fchmodat(struct thread *t, const uint64_t *arg)
{
	return sys_fchmodat2(t, (uint64_t[]){ arg[0], arg[1], arg[2], 0 });
}

int64_t sys_fchmod(struct thread *t, const uint64_t *arg)
{
	return change_open(t, arg[0], &(struct change){ .st.mode = arg[1] & 07777, .what = VFS_SET_MODE });
}

/* --- owners --- */

/* -1: it stays. */
static struct change owners(uint64_t uid, uint64_t gid)
{
	return (struct change){
		.st = { .uid = (unsigned)uid, .gid = (unsigned)gid },
		.what = ((uint32_t)uid != UINT32_MAX ? VFS_SET_UID : 0u) | ((uint32_t)gid != UINT32_MAX ? VFS_SET_GID : 0u),
	};
}

int64_t sys_fchownat(struct thread *t, const uint64_t *arg)
{
	struct change c = owners(arg[2], arg[3]);

	return change_at(t, arg[0], arg[1], arg[4], &c);
}

int64_t sys_fchown(struct thread *t, const uint64_t *arg)
{
	struct change c = owners(arg[1], arg[2]);

	return change_open(t, arg[0], &c);
}

/* --- times --- */

enum { UTIME_NOW = 0x3fffffff, UTIME_OMIT = 0x3ffffffe };

/* @return 0, -EINVAL */
static int take_time(const struct linux_timespec *from, uint64_t *s, uint32_t *ns)
{
	const uint64_t second = 1000000000;
	uint64_t now = rtc_wall_ns();

	if (from->ns == UTIME_NOW) {
		*s = now / second;
		*ns = (uint32_t)(now % second);
		return 0;
	}
	*s = (uint64_t)from->s;
	*ns = (uint32_t)from->ns;
	return from->ns >= 0 && (from->ns < (int64_t)second || from->ns == UTIME_OMIT) ? 0 : -EINVAL;
}

int64_t sys_utimensat(struct thread *t, const uint64_t *arg)
{
	struct linux_timespec times[2] = { { 0, UTIME_NOW }, { 0, UTIME_NOW } };
	struct change c = { .what = 0 };

	if (arg[2] && copy_from_user(t->process->mm, times, arg[2], sizeof(times)))
		return -EFAULT;
	if (take_time(&times[0], &c.st.atime, &c.st.atime_ns) || take_time(&times[1], &c.st.mtime, &c.st.mtime_ns))
		return -EINVAL;
	c.what = (times[0].ns != UTIME_OMIT ? VFS_SET_ATIME : 0u) | (times[1].ns != UTIME_OMIT ? VFS_SET_MTIME : 0u);
	if (!c.what)
		return 0;
	return arg[1] ? change_at(t, arg[0], arg[1], arg[3], &c) : change_open(t, arg[0], &c);
}

/* --- more words about files: no file system here has any --- */

int64_t sys_xattr(struct thread *t, const uint64_t *arg)
{
	(void)t;
	(void)arg;
	return -ENOTSUP;
}
