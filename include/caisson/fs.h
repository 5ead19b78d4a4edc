/*
 * The initrd: a cpio archive ("newc" format) that the boot loader placed in memory.
 * Files are contiguous, so a file is a pointer and a length. With CONFIG_FS it is also
 * a kind of file system, "initrd" (caisson/vfs.h).
 */
#pragma once

#include <caisson/types.h>

struct file {
	const char *path;  /* NUL-terminated, without a leading slash */
	const void *data;
	uint64_t size;
};

/** What the archive says of anything in it, files and others. */
struct initrd_entry {
	struct file file;
	unsigned mode;     /* type and permissions, as in POSIX */
	uint32_t mtime;    /* seconds since 1970 */
};

#define INITRD_TYPE 0170000u
#define INITRD_REGULAR 0100000u
#define INITRD_DIRECTORY 0040000u
#define INITRD_LINK 0120000u

/**
 * Adopt an archive, which must stay. Checked while read: a damaged one is an error, never a fault; its files
 * before the damage can be opened all the same. Of several hard links only the last one in the archive has the data.
 * @return number of regular files, or -EINVAL
 */
int initrd_init(const void *archive, uint64_t size) __must_check;
/** Leading "/" and "./" do not count. @return 0, -ENOENT, or -EINVAL where the archive is damaged before the file. */
int initrd_open(const char *path, struct file *out) __must_check;
/** Call fn for each regular file, in the archive's order, until it returns false. */
void initrd_for_each(bool (*fn)(const struct file *f, void *arg), void *arg);
/** The same for all entries: directories, links, devices too. @return 0 at the end, 1 where fn stopped it, -EINVAL damage. */
int initrd_for_each_entry(bool (*fn)(const struct initrd_entry *e, void *arg), void *arg);
/** Is there an archive? */
bool initrd_present(void);
