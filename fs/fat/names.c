/* Between the library's world and ours: errors, paths, dates, and what stands at a path. */
#include <errno.h>
#include <string.h>

#include "fat.h"

int fat_error(const struct fat *fat, FRESULT res, int denied)
{
	switch (res) {
	case FR_OK:
		return 0;
	case FR_DISK_ERR:
	case FR_NOT_READY:
		return fat->io_error ? fat->io_error : -EIO;
	case FR_NO_FILE:
	case FR_NO_PATH:
		return -ENOENT;
	case FR_INVALID_NAME:
	case FR_NO_FILESYSTEM:
		return -EINVAL;
	case FR_DENIED:
		return denied;
	case FR_EXIST:
		return -EEXIST;
	case FR_WRITE_PROTECTED:
		return -EROFS;
	case FR_NOT_ENOUGH_CORE:
		return -ENOMEM;
	default: /* FR_INT_ERR: the volume contradicts itself */
		return -EIO;
	}
}

int fat_check_path(const char *path)
{
	for (const char *p = path; *p; p++)
		if ((unsigned char)*p < ' ' || *p == '\\')
			return -EINVAL;
	return 0;
}

/** Days since 1970-01-01 of a date (proleptic Gregorian), year >= 1970. */
static uint64_t days_since_1970(unsigned year, unsigned month, unsigned day)
{
	/* Years that begin in March, so that the odd day is the last one. */
	unsigned y = month > 2 ? year : year - 1;
	unsigned m = month > 2 ? month - 3 : month + 9;

	return 365 * (uint64_t)y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719468;
}

/** A FAT date and time: years from 1980 on, pairs of seconds. */
static uint64_t unix_time(unsigned date, unsigned time)
{
	unsigned year = 1980 + (date >> 9), month = date >> 5 & 15, day = date & 31;

	if (month < 1 || month > 12 || day < 1)
		return 0;
	return days_since_1970(year, month, day) * 86400 + (time >> 11) * 3600 + (time >> 5 & 63) * 60 +
	       (time & 31) * 2;
}

int fat_stat(struct fat *fat, const char *path, struct vfs_stat *st)
{
	FILINFO info;
	int err;

	*st = (struct vfs_stat){ .kind = VFS_DIR, .mode = 0755 };
	if (!*path)
		return 0;
	err = fat_check_path(path);
	if (!err)
		err = fat_error(fat, f_stat(&fat->fs, path, &info), -EACCES);
	if (err)
		return err;
	if (info.fattrib & AM_RDO)
		st->mode = 0555;
	if (!(info.fattrib & AM_DIR)) {
		st->kind = VFS_FILE;
		st->size = info.fsize;
	}
	st->mtime = unix_time(info.fdate, info.ftime);
	return 0;
}
