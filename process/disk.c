/* Disks as files: /dev/vda and so on. */
#include <errno.h>
#include <string.h>

#include <caisson/block.h>
#include <caisson/mm.h>
#include <caisson/mutex.h>

#include "device.h"
#include "linux_abi.h"
#include "thread.h"

enum { BLKROGET = 0x125e, BLKGETSIZE = 0x1260, BLKFLSBUF = 0x1261, BLKSSZGET = 0x1268, BLKPBSZGET = 0x127b };
#define BLKBSZGET UINT32_C(0x80081270)
#define BLKGETSIZE64 UINT32_C(0x80081272)

/** A disk that is open for writing: one claim for all who write. */
struct writing {
	struct block_claim claim;
	unsigned writers;
	struct list node;
};

struct disk_file {
	struct block_device *dev;
	struct writing *writing; /* NULL: for reading only */
	struct mutex lock;       /* of pos */
	uint64_t pos;
	char sector[BLOCK_SECTOR]; /* under the lock */
};

static struct list writings = LIST_INIT(writings);
static struct mutex writings_lock = MUTEX_INIT(writings_lock);

/* --- finding and claiming --- */

struct search {
	uint64_t number;
	unsigned n;
	struct block_device *found;
};

static bool is_it(struct block_device *dev, void *arg)
{
	struct search *s = arg;

	if (disk_number(s->n++) == s->number)
		s->found = dev;
	return !s->found;
}

struct block_device *disk_find(uint64_t number)
{
	struct search s = { .number = number };

	block_for_each(is_it, &s);
	return s.found;
}

static struct writing *find_writing(const struct block_device *dev)
{
	list_for_each(w, &writings, struct writing, node)
		if (w->claim.dev == dev)
			return w;
	return NULL;
}

/* The lock is held. */
static int new_writing(struct block_device *dev, struct writing **out)
{
	struct writing *w = kzalloc(sizeof(*w));
	int error = w ? block_claim(&w->claim, dev, BLOCK_EXCLUSIVE, "a program") : -ENOMEM;

	if (error) {
		kfree(w);
		return error;
	}
	list_push_back(&writings, &w->node);
	*out = w;
	return 0;
}

static int begin_writing(struct block_device *dev, struct writing **out)
{
	int error = 0;

	mutex_lock(&writings_lock);
	*out = find_writing(dev);
	if (!*out)
		error = new_writing(dev, out);
	if (!error)
		(*out)->writers++;
	mutex_unlock(&writings_lock);
	return error;
}

static void end_writing(struct writing *w)
{
	if (!w)
		return;
	mutex_lock(&writings_lock);
	if (--w->writers == 0) {
		list_del(&w->node);
		block_release(&w->claim);
		kfree(w);
	}
	mutex_unlock(&writings_lock);
}

/* --- bytes --- */

static uint64_t size_of(const struct disk_file *d)
{
	return d->dev->n_sectors * BLOCK_SECTOR;
}

/* What does not begin or end with a sector goes through one. The lock is held. @return bytes or negative errno */
static int64_t move_part(struct disk_file *d, char *data, size_t n, uint64_t pos, bool write)
{
	size_t within = pos % BLOCK_SECTOR;
	int error = block_read(d->dev, pos / BLOCK_SECTOR, d->sector, 1);

	n = MIN(n, BLOCK_SECTOR - within);
	if (error)
		return error;
	if (!write) {
		memcpy(data, d->sector + within, n);
		return (int64_t)n;
	}
	memcpy(d->sector + within, data, n);
	error = block_write(d->dev, pos / BLOCK_SECTOR, d->sector, 1);
	return error ? error : (int64_t)n;
}

static int64_t move_piece(struct disk_file *d, char *data, size_t n, uint64_t pos, bool write)
{
	uint32_t sectors = (uint32_t)(n / BLOCK_SECTOR);
	int error;

	if (pos % BLOCK_SECTOR || n < BLOCK_SECTOR)
		return move_part(d, data, n, pos, write);
	error = write ? block_write(d->dev, pos / BLOCK_SECTOR, data, sectors) : block_read(d->dev, pos / BLOCK_SECTOR, data, sectors);
	return error ? error : (int64_t)sectors * BLOCK_SECTOR;
}

/* The lock is held. @return bytes, fewer at the end of the disk; negative errno with none */
static int64_t move(struct disk_file *d, char *data, size_t n, uint64_t pos, bool write)
{
	size_t done = 0;

	if (pos >= size_of(d))
		return write && n ? -ENOSPC : 0;
	n = MIN(n, size_of(d) - pos);
	while (done < n) {
		int64_t moved = move_piece(d, data + done, n - done, pos + done, write);

		if (moved < 0)
			return done ? (int64_t)done : moved;
		done += (size_t)moved;
	}
	return (int64_t)done;
}

static int64_t move_on(struct disk_file *d, char *data, size_t n, bool write)
{
	int64_t done;

	mutex_lock(&d->lock);
	done = move(d, data, n, d->pos, write);
	if (done > 0)
		d->pos += (uint64_t)done;
	mutex_unlock(&d->lock);
	return done;
}

static int64_t move_at(struct disk_file *d, char *data, size_t n, uint64_t pos, bool write)
{
	int64_t done;

	mutex_lock(&d->lock);
	done = move(d, data, n, pos, write);
	mutex_unlock(&d->lock);
	return done;
}

static int64_t disk_read(struct open_file *f, void *data, size_t n)
{
	return move_on(f->data, data, n, false);
}

static int64_t disk_write(struct open_file *f, const void *data, size_t n)
{
	return move_on(f->data, (char *)data, n, true);
}

static int64_t disk_read_at(struct open_file *f, void *data, size_t n, uint64_t pos)
{
	return move_at(f->data, data, n, pos, false);
}

static int64_t disk_write_at(struct open_file *f, const void *data, size_t n, uint64_t pos)
{
	return move_at(f->data, (char *)data, n, pos, true);
}

/* --- the rest of a file --- */

static int64_t disk_seek(struct open_file *f, int64_t offset, enum vfs_whence whence)
{
	struct disk_file *d = f->data;
	int64_t pos, base;

	mutex_lock(&d->lock);
	base = whence == VFS_SEEK_SET ? 0 : whence == VFS_SEEK_CUR ? (int64_t)d->pos : (int64_t)size_of(d);
	if (__builtin_add_overflow(base, offset, &pos) || pos < 0)
		pos = -EINVAL;
	else
		d->pos = (uint64_t)pos;
	mutex_unlock(&d->lock);
	return pos;
}

static int disk_stat(struct open_file *f, struct linux_stat *out)
{
	struct vfs_stat st;
	int error = vfs_stat(f->path, &st);

	if (!error)
		stat_from_vfs(&st, f->path, out);
	return error;
}

static int disk_sync(struct open_file *f)
{
	struct disk_file *d = f->data;

	return d->dev->read_only ? 0 : block_flush(d->dev);
}

static int64_t disk_ioctl(struct open_file *f, struct thread *t, uint64_t request, uint64_t arg)
{
	const struct disk_file *d = f->data;
	struct user_mm *mm = t->process->mm;
	uint64_t bytes = size_of(d), sectors = d->dev->n_sectors, page = PAGE_SIZE;
	uint32_t read_only = d->dev->read_only, sector = BLOCK_SECTOR;

	switch (request) {
	case BLKGETSIZE64:
		return copy_to_user(mm, arg, &bytes, sizeof(bytes));
	case BLKGETSIZE:
		return copy_to_user(mm, arg, &sectors, sizeof(sectors));
	case BLKROGET:
		return copy_to_user(mm, arg, &read_only, sizeof(read_only));
	case BLKSSZGET:
	case BLKPBSZGET:
		return copy_to_user(mm, arg, &sector, sizeof(sector));
	case BLKBSZGET:
		return copy_to_user(mm, arg, &page, sizeof(page));
	case BLKFLSBUF:
		return disk_sync(f);
	default:
		return -ENOTTY;
	}
}

static void disk_release(struct open_file *f)
{
	struct disk_file *d = f->data;

	(void)!disk_sync(f);
	end_writing(d->writing);
	kfree(d);
}

static const struct open_file_ops disk_ops = {
	.read = disk_read, .write = disk_write, .read_at = disk_read_at, .write_at = disk_write_at, .seek = disk_seek,
	.stat = disk_stat, .sync = disk_sync, .ioctl = disk_ioctl, .release = disk_release,
};

int disk_open(uint64_t number, unsigned flags, const char *path, struct open_file **out)
{
	struct block_device *dev = disk_find(number);
	struct disk_file *d;
	int error = 0;

	if (!dev)
		return -ENXIO;
	d = kzalloc(sizeof(*d));
	if (!d)
		return -ENOMEM;
	d->dev = dev;
	mutex_init(&d->lock);
	if ((flags & O_ACCMODE) != O_RDONLY)
		error = begin_writing(dev, &d->writing);
	if (!error) {
		*out = open_file_new(&disk_ops, flags, d, path);
		if (*out)
			return 0;
		error = -ENOMEM;
		end_writing(d->writing);
	}
	kfree(d);
	return error;
}
