/* What is done to a path: opening, stat, making, removing and renaming. */
#include <errno.h>
#include <string.h>

#include <caisson/mm.h>
#include <caisson/vfs.h>

#include "vfs_internal.h"

static bool flags_valid(unsigned flags)
{
	if (flags & VFS_DIRECTORY)
		return !(flags & ~(unsigned)(VFS_DIRECTORY | VFS_READ | VFS_NO_FOLLOW));
	if (flags >= 2 * VFS_NO_FOLLOW || !(flags & (VFS_READ | VFS_WRITE)))
		return false;
	return (flags & VFS_WRITE) || !(flags & (VFS_TRUNCATE | VFS_APPEND));
}

/* What a file system that cannot be written is asked to open. */
static int check_read_only(const struct vfs_place *place, unsigned *flags)
{
	struct vfs_stat st;
	int err;

	if (!place->mount->read_only || !(*flags & (VFS_WRITE | VFS_CREATE)))
		return 0;
	if (*flags & VFS_WRITE)
		return -EROFS;
	/* To create what is there already is no change. */
	err = place->mount->type->stat(place->mount, place->rest, &st);
	if (err)
		return err == -ENOENT ? -EROFS : err;
	if (*flags & VFS_EXCLUSIVE)
		return -EEXIST;
	*flags &= ~(unsigned)VFS_CREATE;
	return 0;
}

/* A slash after a name that does not exist: no file is made there. */
static int check_slash(const struct vfs_place *place, unsigned flags)
{
	struct vfs_stat st;
	int err;

	if (!place->slash || !(flags & VFS_CREATE))
		return 0;
	err = place->mount->type->stat(place->mount, place->rest, &st);
	return !err || err == -ENOENT ? -EISDIR : err;
}

static int open_at(const struct vfs_place *place, unsigned flags, struct vfs_file *f)
{
	struct page_source *cut = NULL;
	int err;

	vfs_mount_lock(place->mount);
	err = check_slash(place, flags);
	if (!err)
		err = check_read_only(place, &flags);
	if (!err)
		err = place->mount->type->open(place->mount, place->rest, flags, f);
	if (!err && (flags & VFS_TRUNCATE) && vfs_has_mapped(place->mount)) /* how long it was is not known any more */
		vfs_pages_resized(f, UINT64_MAX, 0, &cut);
	vfs_mount_unlock(place->mount);
	vfs_pages_cut(cut, 0);
	return err;
}

static int open_place(const struct vfs_place *place, unsigned flags, struct vfs_file **out)
{
	struct vfs_file *f = kzalloc(sizeof(*f));
	int err;

	if (!f)
		return -ENOMEM;
	f->mount = place->mount;
	f->refs = 1;
	f->flags = flags & ~(unsigned)VFS_NO_FOLLOW;
	if (flags & VFS_WRITE) /* before it is looked whether that is allowed */
		vfs_mount_writers(f->mount, 1);
	err = open_at(place, f->flags, f);
	if (!err) {
		*out = f;
		return 0;
	}
	if (flags & VFS_WRITE)
		vfs_mount_writers(f->mount, -1);
	kfree(f);
	return err;
}

int vfs_open(const char *path, unsigned flags, struct vfs_file **out)
{
	struct vfs_place *place;
	bool keep = flags & VFS_NO_FOLLOW || (flags & VFS_CREATE && flags & VFS_EXCLUSIVE);
	int err;

	if (!flags_valid(flags))
		return -EINVAL;
	err = vfs_enter(path, keep ? FOLLOW_SLASH : FOLLOW_ALWAYS, &place);
	if (err)
		return err;
	err = open_place(place, flags, out);
	if (!err)
		vfs_mount_get(place->mount);
	vfs_leave(place);
	return err;
}

static int stat_at(const char *path, enum vfs_follow follow, struct vfs_stat *st)
{
	struct vfs_place *place;
	int err = vfs_enter(path, follow, &place);

	if (err)
		return err;
	vfs_mount_lock(place->mount);
	err = place->mount->type->stat(place->mount, place->rest, st);
	vfs_mount_unlock(place->mount);
	st->mount = place->mount->number;
	vfs_leave(place);
	return err;
}

int vfs_stat(const char *path, struct vfs_stat *st)
{
	return stat_at(path, FOLLOW_ALWAYS, st);
}

int vfs_lstat(const char *path, struct vfs_stat *st)
{
	return stat_at(path, FOLLOW_SLASH, st);
}

typedef int (*path_fn)(struct vfs_mount *m, const char *path);

/* Where a slash follows a name, only a directory may have it. The mount is locked. */
static int check_directory(const struct vfs_place *place)
{
	struct vfs_stat st;
	int err = place->slash ? place->mount->type->stat(place->mount, place->rest, &st) : 0;

	return err ? err : place->slash && st.kind != VFS_DIR ? -ENOTDIR : 0;
}

/* A change of a path in a mount that can be written. is_new: nothing is to be there */
static int change(const struct vfs_place *place, path_fn fn, bool is_new)
{
	struct vfs_mount *m = place->mount;
	struct vfs_stat st;
	int err = 0;

	vfs_mount_lock(m);
	if (!is_new)
		err = check_directory(place);
	else if (m->read_only && m->type->stat(m, place->rest, &st) == 0)
		err = -EEXIST;
	if (!err)
		err = m->read_only || !fn ? -EROFS : fn(m, place->rest);
	vfs_mount_unlock(m);
	return err;
}

int vfs_mkdir(const char *path)
{
	struct vfs_place *place;
	int err = vfs_enter(path, FOLLOW_NEVER, &place);

	if (err)
		return err;
	err = place->dots || !*place->rest ? -EEXIST : change(place, place->mount->type->mkdir, true);
	vfs_leave(place);
	return err;
}

int vfs_unlink(const char *path)
{
	struct vfs_place *place;
	int err = vfs_enter(path, FOLLOW_NEVER, &place);

	if (err)
		return err;
	err = place->dots || !*place->rest ? -EISDIR : change(place, place->mount->type->unlink, false);
	vfs_leave(place);
	return err;
}

/* "." cannot be removed by that name, and ".." is not empty. */
static int dots_error(const char *path)
{
	size_t n = strlen(path);

	while (n > 0 && path[n - 1] == '/')
		n--;
	if (n == 0)
		return -EBUSY;
	return n >= 2 && path[n - 2] == '.' ? -ENOTEMPTY : -EINVAL;
}

int vfs_rmdir(const char *path)
{
	struct vfs_place *place;
	int err = vfs_enter(path, FOLLOW_NEVER, &place);

	if (err)
		return err;
	if (place->dots)
		err = dots_error(path);
	else if (vfs_mounts_below(place->path))
		err = -EBUSY;
	else
		err = change(place, place->mount->type->rmdir, false);
	vfs_leave(place);
	return err;
}

/* The mount is locked. */
static int rename_locked(const struct vfs_place *from, const struct vfs_place *to, bool is_new)
{
	struct vfs_mount *m = from->mount;
	struct vfs_stat st;
	int err = m->type->stat(m, from->rest, &st);

	if (err)
		return err;
	if (st.kind != VFS_DIR && (from->slash || to->slash))
		return -ENOTDIR;
	if (is_new && m->type->stat(m, to->rest, &st) == 0)
		return -EEXIST;
	return m->read_only || !m->type->rename ? -EROFS : m->type->rename(m, from->rest, to->rest);
}

static int rename_in(const struct vfs_place *from, const struct vfs_place *to, bool is_new)
{
	struct vfs_mount *m = from->mount;
	int err;

	if (is_new && (!*to->rest || to->dots || vfs_mounts_below(to->path)))
		return -EEXIST;
	if (!*from->rest || !*to->rest)
		return -EBUSY;
	if (m != to->mount)
		return -EXDEV;
	if (from->dots || to->dots || vfs_mounts_below(from->path) || vfs_mounts_below(to->path))
		return -EBUSY;
	vfs_mount_lock(m);
	err = rename_locked(from, to, is_new);
	vfs_mount_unlock(m);
	return err;
}

static int rename_path(const char *from, const char *to, bool is_new)
{
	struct vfs_place *a, *b;
	int err = vfs_enter(from, FOLLOW_NEVER, &a);

	if (err)
		return err;
	err = vfs_enter(to, FOLLOW_NEVER, &b);
	if (!err) {
		err = rename_in(a, b, is_new);
		vfs_leave(b);
	}
	vfs_leave(a);
	return err;
}

int vfs_rename(const char *from, const char *to)
{
	return rename_path(from, to, false);
}

int vfs_rename_to_new(const char *from, const char *to)
{
	return rename_path(from, to, true);
}
