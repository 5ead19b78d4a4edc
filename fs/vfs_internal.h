/* What the files of the VFS share. */
#pragma once

#include <caisson/vfs.h>

/** A path that was looked up: its mount, which cannot go away meanwhile, and the rest. */
struct vfs_place {
	struct vfs_mount *mount;
	const char *rest;         /* in `path` */
	char path[VFS_PATH_MAX];
};

/** Look a resolved path up, whose links were followed. @return 0, or negative errno with *out untouched. vfs_leave() gives it back. */
int vfs_enter_resolved(const char *path, struct vfs_place **out) __must_check;
/** Look a path up. follow: also a link in the last component. */
int vfs_enter(const char *path, bool follow, struct vfs_place **out) __must_check;
void vfs_leave(struct vfs_place *place);

/** One user of a mount more or less. */
void vfs_mount_get(struct vfs_mount *m);
void vfs_mount_put(struct vfs_mount *m);
/** Is something mounted at or below a resolved path? */
bool vfs_mounts_below(const char *path);
