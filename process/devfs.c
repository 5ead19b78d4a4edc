/*
 * devtmpfs: a tmpfs that has the devices in it when it is mounted. The monolith has one at /dev; a program that mounts
 * another gets the same devices.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <caisson/block.h>
#include <caisson/init.h>
#include <caisson/vfs.h>

#include "../fs/tmpfs/tmpfs.h"
#include "device.h"

static const struct { const char *name; unsigned mode; uint64_t device; } devices[] = {
	{ "console", 0600, DEVICE(5, 1) }, { "tty", 0666, DEVICE(5, 0) }, { "null", 0666, DEVICE(1, 3) }, { "zero", 0666, DEVICE(1, 5) },
	{ "full", 0666, DEVICE(1, 7) }, { "random", 0666, DEVICE(1, 8) }, { "urandom", 0666, DEVICE(1, 9) },
};

static const struct { const char *name, *target; } links[] = {
	{ "fd", "/proc/self/fd" }, { "stdin", "/proc/self/fd/0" }, { "stdout", "/proc/self/fd/1" }, { "stderr", "/proc/self/fd/2" },
};

static int make_device(struct vfs_mount *m, const char *name, enum vfs_kind kind, unsigned mode, uint64_t device)
{
	return tmpfs_type.mknod(m, name, kind, mode, device);
}

struct disks {
	struct vfs_mount *mount;
	unsigned n;
	int error;
};

static bool make_disk(struct block_device *dev, void *arg)
{
	struct disks *d = arg;

	d->error = make_device(d->mount, dev->name, VFS_BLOCK, 0660, disk_number(d->n++));
	return !d->error;
}

static int fill(struct vfs_mount *m)
{
	struct disks disks = { .mount = m };
	int error = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(devices) && !error; i++)
		error = make_device(m, devices[i].name, VFS_DEVICE, devices[i].mode, devices[i].device);
	for (unsigned i = 0; i < ARRAY_SIZE(links) && !error; i++)
		error = tmpfs_type.symlink(m, links[i].target, links[i].name);
	if (!error && IS_ENABLED(CONFIG_BLOCK))
		block_for_each(make_disk, &disks);
	return error ? error : disks.error;
}

static int devfs_mount(struct vfs_mount *m, const char *source)
{
	int error = tmpfs_mount(m, source);

	if (error)
		return error;
	error = fill(m);
	if (error)
		(void)tmpfs_unmount(m);
	return error;
}

static void register_devfs(void)
{
	static struct fs_type type;

	type = tmpfs_type;
	type.name = "devtmpfs";
	type.mount = devfs_mount;
	vfs_register(&type);
}
CONSTRUCTOR(register_devfs);
