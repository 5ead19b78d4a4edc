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

static int open_at(const struct vfs_place *place, unsigned flags, struct vfs_file *f)
{
	int err;

	mutex_lock(&place->mount->lock);
	err = check_read_only(place, &flags);
	if (!err)
		err = place->mount->type->open(place->mount, place->rest, flags, f);
	mutex_unlock(&place->mount->lock);
	return err;
}

int vfs_open(const char *path, unsigned flags, struct vfs_file **out)
{
	struct vfs_place *place;
	struct vfs_file *f;
	int err;

	if (!flags_valid(flags))
		return -EINVAL;
	err = vfs_enter(path, !(flags & VFS_NO_FOLLOW), &place);
	if (err)
		return err;
	f = kzalloc(sizeof(*f));
	if (f) {
		f->mount = place->mount;
		f->flags = flags & ~(unsigned)VFS_NO_FOLLOW;
		err = open_at(place, f->flags, f);
	} else {
		err = -ENOMEM;
	}
	if (err) {
		kfree(f);
	} else {
		vfs_mount_get(f->mount);
		*out = f;
	}
	vfs_leave(place);
	return err;
}

static int stat_at(const char *path, bool follow, struct vfs_stat *st)
{
	struct vfs_place *place;
	int err = vfs_enter(path, follow, &place);

	if (err)
		return err;
	mutex_lock(&place->mount->lock);
	err = place->mount->type->stat(place->mount, place->rest, st);
	mutex_unlock(&place->mount->lock);
	vfs_leave(place);
	return err;
}

int vfs_stat(const char *path, struct vfs_stat *st)
{
	return stat_at(path, true, st);
}

int vfs_lstat(const char *path, struct vfs_stat *st)
{
	return stat_at(path, false, st);
}

typedef int (*path_fn)(struct vfs_mount *m, const char *path);

/* A change of a path in a mount. for_root: the answer where the path is the mount's own root. */
static int change(const struct vfs_place *place, path_fn fn, int for_root)
{
	int err;

	if (!*place->rest)
		return for_root;
	if (place->mount->read_only || !fn)
		return -EROFS;
	mutex_lock(&place->mount->lock);
	err = fn(place->mount, place->rest);
	mutex_unlock(&place->mount->lock);
	return err;
}

int vfs_mkdir(const char *path)
{
	struct vfs_place *place;
	int err = vfs_enter(path, false, &place);

	if (err)
		return err;
	err = change(place, place->mount->type->mkdir, -EEXIST);
	vfs_leave(place);
	return err;
}

int vfs_unlink(const char *path)
{
	struct vfs_place *place;
	int err = vfs_enter(path, false, &place);

	if (err)
		return err;
	err = change(place, place->mount->type->unlink, -EISDIR);
	vfs_leave(place);
	return err;
}

int vfs_rmdir(const char *path)
{
	struct vfs_place *place;
	int err = vfs_enter(path, false, &place);

	if (err)
		return err;
	if (vfs_mounts_below(place->path))
		err = -EBUSY;
	else
		err = change(place, place->mount->type->rmdir, -EBUSY);
	vfs_leave(place);
	return err;
}

static int rename_in(const struct vfs_place *from, const struct vfs_place *to)
{
	struct vfs_mount *m = from->mount;
	int err;

	if (m != to->mount)
		return -EXDEV;
	if (vfs_mounts_below(from->path) || vfs_mounts_below(to->path))
		return -EBUSY;
	if (m->read_only || !m->type->rename)
		return -EROFS;
	mutex_lock(&m->lock);
	err = m->type->rename(m, from->rest, to->rest);
	mutex_unlock(&m->lock);
	return err;
}

int vfs_rename(const char *from, const char *to)
{
	struct vfs_place *a, *b;
	int err = vfs_enter(from, false, &a);

	if (err)
		return err;
	err = vfs_enter(to, false, &b);
	if (!err) {
		err = rename_in(a, b);
		vfs_leave(b);
	}
	vfs_leave(a);
	return err;
}
