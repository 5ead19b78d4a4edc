/* Open files and directories of the VFS, and their pages for mmap and exec. */
#include <errno.h>
#include <string.h>

#include <caisson/aspace.h>
#include <caisson/mm.h>

#include "device.h"
#include "linux_abi.h"
#include "pipe.h"
#include "thread.h"

static int64_t vfs_file_read(struct open_file *f, void *data, size_t n)
{
	return vfs_read(f->data, data, n);
}

/* The process may make files of this size only (RLIMIT_FSIZE), and gets a signal. */
static int64_t too_large(void)
{
	signal_send_thread(thread_current(), SIGXFSZ, &(struct signal_info){ .code = SI_KERNEL });
	return -EFBIG;
}

static uint64_t size_limit(void)
{
	return thread_current()->process->limits.of[RLIMIT_FSIZE].now;
}

/* How many bytes may be written of n at this place? @return or -EFBIG */
static int64_t room(size_t n, uint64_t at)
{
	uint64_t limit = size_limit();

	return n && at >= limit ? too_large() : (int64_t)MIN(n, limit - at);
}

static int64_t append(struct open_file *f, const void *data, size_t n)
{
	int64_t end = size_limit() == UNLIMITED ? 0 : vfs_seek(f->data, 0, VFS_SEEK_END);
	int64_t may = end < 0 ? end : room(n, (uint64_t)end);

	return may < 0 ? may : vfs_append(f->data, data, (size_t)may);
}

static int64_t vfs_file_write(struct open_file *f, const void *data, size_t n)
{
	int64_t at, may;

	if (f->flags & O_APPEND)
		return append(f, data, n);
	at = size_limit() == UNLIMITED ? 0 : vfs_seek(f->data, 0, VFS_SEEK_CUR);
	may = at < 0 ? at : room(n, (uint64_t)at);
	return may < 0 ? may : vfs_write(f->data, data, (size_t)may);
}

static int64_t vfs_file_read_at(struct open_file *f, void *data, size_t n, uint64_t pos)
{
	return vfs_read_at(f->data, data, n, pos);
}

static int64_t vfs_file_write_at(struct open_file *f, const void *data, size_t n, uint64_t pos)
{
	int64_t may = f->flags & O_APPEND ? 0 : room(n, pos);

	if (f->flags & O_APPEND)
		return append(f, data, n);
	return may < 0 ? may : vfs_write_at(f->data, data, (size_t)may, pos);
}

static int vfs_file_statfs(struct open_file *f, struct vfs_statfs *st)
{
	return vfs_fstatfs(f->data, st);
}

/* Directories are read from the beginning up to there: only rewinding is usual. */
static int64_t seek_entry(struct open_file *f, int64_t offset, enum vfs_whence whence)
{
	struct vfs_file *dir = f->data;
	struct vfs_dirent *d;
	int error, more = 1;

	if (whence == VFS_SEEK_CUR)
		offset += (int64_t)dir->pos;
	if (whence == VFS_SEEK_END || offset < 0)
		return -EINVAL;
	if ((uint64_t)offset == dir->pos)
		return offset;
	d = kalloc(sizeof(*d));
	if (!d)
		return -ENOMEM;
	error = vfs_rewind(dir);
	dir->pos = 0;
	while (!error && more > 0 && dir->pos < (uint64_t)offset)
		more = f->ops->readdir(f, d);
	kfree(d);
	return error ? error : more < 0 ? more : offset;
}

static int64_t vfs_file_seek(struct open_file *f, int64_t offset, enum vfs_whence whence)
{
	return ((struct vfs_file *)f->data)->flags & VFS_DIRECTORY ? seek_entry(f, offset, whence) : vfs_seek(f->data, offset, whence);
}

static int vfs_file_stat(struct open_file *f, struct linux_stat *out)
{
	struct vfs_stat st;
	int error = vfs_fstat(f->data, &st);

	if (!error)
		stat_from_vfs(&st, f->path, out);
	return error;
}

static int vfs_file_truncate(struct open_file *f, uint64_t size)
{
	return size > size_limit() ? (int)too_large() : vfs_truncate(f->data, size);
}

static int vfs_file_sync(struct open_file *f)
{
	return vfs_sync(f->data);
}

/* The directory itself and the one above are not told by file systems. */
static int vfs_file_readdir(struct open_file *f, struct vfs_dirent *d)
{
	static const char *const first[] = { ".", ".." };
	struct vfs_file *dir = f->data;
	int more = 1;

	if (!(dir->flags & VFS_DIRECTORY))
		return -ENOTDIR;
	d->ino = 0;
	if (dir->pos < ARRAY_SIZE(first)) {
		d->kind = VFS_DIR;
		strcpy(d->name, first[dir->pos]);
	} else {
		more = vfs_readdir(dir, d);
	}
	if (more > 0)
		d->next = ++dir->pos;
	return more;
}

static int vfs_file_source(struct open_file *f, struct page_source **out)
{
	return vfs_source(f->data, f->path, out);
}

static void vfs_file_release(struct open_file *f)
{
	(void)!vfs_close(f->data);
}

static int vfs_file_set(struct open_file *f, const struct vfs_stat *st, unsigned what)
{
	return vfs_fset(f->data, st, what);
}

static int vfs_file_reserve(struct open_file *f, uint64_t pos, uint64_t n, bool longer)
{
	struct vfs_stat st;
	int error = longer && pos + n > size_limit() ? (int)too_large() : vfs_reserve(f->data, pos, n);

	if (!error)
		error = vfs_fstat(f->data, &st);
	return !error && longer && st.size < pos + n ? vfs_truncate(f->data, pos + n) : error;
}

static const struct open_file_ops ops = {
	.read = vfs_file_read,
	.write = vfs_file_write,
	.read_at = vfs_file_read_at,
	.write_at = vfs_file_write_at,
	.seek = vfs_file_seek,
	.stat = vfs_file_stat,
	.truncate = vfs_file_truncate,
	.set = vfs_file_set,
	.reserve = vfs_file_reserve,
	.sync = vfs_file_sync,
	.statfs = vfs_file_statfs,
	.readdir = vfs_file_readdir,
	.source = vfs_file_source,
	.release = vfs_file_release,
};

static unsigned vfs_flags(unsigned flags)
{
	static const struct { unsigned linux_flag, ours; } table[] = {
		{ O_CREAT, VFS_CREATE }, { O_EXCL, VFS_EXCLUSIVE }, { O_TRUNC, VFS_TRUNCATE },
		{ O_DIRECTORY, VFS_DIRECTORY }, { O_NOFOLLOW, VFS_NO_FOLLOW },
	};
	unsigned access = flags & O_DIRECTORY ? O_RDONLY : flags & O_ACCMODE;
	unsigned result = (access != O_WRONLY ? VFS_READ : 0u) | (access != O_RDONLY ? VFS_WRITE : 0u);

	for (unsigned i = 0; i < ARRAY_SIZE(table); i++)
		if (flags & table[i].linux_flag)
			result |= table[i].ours;
	return result & VFS_WRITE ? result : result & ~(unsigned)VFS_TRUNCATE;
}

static int open_device(const char *path, unsigned flags, struct open_file **out)
{
	struct vfs_stat st;
	int error = vfs_stat(path, &st);

	if (error)
		return error;
	if (st.kind == VFS_FIFO)
		return fifo_open(&st, flags, path, out);
	if (IS_ENABLED(CONFIG_BLOCK) && st.kind == VFS_BLOCK)
		return disk_open(st.device, flags, path, out);
	return st.kind == VFS_DEVICE ? device_open(st.device, flags, path, out) : -ENXIO;
}

/* --- names only (O_PATH) --- */

static int name_stat(struct open_file *f, struct linux_stat *out)
{
	struct vfs_stat st;
	int error = f->flags & O_NOFOLLOW ? vfs_lstat(f->path, &st) : vfs_stat(f->path, &st);

	if (!error)
		stat_from_vfs(&st, f->path, out);
	return error;
}

static int name_statfs(struct open_file *f, struct vfs_statfs *st)
{
	return vfs_statfs(f->path, st);
}

static const struct open_file_ops name_ops = { .stat = name_stat, .statfs = name_statfs };

static int open_name(const char *path, unsigned flags, struct open_file **out)
{
	struct vfs_stat st;
	int error = flags & O_NOFOLLOW ? vfs_lstat(path, &st) : vfs_stat(path, &st);

	if (error)
		return error;
	if ((flags & O_DIRECTORY) && st.kind != VFS_DIR)
		return -ENOTDIR;
	*out = open_file_new(&name_ops, flags & (O_PATH | O_NOFOLLOW | O_DIRECTORY), NULL, path);
	return *out ? 0 : -ENOMEM;
}

/* --- opening --- */

static int open_vfs(const char *path, unsigned flags, struct vfs_file **out)
{
	int error = vfs_open(path, vfs_flags(flags), out);

	if (error == -EISDIR && (flags & O_ACCMODE) == O_RDONLY && !(flags & O_CREAT))
		error = vfs_open(path, VFS_READ | VFS_DIRECTORY | (flags & O_NOFOLLOW ? VFS_NO_FOLLOW : 0u), out);
	return error == -ELOOP && (flags & O_DIRECTORY) && (flags & O_NOFOLLOW) ? -ENOTDIR : error;
}

int vfs_open_file(const char *path, unsigned flags, unsigned mode, struct open_file **out)
{
	struct vfs_file *file;
	int error;

	if (flags & O_PATH)
		return open_name(path, flags, out);
	if ((flags & O_DIRECTORY) && (flags & O_ACCMODE) != O_RDONLY) {
		error = vfs_open(path, VFS_READ | VFS_DIRECTORY, &file);
		return error ? error : (vfs_close(file), -EISDIR);
	}
	error = open_vfs(path, flags, &file);
	if (error == -ENOTSUP)
		return open_device(path, flags, out);
	if (error)
		return error;
	if (file->created)
		(void)!vfs_fset(file, &(struct vfs_stat){ .mode = mode }, VFS_SET_MODE);
	*out = open_file_new(&ops, flags & ~(unsigned)(O_CREAT | O_EXCL | O_TRUNC | O_CLOEXEC), file, path);
	if (*out)
		return 0;
	(void)!vfs_close(file);
	return -ENOMEM;
}

void stat_from_vfs(const struct vfs_stat *st, const char *path, struct linux_stat *out)
{
	static const uint32_t kinds[] = { [VFS_FILE] = LINUX_S_IFREG, [VFS_DIR] = LINUX_S_IFDIR, [VFS_LINK] = LINUX_S_IFLNK,
					  [VFS_DEVICE] = LINUX_S_IFCHR, [VFS_BLOCK] = LINUX_S_IFBLK, [VFS_FIFO] = LINUX_S_IFIFO,
					  [VFS_OTHER] = LINUX_S_IFCHR };
	uint64_t ino = st->ino ? st->ino : 14695981039346656037u;

	while (!st->ino && *path) /* a number for what has none: its path's hash */
		ino = (ino ^ (unsigned char)*path++) * 1099511628211u;
	*out = (struct linux_stat){
		.dev = st->mount, .ino = ino, .mode = kinds[st->kind] | st->mode, .nlink = st->ino ? st->links : 1,
		.uid = st->uid, .gid = st->gid, .rdev = st->device, .size = (int64_t)st->size,
		.blksize = PAGE_SIZE, .blocks = (int64_t)(st->room ? st->room : ALIGN_UP(st->ino ? 0 : st->size, 512)) / 512,
		.atime = (int64_t)(st->atime ? st->atime : st->mtime), .atime_ns = st->atime_ns,
		.mtime = (int64_t)st->mtime, .mtime_ns = st->mtime_ns,
		.ctime = (int64_t)(st->ctime ? st->ctime : st->mtime), .ctime_ns = st->ctime_ns,
	};
}

int vfs_source_open(const char *path, struct page_source **out)
{
	struct vfs_file *file;
	int error = vfs_open(path, VFS_READ, &file);

	if (error)
		return error;
	error = vfs_source(file, path, out);
	(void)!vfs_close(file);
	return error;
}
