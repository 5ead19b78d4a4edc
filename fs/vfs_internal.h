/* What the files of the VFS share. */
#pragma once

#include <caisson/aspace.h>
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

/** Its functions are called with its lock held, if it wants one. */
static inline void vfs_mount_lock(struct vfs_mount *m)
{
	if (!m->type->lockless)
		mutex_lock(&m->lock);
}

static inline void vfs_mount_unlock(struct vfs_mount *m)
{
	if (!m->type->lockless)
		mutex_unlock(&m->lock);
}

/** One user of a mount more or less. */
void vfs_mount_get(struct vfs_mount *m);
void vfs_mount_put(struct vfs_mount *m);
/** So many more files are open for writing. */
void vfs_mount_writers(struct vfs_mount *m, int change);
/** Is something mounted at or below a resolved path? */
bool vfs_mounts_below(const char *path);

/* Of files that are mapped (vfs_pages.c); the mount's lock is held. */
/** n bytes were read from the file at pos: in `data`, what was changed through mappings takes their place. */
void vfs_pages_read(struct vfs_file *f, void *data, size_t n, uint64_t pos);
/** n bytes were written to the file at pos: mappings show them. */
void vfs_pages_written(struct vfs_file *f, const void *data, size_t n, uint64_t pos);
/** The size has changed. *cut: whose pages to cut (page_source_cut) and give back when the lock is free; else untouched. */
void vfs_pages_resized(struct vfs_file *f, uint64_t from, uint64_t to, struct page_source **cut);
/** Write back what was changed through mappings. */
int vfs_pages_sync(struct vfs_file *f);
int vfs_pages_sync_all(struct vfs_mount *m);

static inline bool vfs_has_mapped(const struct vfs_mount *m)
{
	return IS_ENABLED(CONFIG_USER_AREAS) && !list_empty(&m->mapped);
}
/** Tell mappings of the new size; the lock is not held. */
static inline void vfs_pages_cut(struct page_source *s, uint64_t size)
{
	if (IS_ENABLED(CONFIG_USER_AREAS) && s) {
		page_source_cut(s, ALIGN_UP(size, PAGE_SIZE));
		page_source_put(s);
	}
}
