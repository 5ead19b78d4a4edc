/* Links, devices and attributes. */
#include <errno.h>
#include <string.h>

#include <caisson/vfs.h>

#include "vfs_internal.h"

int64_t vfs_readlink(const char *path, char *to, size_t n)
{
	struct vfs_place *place;
	struct vfs_stat st;
	int64_t result = vfs_enter(path, FOLLOW_SLASH, &place);

	if (result)
		return result;
	vfs_mount_lock(place->mount);
	result = place->mount->type->stat(place->mount, place->rest, &st);
	if (result == 0)
		result = st.kind == VFS_LINK && place->mount->type->readlink ?
			 place->mount->type->readlink(place->mount, place->rest, to, n) : -EINVAL;
	vfs_mount_unlock(place->mount);
	vfs_leave(place);
	return result;
}

/* Where something new may come to be, the mount locked. @return 0, or what stands against it */
static int begin(const char *path, struct vfs_place **place)
{
	struct vfs_mount *m;
	struct vfs_stat st;
	int err = vfs_enter(path, FOLLOW_NEVER, place);

	if (err)
		return err;
	m = (*place)->mount;
	vfs_mount_lock(m);
	if ((*place)->dots || !*(*place)->rest)
		err = -EEXIST;
	else if ((*place)->slash || m->read_only)
		err = m->type->stat(m, (*place)->rest, &st) == 0 ? -EEXIST : m->read_only ? -EROFS : -ENOENT;
	if (!err)
		return 0;
	vfs_mount_unlock(m);
	vfs_leave(*place);
	return err;
}

static int end(struct vfs_place *place, int err)
{
	vfs_mount_unlock(place->mount);
	vfs_leave(place);
	return err;
}

int vfs_symlink(const char *target, const char *path)
{
	struct vfs_place *place;
	int err;

	if (!*target || strlen(target) >= VFS_PATH_MAX)
		return *target ? -ENAMETOOLONG : -ENOENT;
	err = begin(path, &place);
	if (err)
		return err;
	if (!place->mount->type->symlink)
		return end(place, -EROFS);
	return end(place, place->mount->type->symlink(place->mount, target, place->rest));
}

int vfs_mknod(const char *path, enum vfs_kind kind, unsigned mode, uint64_t device)
{
	struct vfs_place *place;
	int err = begin(path, &place);

	if (err)
		return err;
	if (!place->mount->type->mknod)
		return end(place, -EROFS);
	return end(place, place->mount->type->mknod(place->mount, place->rest, kind, mode, device));
}

int vfs_link(const char *from, const char *to)
{
	struct vfs_place *a, *b;
	int err = vfs_enter(from, FOLLOW_SLASH, &a);

	if (err)
		return err;
	err = begin(to, &b);
	if (!err) {
		if (a->mount != b->mount)
			err = -EXDEV;
		else
			err = b->mount->type->link ? b->mount->type->link(b->mount, a->rest, b->rest) : -EROFS;
		end(b, 0);
	}
	vfs_leave(a);
	return err;
}

static int set_at(const char *path, enum vfs_follow follow, const struct vfs_stat *st, unsigned what)
{
	struct vfs_place *place;
	struct vfs_mount *m;
	int err = vfs_enter(path, follow, &place);

	if (err)
		return err;
	m = place->mount;
	vfs_mount_lock(m);
	err = m->read_only || !m->type->set ? -EROFS : m->type->set(m, place->rest, st, what);
	vfs_mount_unlock(m);
	vfs_leave(place);
	return err;
}

int vfs_set(const char *path, const struct vfs_stat *st, unsigned what)
{
	return set_at(path, FOLLOW_ALWAYS, st, what);
}

int vfs_lset(const char *path, const struct vfs_stat *st, unsigned what)
{
	return set_at(path, FOLLOW_SLASH, st, what);
}
