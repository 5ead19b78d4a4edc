/*
 * Files on FAT.
 *
 * The library's file object knows size and chain of its file. Two objects of one file
 * would soon disagree, so whoever opens a file that is open shares its object, and the
 * position is set before each access. A file is known by the place of its directory entry.
 */
#include <errno.h>

#include <caisson/mm.h>

#include "fat.h"

#define FILE_SIZE_MAX UINT32_MAX
/* The date of all that is written: the configuration of the library has it (fat_config.h). */
#define NOW 1735689600
#define CHUNK (1u << 30)        /* bytes for one call of the library, which counts in 32 bits */

static struct fat_file *find_open(struct fat *fat, const FIL *fil)
{
	list_for_each(file, &fat->files, struct fat_file, node)
		if (file->fil.dir_sect == fil->dir_sect && file->fil.dir_ptr == fil->dir_ptr)
			return file;
	return NULL;
}

#define ENTRY_SIZE 32

uint64_t fat_file_number(const FIL *fil)
{
	return (uint64_t)fil->dir_sect * (BLOCK_SECTOR / ENTRY_SIZE) + (uint64_t)(fil->dir_ptr - fil->obj.fs->win) / ENTRY_SIZE;
}

/* An existing file, opened only to see where it is. @return 0: the caller kfrees *out; -ENOMEM and the library's errors */
static int look_at(struct fat *fat, const char *path, FIL **out)
{
	FIL *fil = kalloc(sizeof(*fil));
	int err;

	if (!fil)
		return -ENOMEM;
	err = fat_error(fat, f_open(&fat->fs, fil, path, FA_READ), -EACCES);
	if (err)
		kfree(fil);
	else
		*out = fil;
	return err;
}

int fat_number(struct fat *fat, const char *path, enum vfs_kind kind, uint64_t *ino)
{
	uint32_t cluster;
	FIL *fil;
	int err;

	if (kind == VFS_DIR) {
		err = fat_dir_cluster(fat, path, &cluster);
		*ino = FAT_DIRECTORY | cluster;
		return err;
	}
	err = look_at(fat, path, &fil);
	if (err)
		return err;
	*ino = fat_file_number(fil);
	kfree(fil);
	return 0;
}

int fat_file_find(struct fat *fat, const char *path, struct fat_file **out)
{
	FIL *fil;
	int err;

	*out = NULL;
	if (list_empty(&fat->files))
		return 0;
	err = look_at(fat, path, &fil);
	if (err)
		return err;
	*out = find_open(fat, fil);
	kfree(fil);
	return 0;
}

/* The library's mode for an existing file: for writing if possible, so that later openers can share it. */
static FRESULT open_existing(struct fat *fat, const char *path, struct fat_file *file)
{
	FRESULT res = FR_DENIED;

	file->writable = !fat->read_only;
	if (file->writable)
		res = f_open(&fat->fs, &file->fil, path, FA_READ | FA_WRITE);
	if (res == FR_DENIED) {
		file->writable = false;
		res = f_open(&fat->fs, &file->fil, path, FA_READ);
	}
	return res;
}

static FRESULT open_new(struct fat *fat, const char *path, struct fat_file *file)
{
	FRESULT res = f_open(&fat->fs, &file->fil, path, FA_READ | FA_WRITE | FA_CREATE_NEW);

	file->writable = true;
	/* The entry is there from now on, whatever becomes of this file object. */
	return res == FR_OK ? f_sync(&file->fil) : res;
}

static int64_t file_read(struct vfs_file *f, void *data, size_t n, uint64_t pos);
static int64_t file_write(struct vfs_file *f, const void *data, size_t n, uint64_t pos);
static int file_truncate(struct vfs_file *f, uint64_t size);
static int file_close(struct vfs_file *f);

static struct fat_file *of(struct vfs_file *f)
{
	struct fat_file *file = f->data;

	file->fat->io_error = 0;
	return file;
}

static int file_sync(struct vfs_file *f)
{
	struct fat_file *file = of(f);

	return fat_error(file->fat, f_sync(&file->fil), -EIO);
}

static int file_stat(struct vfs_file *f, struct vfs_stat *st)
{
	struct fat_file *file = of(f);

	*st = (struct vfs_stat){ .kind = VFS_FILE, .mode = file->writable || file->fat->read_only ? 0755 : 0555,
				 .size = f_size(&file->fil), .mtime = file->mtime, .ino = fat_file_number(&file->fil), .links = 1,
				 .room = fat_room(file->fat, f_size(&file->fil)) };
	return 0;
}

static const struct vfs_file_ops file_ops = {
	.close = file_close,
	.read = file_read,
	.write = file_write,
	.truncate = file_truncate,
	.sync = file_sync,
	.stat = file_stat,
	.mappable = true,
};

/* Take the object that is there for this file, if there is one, in place of the new one. */
static struct fat_file *share(struct fat *fat, struct fat_file *file)
{
	struct fat_file *open = find_open(fat, &file->fil);

	if (open && file->writable && !open->writable) { /* it was opened before the file system could be written */
		open->fil = file->fil;
		open->writable = true;
	}
	if (open) {
		kfree(file);
		open->users++;
		return open;
	}
	file->fat = fat;
	file->users = 1;
	list_push_back(&fat->files, &file->node);
	return file;
}

int fat_file_open(struct fat *fat, const char *path, unsigned flags, const struct vfs_stat *found,
		  struct vfs_file *f)
{
	struct fat_file *file = kzalloc(sizeof(*file));
	int err;

	if (!file)
		return -ENOMEM;
	err = fat_error(fat, found ? open_existing(fat, path, file) : open_new(fat, path, file),
			found ? -EACCES : -ENOSPC);
	if (!err && (flags & VFS_WRITE) && !file->writable)
		err = -EACCES;
	if (err) {
		kfree(file);
		return err;
	}
	file->mtime = found ? found->mtime : NOW;
	f->data = share(fat, file);
	f->ops = &file_ops;
	if (flags & VFS_TRUNCATE)
		err = file_truncate(f, 0);
	if (err)
		(void)file_close(f);
	return err;
}

static int file_close(struct vfs_file *f)
{
	struct fat_file *file = of(f);
	int err = file->writable ? file_sync(f) : 0;

	if (--file->users == 0) {
		list_del(&file->node);
		kfree(file);
	}
	return err;
}

/* Not beyond the end: the library would make the file longer, without clearing what is new. */
static FRESULT seek(struct fat_file *file, uint64_t pos)
{
	return f_tell(&file->fil) == pos ? FR_OK : f_lseek(&file->fil, (FSIZE_t)pos);
}

static int64_t file_read(struct vfs_file *f, void *data, size_t n, uint64_t pos)
{
	struct fat_file *file = of(f);
	size_t done = 0;
	FRESULT res;
	UINT now;

	if (pos >= f_size(&file->fil))
		return 0;
	res = seek(file, pos);
	while (res == FR_OK && done < n) {
		res = f_read(&file->fil, (char *)data + done, (UINT)MIN(n - done, (size_t)CHUNK), &now);
		done += now;
		if (now == 0)
			break;
	}
	return done ? (int64_t)done : fat_error(file->fat, res, -EBADF);
}

/* Write at the library's position. @return bytes, or -errno with none. */
static int64_t put(struct fat_file *file, const void *data, size_t n)
{
	size_t done = 0;
	FRESULT res = FR_OK;
	UINT now = 1;

	while (res == FR_OK && now > 0 && done < n) {
		res = f_write(&file->fil, (const char *)data + done, (UINT)MIN(n - done, (size_t)CHUNK), &now);
		done += now;
	}
	file->mtime = NOW;
	if (done || n == 0)
		return (int64_t)done;
	return res == FR_OK ? -ENOSPC : fat_error(file->fat, res, -EBADF);
}

/* Make the file longer, with zeros. */
static int grow(struct fat_file *file, uint64_t size)
{
	static const char zeros[4096];
	int64_t done;
	int err = fat_error(file->fat, seek(file, f_size(&file->fil)), -EBADF);

	while (!err && f_size(&file->fil) < size) {
		done = put(file, zeros, MIN(size - f_size(&file->fil), sizeof(zeros)));
		if (done < 0)
			err = (int)done;
	}
	return err;
}

static int shrink(struct fat_file *file, uint64_t size)
{
	FRESULT res = seek(file, size);

	if (res == FR_OK)
		res = f_truncate(&file->fil);
	file->mtime = NOW;
	return fat_error(file->fat, res, -EBADF);
}

static int file_truncate(struct vfs_file *f, uint64_t size)
{
	struct fat_file *file = of(f);
	uint64_t before = f_size(&file->fil);
	int err;

	if (size > FILE_SIZE_MAX)
		return -EFBIG;
	if (size <= before)
		return size < before ? shrink(file, size) : 0;
	err = grow(file, size);
	/* All or nothing: what there was room for goes again. */
	if (err)
		(void)shrink(file, before);
	return err;
}

static int64_t file_write(struct vfs_file *f, const void *data, size_t n, uint64_t pos)
{
	struct fat_file *file = of(f);
	int err = 0;

	if (pos >= FILE_SIZE_MAX)
		return -EFBIG;
	n = MIN(n, FILE_SIZE_MAX - pos);
	if (pos > f_size(&file->fil))
		err = file_truncate(f, pos);
	if (!err)
		err = fat_error(file->fat, seek(file, pos), -EBADF);
	return err ? err : put(file, data, n);
}
