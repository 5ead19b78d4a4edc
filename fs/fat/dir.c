/* Directories on FAT, and what changes entries in them: making, removing, renaming. */
#include <errno.h>
#include <string.h>

#include <caisson/mm.h>

#include "fat.h"

static int dir_close(struct vfs_file *f)
{
	struct fat_dir *dir = f->data;

	list_del(&dir->node);
	kfree(dir);
	return 0;
}

static int dir_readdir(struct vfs_file *f, struct vfs_dirent *d)
{
	struct fat *fat = fat_of(f->mount);
	struct fat_dir *dir = f->data;
	FILINFO info;
	int err = fat_error(fat, f_readdir(&dir->dir, &info), -EIO);

	if (err || !info.fname[0])
		return err;
	d->kind = info.fattrib & AM_DIR ? VFS_DIR : VFS_FILE;
	strcpy(d->name, info.fname);
	return 1;
}

static int dir_rewind(struct vfs_file *f)
{
	struct fat *fat = fat_of(f->mount);
	struct fat_dir *dir = f->data;

	return fat_error(fat, f_readdir(&dir->dir, NULL), -EIO);
}

static int dir_stat(struct vfs_file *f, struct vfs_stat *st)
{
	const struct fat_dir *dir = f->data;

	*st = (struct vfs_stat){ .kind = VFS_DIR, .mode = 0755, .ino = FAT_DIRECTORY | dir->dir.obj.sclust, .links = 1 };
	return 0;
}

static const struct vfs_file_ops dir_ops = { .close = dir_close, .readdir = dir_readdir, .rewind = dir_rewind,
					    .stat = dir_stat };

int fat_dir_open(struct fat *fat, const char *path, struct vfs_file *f)
{
	struct fat_dir *dir = kalloc(sizeof(*dir));
	int err;

	if (!dir)
		return -ENOMEM;
	err = fat_error(fat, f_opendir(&fat->fs, &dir->dir, path), -EIO);
	if (err) {
		kfree(dir);
		return err;
	}
	list_push_back(&fat->dirs, &dir->node);
	f->data = dir;
	f->ops = &dir_ops;
	return 0;
}

int fat_dir_cluster(struct fat *fat, const char *path, uint32_t *cluster)
{
	FF_DIR dir;
	int err = fat_error(fat, f_opendir(&fat->fs, &dir, path), -EIO);

	*cluster = err ? 0 : dir.obj.sclust;
	return err;
}

int fat_mkdir(struct vfs_mount *m, const char *path)
{
	struct fat *fat = fat_of(m);
	int err = fat_check_path(path);

	return err ? err : fat_error(fat, f_mkdir(&fat->fs, path), -ENOSPC);
}

static int check_closed(struct fat *fat, const char *path)
{
	struct fat_file *file;
	int err = fat_file_find(fat, path, &file);

	return err ? err : file ? -EBUSY : 0;
}

/* The kind of what is to be removed, and that the library may remove it. */
static int check_kind(struct fat *fat, const char *path, enum vfs_kind kind)
{
	struct vfs_stat st;
	int err = fat_stat(fat, path, &st);

	if (err)
		return err;
	if (st.kind != kind)
		return kind == VFS_DIR ? -ENOTDIR : -EISDIR;
	return st.mode & 0200 ? 0 : -EACCES;
}

int fat_unlink(struct vfs_mount *m, const char *path)
{
	struct fat *fat = fat_of(m);
	int err = check_kind(fat, path, VFS_FILE);

	if (!err)
		err = check_closed(fat, path);
	return err ? err : fat_error(fat, f_unlink(&fat->fs, path), -EACCES);
}

static bool is_open_dir(const struct fat *fat, uint32_t cluster)
{
	list_for_each(dir, &fat->dirs, struct fat_dir, node)
		if (dir->dir.obj.sclust == cluster)
			return true;
	return false;
}

int fat_rmdir(struct vfs_mount *m, const char *path)
{
	struct fat *fat = fat_of(m);
	uint32_t cluster;
	int err = check_kind(fat, path, VFS_DIR);

	if (!err)
		err = fat_dir_cluster(fat, path, &cluster);
	if (!err && is_open_dir(fat, cluster))
		err = -EBUSY;
	return err ? err : fat_error(fat, f_unlink(&fat->fs, path), -ENOTEMPTY);
}

/* Does `path` lead through the directory that begins at this cluster? Names do not tell: they have several forms. */
static int check_not_inside(struct fat *fat, uint32_t cluster, const char *path)
{
	char *part = kalloc(strlen(path) + 1);
	uint32_t on_the_way;
	int err = 0;

	if (!part)
		return -ENOMEM;
	strcpy(part, path);
	for (char *slash = strrchr(part, '/'); slash && !err; slash = strrchr(part, '/')) {
		*slash = '\0';
		err = fat_dir_cluster(fat, part, &on_the_way);
		if (!err && on_the_way == cluster)
			err = -EINVAL;
	}
	kfree(part);
	return err;
}

/* May this be renamed so? */
static int check_rename(struct fat *fat, const char *from, const char *to)
{
	struct vfs_stat st;
	uint32_t cluster;
	int err = fat_stat(fat, from, &st);

	if (!err)
		err = *to ? fat_check_path(to) : -EBUSY;
	if (err)
		return err;
	if (st.kind == VFS_FILE)
		return check_closed(fat, from);
	err = fat_dir_cluster(fat, from, &cluster);
	return err ? err : check_not_inside(fat, cluster, to);
}

/* Something has the new name already: it goes, if it is of the same kind. */
static int remove_target(struct vfs_mount *m, const char *from, const char *to)
{
	struct vfs_stat st;
	int err = fat_stat(fat_of(m), from, &st);

	if (err)
		return err;
	return st.kind == VFS_DIR ? fat_rmdir(m, to) : fat_unlink(m, to);
}

int fat_rename(struct vfs_mount *m, const char *from, const char *to)
{
	struct fat *fat = fat_of(m);
	int err;

	if (!*from)
		return -EBUSY;
	err = check_rename(fat, from, to);
	if (err || !strcmp(from, to))
		return err;
	err = fat_error(fat, f_rename(&fat->fs, from, to), -ENOSPC);
	if (err != -EEXIST)
		return err;
	err = remove_target(m, from, to);
	return err ? err : fat_error(fat, f_rename(&fat->fs, from, to), -ENOSPC);
}
