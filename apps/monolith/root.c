/* The root file system: a tmpfs with what the initrd holds; devices and processes are mounted in it. */
#include "root.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <caisson/fs.h>
#include <caisson/log.h>
#include <caisson/mm.h>
#include <caisson/vfs.h>

#define LOG_NAME "init"

static const char *const folders[] = { "/dev", "/proc", "/tmp" };

/* The folders above a path, those that are not there yet. */
static int make_folders(char *path)
{
	for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		int error;

		*slash = '\0';
		error = vfs_mkdir(path);
		*slash = '/';
		if (error && error != -EEXIST)
			return error;
	}
	return 0;
}

static int write_file(const char *path, const struct file *file)
{
	struct vfs_file *f;
	int64_t n;
	int error = vfs_open(path, VFS_WRITE | VFS_CREATE | VFS_TRUNCATE, &f);

	if (error)
		return error;
	n = file->size ? vfs_write(f, file->data, file->size) : 0;
	error = vfs_close(f);
	return n < 0 ? (int)n : (uint64_t)n < file->size ? -ENOSPC : error;
}

static int write_link(const char *path, const struct file *file)
{
	char *target = kalloc(file->size + 1);
	int error;

	if (!target)
		return -ENOMEM;
	memcpy(target, file->data, file->size);
	target[file->size] = '\0';
	error = vfs_symlink(target, path);
	kfree(target);
	return error;
}

static int unpack_entry(const struct initrd_entry *e, char *path)
{
	unsigned type = e->mode & INITRD_TYPE;
	int error = make_folders(path);

	if (error)
		return error;
	if (type == INITRD_DIRECTORY)
		error = vfs_mkdir(path);
	else if (type == INITRD_LINK)
		error = write_link(path, &e->file);
	else if (type == INITRD_REGULAR)
		error = write_file(path, &e->file);
	else
		return 0; /* devices are our own */
	if (error == -EEXIST)
		return 0;
	if (!error && type != INITRD_LINK)
		error = vfs_set(path, &(struct vfs_stat){ .mode = e->mode & 07777, .mtime = e->mtime }, VFS_SET_MODE | VFS_SET_MTIME);
	return error;
}

/* @return false: it failed, and why is in *arg */
static bool unpack(const struct initrd_entry *e, void *arg)
{
	char *path = kalloc(VFS_PATH_MAX);
	int *error = arg;

	if (!path)
		*error = -ENOMEM;
	else if (snprintf(path, VFS_PATH_MAX, "/%s", e->file.path) >= VFS_PATH_MAX)
		*error = -ENAMETOOLONG;
	else
		*error = unpack_entry(e, path);
	if (*error)
		log_error("%s of the initrd cannot be unpacked (error %d)", e->file.path, *error);
	kfree(path);
	return !*error;
}

int root_mount(void)
{
	int error = vfs_mount("tmpfs", "tmpfs", "/", 0);

	if (!error)
		(void)initrd_for_each_entry(unpack, &error);
	for (unsigned i = 0; i < ARRAY_SIZE(folders) && !error; i++) {
		error = vfs_mkdir(folders[i]);
		error = error == -EEXIST ? 0 : error;
	}
	if (!error)
		error = vfs_mount("devtmpfs", "devtmpfs", "/dev", 0);
	return error ? error : vfs_mount("proc", "proc", "/proc", 0);
}
