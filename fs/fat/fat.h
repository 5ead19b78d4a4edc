/* What the files of the FAT file system share. Everything is called with the mount's lock held. */
#pragma once

#include <caisson/block.h>
#include <caisson/list.h>
#include <caisson/vfs.h>

#include "library.h"

/** One mounted volume. */
struct fat {
	FATFS fs;
	struct block_device *dev;
	struct block_claim claim; /* of the device */
	bool read_only;
	int io_error;           /* what the device said last, 0 if all is well */
	uint64_t first, end;    /* sectors that may be written; none while it is being mounted */
	struct list files;      /* struct fat_file */
	struct list dirs;       /* struct fat_dir */
	struct list node;       /* in the list of volumes */
};

/** A file that is open, once for all who have it open: the library would lose track of several. */
struct fat_file {
	FIL fil;
	struct fat *fat;
	unsigned users;
	bool writable;          /* `fil` is open for writing */
	uint64_t mtime;         /* seconds since 1970 */
	struct list node;
};

struct fat_dir {
	FF_DIR dir;
	struct list node;
};

/** The volume of a mount, ready for an operation. */
static inline struct fat *fat_of(struct vfs_mount *m)
{
	struct fat *fat = m->data;

	fat->io_error = 0;
	return fat;
}

/** Bytes of the clusters that so many bytes take. */
static inline uint64_t fat_room(const struct fat *fat, uint64_t size)
{
	return ALIGN_UP(size, (uint64_t)fat->fs.csize * BLOCK_SECTOR);
}

/** A result of the library as 0 or negative errno. FR_DENIED, which has many meanings, becomes `denied`. */
int fat_error(const struct fat *fat, FRESULT res, int denied);

/**
 * Is this a path that the library takes as we mean it?  It has separators and ends of its own.
 * @return 0 or -EINVAL.
 */
int fat_check_path(const char *path) __must_check;
/** What stands at a path, the root included, as its directory entry says. @return 0 or negative errno. */
int fat_stat(struct fat *fat, const char *path, struct vfs_stat *st) __must_check;
/** The file at this path if somebody has it open, else NULL. @return 0 or negative errno. */
int fat_file_find(struct fat *fat, const char *path, struct fat_file **out) __must_check;
#define FAT_DIRECTORY BIT(40) /* of a number: no entry is so far away */

/** A number for what stands at a path: where its entry is, or a directory's first cluster. */
int fat_number(struct fat *fat, const char *path, enum vfs_kind kind, uint64_t *ino) __must_check;
/** The same of an open file. */
uint64_t fat_file_number(const FIL *fil);
/** The first cluster of a directory: what it is known by. 0 is the root. */
int fat_dir_cluster(struct fat *fat, const char *path, uint32_t *cluster) __must_check;

/** found: what stands there, or NULL: the file is to be created. */
int fat_file_open(struct fat *fat, const char *path, unsigned flags, const struct vfs_stat *found,
		  struct vfs_file *f) __must_check;
int fat_dir_open(struct fat *fat, const char *path, struct vfs_file *f) __must_check;
int fat_mkdir(struct vfs_mount *m, const char *path) __must_check;
int fat_rmdir(struct vfs_mount *m, const char *path) __must_check;
int fat_unlink(struct vfs_mount *m, const char *path) __must_check;
int fat_rename(struct vfs_mount *m, const char *from, const char *to) __must_check;
