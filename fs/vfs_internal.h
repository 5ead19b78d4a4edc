/* What the files of the VFS share. */
#pragma once

#include <caisson/vfs.h>

/** A path that was looked up: its mount, which cannot go away meanwhile, and the rest. */
struct vfs_place {
	struct vfs_mount *mount;
	const char *rest;         /* in `path` */
	bool slash;               /* the path ended with one: only a directory may be meant */
	bool dots;                /* its last component was "." or "..", or it is the root */
	char path[];
};

/** What to do where the last component of a path is a symbolic link. */
enum vfs_follow {
	FOLLOW_NEVER,             /* the name itself is meant, to be made or removed */
	FOLLOW_SLASH,             /* only if a slash comes after it */
	FOLLOW_ALWAYS,
};

/**
 * Look a path up. All but its last component have been found to be directories.
 * @return 0; -ENOTDIR also where something else than a directory is followed by a slash, unless FOLLOW_NEVER. vfs_leave() gives it back.
 */
int vfs_enter(const char *path, enum vfs_follow follow, struct vfs_place **out) __must_check;
/** The mount that a resolved path belongs to, with one user more, or NULL. *rest: where in the path its own part begins. */
struct vfs_mount *vfs_mount_of(const char *path, const char **rest) __must_check;
void vfs_leave(struct vfs_place *place);

/** One user of a mount more or less. */
void vfs_mount_get(struct vfs_mount *m);
void vfs_mount_put(struct vfs_mount *m);
/** So many more files are open for writing. */
void vfs_mount_writers(struct vfs_mount *m, int change);
/** Is something mounted at or below a resolved path? */
bool vfs_mounts_below(const char *path);
