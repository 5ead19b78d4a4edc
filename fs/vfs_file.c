/* What is done to an open file. */
#include <errno.h>

#include <caisson/mm.h>
#include <caisson/vfs.h>

#include "vfs_internal.h"

int vfs_close(struct vfs_file *f)
{
	int err = 0;

	if (__atomic_fetch_sub(&f->refs, 1, __ATOMIC_ACQ_REL) != 1)
		return 0;
	vfs_mount_lock(f->mount);
	if (f->ops->close)
		err = f->ops->close(f);
	vfs_mount_unlock(f->mount);
	if (f->flags & VFS_WRITE)
		vfs_mount_writers(f->mount, -1);
	vfs_mount_put(f->mount);
	kfree(f);
	return err;
}

static int size_of(struct vfs_file *f, uint64_t *size)
{
	struct vfs_stat st;
	int err = f->ops->stat(f, &st);

	*size = st.size;
	return err;
}

/* --- bytes; the mount's lock is held --- */

/* May others see copies of the file's pages? */
static bool has_copies(const struct vfs_file *f)
{
	return vfs_has_mapped(f->mount) && !f->ops->page;
}

static int64_t read_bytes(struct vfs_file *f, void *data, size_t n, uint64_t pos)
{
	int64_t done = f->ops->read(f, data, n, pos);

	if (done > 0 && has_copies(f))
		vfs_pages_read(f, data, (size_t)done, pos);
	return done;
}

static int64_t write_bytes(struct vfs_file *f, const void *data, size_t n, uint64_t pos)
{
	bool mapped = has_copies(f);
	struct page_source *cut;
	uint64_t before = 0;
	int64_t done = mapped ? size_of(f, &before) : 0;

	if (!done)
		done = f->ops->write(f, data, n, pos);
	if (done > 0 && mapped) {
		vfs_pages_resized(f, before, MAX(before, pos + (uint64_t)done), &cut);
		vfs_pages_written(f, data, (size_t)done, pos);
	}
	return done;
}

static int resize(struct vfs_file *f, uint64_t size, struct page_source **cut)
{
	bool mapped = vfs_has_mapped(f->mount);
	uint64_t before = 0;
	int err = mapped ? size_of(f, &before) : 0;

	if (!err)
		err = f->ops->truncate(f, size);
	if (!err && mapped)
		vfs_pages_resized(f, before, size, cut);
	return err;
}

/* --- reading and writing --- */

int64_t vfs_read(struct vfs_file *f, void *data, size_t n)
{
	int64_t done;

	if (f->flags & VFS_DIRECTORY)
		return -EISDIR;
	if (!(f->flags & VFS_READ) || !f->ops->read)
		return -EBADF;
	vfs_mount_lock(f->mount);
	done = read_bytes(f, data, n, f->pos);
	if (done > 0)
		f->pos += (uint64_t)done;
	vfs_mount_unlock(f->mount);
	return done;
}

/* Mount's lock held. */
static int64_t write_locked(struct vfs_file *f, const void *data, size_t n, bool append)
{
	int64_t done = 0;

	if (append)
		done = size_of(f, &f->pos);
	if (done == 0 && n > 0)
		done = write_bytes(f, data, n, f->pos);
	if (done > 0)
		f->pos += (uint64_t)done;
	return done;
}

int64_t vfs_read_at(struct vfs_file *f, void *data, size_t n, uint64_t pos)
{
	int64_t done;

	if (!(f->flags & VFS_READ) || !f->ops->read)
		return f->flags & VFS_DIRECTORY ? -EISDIR : -EBADF;
	vfs_mount_lock(f->mount);
	done = read_bytes(f, data, n, pos);
	vfs_mount_unlock(f->mount);
	return done;
}

static int64_t write_file(struct vfs_file *f, const void *data, size_t n, bool append)
{
	int64_t done;

	if (!(f->flags & VFS_WRITE) || !f->ops->write)
		return -EBADF;
	vfs_mount_lock(f->mount);
	done = write_locked(f, data, n, append);
	vfs_mount_unlock(f->mount);
	return done;
}

int64_t vfs_write(struct vfs_file *f, const void *data, size_t n)
{
	return write_file(f, data, n, f->flags & VFS_APPEND);
}

int64_t vfs_append(struct vfs_file *f, const void *data, size_t n)
{
	return write_file(f, data, n, true);
}

int64_t vfs_write_at(struct vfs_file *f, const void *data, size_t n, uint64_t pos)
{
	int64_t done;

	if (!(f->flags & VFS_WRITE) || !f->ops->write)
		return -EBADF;
	vfs_mount_lock(f->mount);
	done = n ? write_bytes(f, data, n, pos) : 0;
	vfs_mount_unlock(f->mount);
	return done;
}

static int base_of(struct vfs_file *f, enum vfs_whence whence, uint64_t *base)
{
	switch (whence) {
	case VFS_SEEK_SET:
		*base = 0;
		return 0;
	case VFS_SEEK_CUR:
		*base = f->pos;
		return 0;
	case VFS_SEEK_END:
		return size_of(f, base);
	}
	return -EINVAL;
}

/* Mount's lock held. */
static int64_t seek_locked(struct vfs_file *f, int64_t offset, enum vfs_whence whence)
{
	uint64_t base;
	int64_t pos;
	int err = base_of(f, whence, &base);

	if (err)
		return err;
	if (__builtin_add_overflow((int64_t)base, offset, &pos) || pos < 0)
		return -EINVAL;
	f->pos = (uint64_t)pos;
	return pos;
}

int64_t vfs_seek(struct vfs_file *f, int64_t offset, enum vfs_whence whence)
{
	int64_t pos;

	if (f->flags & VFS_DIRECTORY)
		return -EISDIR;
	vfs_mount_lock(f->mount);
	pos = seek_locked(f, offset, whence);
	vfs_mount_unlock(f->mount);
	return pos;
}

int vfs_truncate(struct vfs_file *f, uint64_t size)
{
	struct page_source *cut = NULL;
	int err;

	if (!(f->flags & VFS_WRITE) || !f->ops->truncate)
		return -EBADF;
	vfs_mount_lock(f->mount);
	err = resize(f, size, &cut);
	vfs_mount_unlock(f->mount);
	vfs_pages_cut(cut, size);
	return err;
}

int vfs_reserve(struct vfs_file *f, uint64_t pos, uint64_t n)
{
	int err;

	if (!(f->flags & VFS_WRITE))
		return -EBADF;
	if (!f->ops->reserve)
		return -ENOTSUP;
	vfs_mount_lock(f->mount);
	err = f->ops->reserve(f, pos, n);
	vfs_mount_unlock(f->mount);
	return err;
}

int vfs_sync(struct vfs_file *f)
{
	int err;

	if (!f->ops->sync)
		return 0;
	vfs_mount_lock(f->mount);
	err = vfs_has_mapped(f->mount) ? vfs_pages_sync(f) : 0;
	if (!err)
		err = f->ops->sync(f);
	vfs_mount_unlock(f->mount);
	return err;
}

int vfs_fstat(struct vfs_file *f, struct vfs_stat *st)
{
	int err;

	vfs_mount_lock(f->mount);
	err = f->ops->stat(f, st);
	st->mount = f->mount->number;
	vfs_mount_unlock(f->mount);
	return err;
}

int vfs_readdir(struct vfs_file *f, struct vfs_dirent *d)
{
	int err;

	if (!(f->flags & VFS_DIRECTORY) || !f->ops->readdir)
		return -ENOTDIR;
	vfs_mount_lock(f->mount);
	err = f->ops->readdir(f, d);
	vfs_mount_unlock(f->mount);
	return err;
}

int vfs_fset(struct vfs_file *f, const struct vfs_stat *st, unsigned what)
{
	int err;

	vfs_mount_lock(f->mount);
	err = f->mount->read_only || !f->ops->set ? -EROFS : f->ops->set(f, st, what);
	vfs_mount_unlock(f->mount);
	return err;
}

int vfs_rewind(struct vfs_file *f)
{
	int err;

	if (!(f->flags & VFS_DIRECTORY) || !f->ops->rewind)
		return -ENOTDIR;
	vfs_mount_lock(f->mount);
	err = f->ops->rewind(f);
	vfs_mount_unlock(f->mount);
	return err;
}
