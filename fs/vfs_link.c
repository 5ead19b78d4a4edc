/* Links, devices and attributes. */
#include <errno.h>
#include <string.h>

#include <caisson/vfs.h>

#include "vfs_internal.h"

int64_t vfs_readlink(const char *path, char *to, size_t n)
{
	struct vfs_place *place;
	struct vfs_stat st;
	int64_t result = vfs_enter(path, false, &place);

	if (result)
		return result;
	mutex_lock(&place->mount->lock);
	result = place->mount->type->stat(place->mount, place->rest, &st);
	if (result == 0)
		result = st.kind == VFS_LINK && place->mount->type->readlink ?
			 place->mount->type->readlink(place->mount, place->rest, to, n) : -EINVAL;
	mutex_unlock(&place->mount->lock);
	vfs_leave(place);
	return result;
}

/* Where something new may come to be, the mount locked. @return 0, or what stands against it */
static int begin(const char *path, bool follow, struct vfs_place **place)
{
	int err = vfs_enter(path, follow, place);

	if (err)
		return err;
	if ((*place)->mount->read_only || !*(*place)->rest) {
		err = (*place)->mount->read_only ? -EROFS : -EEXIST;
		vfs_leave(*place);
		return err;
	}
	mutex_lock(&(*place)->mount->lock);
	return 0;
}

static int end(struct vfs_place *place, int err)
{
	mutex_unlock(&place->mount->lock);
	vfs_leave(place);
	return err;
}

int vfs_symlink(const char *target, const char *path)
{
	struct vfs_place *place;
	int err;

	if (!*target || strlen(target) >= VFS_PATH_MAX)
		return *target ? -ENAMETOOLONG : -ENOENT;
	err = begin(path, false, &place);
	if (err)
		return err;
	if (!place->mount->type->symlink)
		return end(place, -EROFS);
	return end(place, place->mount->type->symlink(place->mount, target, place->rest));
}

int vfs_mknod(const char *path, unsigned mode, uint64_t device)
{
	struct vfs_place *place;
	int err = begin(path, false, &place);

	if (err)
		return err;
	if (!place->mount->type->mknod)
		return end(place, -EROFS);
	return end(place, place->mount->type->mknod(place->mount, place->rest, mode, device));
}

int vfs_link(const char *from, const char *to)
{
	struct vfs_place *a, *b;
	int err = vfs_enter(from, false, &a);

	if (err)
		return err;
	err = begin(to, false, &b);
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

int vfs_set(const char *path, const struct vfs_stat *st, unsigned what)
{
	struct vfs_place *place;
	int err = vfs_enter(path, true, &place);

	if (err)
		return err;
	if (place->mount->read_only || !place->mount->type->set) {
		err = -EROFS;
	} else {
		mutex_lock(&place->mount->lock);
		err = place->mount->type->set(place->mount, place->rest, st, what);
		mutex_unlock(&place->mount->lock);
	}
	vfs_leave(place);
	return err;
}
