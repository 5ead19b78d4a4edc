/* FAT file systems: mounting and the table of operations. */
#include <errno.h>
#include <string.h>

#define LOG_NAME "fat"
#include <caisson/init.h>
#include <caisson/log.h>
#include <caisson/mm.h>

#include "fat.h"

static struct list volumes = LIST_INIT(volumes); /* under the lock of the table of mounts */

static bool is_mounted(const struct block_device *dev)
{
	list_for_each(fat, &volumes, struct fat, node)
		if (fat->dev == dev)
			return true;
	return false;
}

/* The volume says how large it is; a device that has been cut short does not hold it. */
static int check_extent(struct fat *fat)
{
	const FATFS *fs = &fat->fs;
	uint64_t end = (uint64_t)fs->database + (uint64_t)(fs->n_fatent - 2) * fs->csize;

	if (fs->database <= fs->volbase || end > fat->dev->n_sectors) {
		log_error("%s: the volume ends at sector %lu, the device at %lu", fat->dev->name, (unsigned long)end,
			  (unsigned long)fat->dev->n_sectors);
		return -EINVAL;
	}
	fat->first = fs->volbase;
	fat->end = end;
	return 0;
}

static struct fat *new_volume(struct block_device *dev, bool read_only)
{
	struct fat *fat = kzalloc(sizeof(*fat));

	if (!fat)
		return NULL;
	fat->fs.drv = fat;
	fat->dev = dev;
	fat->read_only = read_only;
	list_init(&fat->files);
	list_init(&fat->dirs);
	return fat;
}

/* What is beyond the end of a device is no file system either: no I/O error. */
static int read_volume(struct fat *fat)
{
	int err = fat->dev->n_sectors ? fat_error(fat, f_mount(&fat->fs), -EIO) : -EINVAL;

	return err ? err : check_extent(fat);
}

static int claim(struct fat *fat, bool read_only)
{
	return block_claim(&fat->claim, fat->dev, read_only ? BLOCK_SHARED : BLOCK_EXCLUSIVE, "a file system");
}

/* Names are UTF-8: what says so is understood, and nothing else. */
static bool options_valid(const char *options)
{
	return !*options || !strcmp(options, "utf8") || !strcmp(options, "iocharset=utf8");
}

static int fat_mount(struct vfs_mount *m, const char *source)
{
	struct block_device *dev = block_find(source);
	struct fat *fat;
	int err;

	if (!dev)
		return -ENODEV;
	if (is_mounted(dev))
		return -EBUSY;
	if (!options_valid(m->options))
		return -EINVAL;
	m->read_only = m->read_only || dev->read_only;
	fat = new_volume(dev, m->read_only);
	if (!fat)
		return -ENOMEM;
	err = claim(fat, m->read_only);
	if (!err)
		err = read_volume(fat);
	if (err) {
		block_release(&fat->claim);
		kfree(fat);
		return err;
	}
	list_push_back(&volumes, &fat->node);
	m->data = fat;
	return 0;
}

static int fat_sync(struct vfs_mount *m)
{
	struct fat *fat = fat_of(m);
	FRESULT res = FR_OK;

	list_for_each(file, &fat->files, struct fat_file, node)
		if (res == FR_OK)
			res = f_sync(&file->fil);
	if (res == FR_OK)
		res = fat_library_sync(&fat->fs);
	return fat_error(fat, res, -EIO);
}

static int fat_unmount(struct vfs_mount *m)
{
	struct fat *fat = fat_of(m);
	int err = fat->read_only ? 0 : fat_sync(m);

	(void)f_umount(&fat->fs);
	list_del(&fat->node);
	block_release(&fat->claim);
	kfree(fat);
	return err;
}

/* What is there, and whether that goes with what is wanted. */
static int fat_open(struct vfs_mount *m, const char *path, unsigned flags, struct vfs_file *f)
{
	struct fat *fat = fat_of(m);
	struct vfs_stat st;
	int err = fat_stat(fat, path, &st);
	bool exists = !err;

	if (err && !(err == -ENOENT && (flags & VFS_CREATE)))
		return err;
	if (exists && (flags & VFS_EXCLUSIVE) && (flags & VFS_CREATE))
		return -EEXIST;
	if (flags & VFS_DIRECTORY)
		return st.kind == VFS_DIR ? fat_dir_open(fat, path, f) : -ENOTDIR;
	if (exists && st.kind == VFS_DIR)
		return -EISDIR;
	return fat_file_open(fat, path, flags, exists ? &st : NULL, f);
}

static int fat_stat_mount(struct vfs_mount *m, const char *path, struct vfs_stat *st)
{
	struct fat *fat = fat_of(m);
	struct fat_file *file;
	int err = fat_stat(fat, path, st);

	if (!err)
		err = fat_number(fat, path, st->kind, &st->ino);
	st->links = 1;
	if (err || st->kind != VFS_FILE)
		return err;
	/* While it is open its directory entry may be behind. */
	err = fat_file_find(fat, path, &file);
	if (!err && file) {
		st->size = f_size(&file->fil);
		st->mtime = file->mtime;
	}
	st->room = fat_room(fat, st->size);
	return err;
}

static int fat_statfs(struct vfs_mount *m, struct vfs_statfs *st)
{
	struct fat *fat = fat_of(m);
	DWORD free;
	int err = fat_error(fat, f_getfree(&fat->fs, &free), -EIO);

	if (err)
		return err;
	st->block_size = fat->fs.csize * BLOCK_SECTOR;
	st->blocks = fat->fs.n_fatent - 2;
	st->blocks_free = MIN(free, st->blocks);
	return 0;
}

/* Read-only, it may be shared with other readers. */
static int fat_remount(struct vfs_mount *m, bool read_only)
{
	struct fat *fat = fat_of(m);
	int err = read_only ? fat_sync(m) : fat->dev->read_only ? -EROFS : 0;

	if (err)
		return err;
	block_release(&fat->claim);
	err = claim(fat, read_only);
	if (err)
		return claim(fat, !read_only) ? -EIO : err;
	fat->read_only = read_only;
	return 0;
}

#define FAT_TYPE(called) { \
	.name = called, .needs_device = true, .mount = fat_mount, .unmount = fat_unmount, .open = fat_open, \
	.stat = fat_stat_mount, .mkdir = fat_mkdir, .unlink = fat_unlink, .rmdir = fat_rmdir, .rename = fat_rename, \
	.sync = fat_sync, .statfs = fat_statfs, .remount = fat_remount, \
}

/* Ours, and the name that Linux has for it with long names. */
static struct fs_type fat_types[] = { FAT_TYPE("fat"), FAT_TYPE("vfat") };

static void register_fat(void)
{
	for (unsigned i = 0; i < ARRAY_SIZE(fat_types); i++)
		vfs_register(&fat_types[i]);
}
CONSTRUCTOR(register_fat);
