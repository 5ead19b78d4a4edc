/*
 * The pages of files that are mapped.
 *
 * A file has one source of pages for all who map it, as long as anybody does. The pages of a file system that has frames
 * of its own (tmpfs) are these; of any other the source keeps copies. A copy that somebody may have written through a shared
 * mapping is dirty, and stays so; it goes back to the file at msync, fsync and sync, and with the last mapping. What is
 * read() is then the copy, and what is write()n goes to the copies, too: both see the same file at any time.
 *
 * Sources are found, and their pages changed, under the mount's lock.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define LOG_NAME "vfs"
#include <caisson/aspace.h>
#include <caisson/log.h>
#include <caisson/mm.h>
#include <caisson/page_set.h>

#include "vfs_internal.h"

struct vfs_pages {
	struct page_source source;
	struct vfs_mount *mount;
	struct list node;         /* of the mount's */
	struct vfs_file *file;    /* open for writing if any is that was mapped; one reference */
	struct page_set copies;   /* empty where the file system has the frames */
	char path[];              /* for people */
};

static struct vfs_pages *of(const struct page_source *s)
{
	return container_of(s, struct vfs_pages, source);
}

/* --- the mount's lock is held --- */

static struct vfs_pages *find(const struct vfs_file *f)
{
	list_for_each(p, &f->mount->mapped, struct vfs_pages, node)
		if (p->file->data == f->data && p->file->ops == f->ops)
			return p;
	return NULL;
}

static int size_of(struct vfs_file *f, uint64_t *size)
{
	struct vfs_stat st = { .size = 0 };
	int err = f->ops->stat(f, &st);

	*size = st.size;
	return err;
}

static int new_copy(struct vfs_pages *p, uint64_t offset, hpa_t *out)
{
	uint64_t size;
	int64_t n;
	int err = size_of(p->file, &size);

	if (err || offset >= size)
		return err ? err : -ENXIO;
	err = frame_alloc(0, FRAME_ZERO, out);
	if (err)
		return err;
	n = p->file->ops->read(p->file, hpa_to_kva(*out), PAGE_SIZE, offset);
	if (n >= 0 && page_set_add(&p->copies, offset, *out))
		return 0;
	frame_put(*out);
	return n < 0 ? (int)n : -ENOMEM;
}

static int copy_page(struct vfs_pages *p, uint64_t offset, hpa_t *out)
{
	struct page_slot *slot = page_set_find(&p->copies, offset);
	int err = slot ? 0 : new_copy(p, offset, out);

	if (slot)
		*out = slot->frame;
	if (!err)
		frame_get(*out);
	return err;
}

static int write_slot(struct vfs_pages *p, const struct page_slot *slot, uint64_t size)
{
	size_t len = MIN(PAGE_SIZE, size - slot->offset);
	int64_t n = p->file->ops->write(p->file, hpa_to_kva(slot->frame), len, slot->offset);

	return n < 0 ? (int)n : (size_t)n < len ? -EIO : 0;
}

static int write_back(struct vfs_pages *p, uint64_t from, uint64_t end)
{
	uint64_t size;
	int err = size_of(p->file, &size);

	for (struct page_slot *slot = page_set_from(&p->copies, from); slot && !err; slot = page_set_next(slot)) {
		if (slot->offset >= MIN(end, size))
			break;
		if (slot->dirty)
			err = write_slot(p, slot, size);
	}
	return err;
}

void vfs_pages_read(struct vfs_file *f, void *data, size_t n, uint64_t pos)
{
	const struct vfs_pages *p = find(f);

	for (struct page_slot *slot = p ? page_set_from(&p->copies, ALIGN_DOWN(pos, PAGE_SIZE)) : NULL;
	     slot && slot->offset < pos + n; slot = page_set_next(slot)) {
		uint64_t first = MAX(pos, slot->offset), last = MIN(pos + n, slot->offset + PAGE_SIZE);

		if (slot->dirty)
			memcpy((char *)data + (first - pos), (char *)hpa_to_kva(slot->frame) + (first - slot->offset), last - first);
	}
}

void vfs_pages_written(struct vfs_file *f, const void *data, size_t n, uint64_t pos)
{
	const struct vfs_pages *p = find(f);

	for (struct page_slot *slot = p ? page_set_from(&p->copies, ALIGN_DOWN(pos, PAGE_SIZE)) : NULL;
	     slot && slot->offset < pos + n; slot = page_set_next(slot)) {
		uint64_t first = MAX(pos, slot->offset), last = MIN(pos + n, slot->offset + PAGE_SIZE);

		memcpy((char *)hpa_to_kva(slot->frame) + (first - slot->offset), (const char *)data + (first - pos), last - first);
	}
}

/* What lies behind a file's end in its last page is zeros, whoever wrote there: it may become the file's. */
void vfs_pages_resized(struct vfs_file *f, uint64_t from, uint64_t to, struct page_source **cut)
{
	struct vfs_pages *p = find(f);
	uint64_t end = MIN(from, to);
	struct page_slot *slot;

	if (!p)
		return;
	slot = page_set_find(&p->copies, ALIGN_DOWN(end, PAGE_SIZE));
	if (slot && end % PAGE_SIZE)
		memset((char *)hpa_to_kva(slot->frame) + end % PAGE_SIZE, 0, PAGE_SIZE - end % PAGE_SIZE);
	if (to >= from)
		return;
	page_set_cut(&p->copies, ALIGN_UP(to, PAGE_SIZE));
	page_source_get(&p->source);
	*cut = &p->source;
}

int vfs_pages_sync(struct vfs_file *f)
{
	struct vfs_pages *p = find(f);

	return p ? write_back(p, 0, UINT64_MAX) : 0;
}

int vfs_pages_sync_all(struct vfs_mount *m)
{
	int first_error = 0, err;

	list_for_each(p, &m->mapped, struct vfs_pages, node) {
		err = write_back(p, 0, UINT64_MAX);
		first_error = first_error ? first_error : err;
	}
	return first_error;
}

/* --- the source's functions --- */

static int pages_page(struct page_source *s, uint64_t offset, hpa_t *out)
{
	struct vfs_pages *p = of(s);
	int err;

	mutex_lock(&p->mount->lock);
	err = p->file->ops->page ? p->file->ops->page(p->file, offset, out) : copy_page(p, offset, out);
	mutex_unlock(&p->mount->lock);
	return err;
}

static int pages_dirty(struct page_source *s, uint64_t offset)
{
	struct vfs_pages *p = of(s);
	struct page_slot *slot;

	mutex_lock(&p->mount->lock);
	slot = page_set_find(&p->copies, offset);
	if (slot)
		slot->dirty = true;
	mutex_unlock(&p->mount->lock);
	return slot ? 0 : -ENXIO; /* the file has become shorter meanwhile */
}

static int pages_sync(struct page_source *s, uint64_t offset, uint64_t size)
{
	struct vfs_pages *p = of(s);
	int err;

	mutex_lock(&p->mount->lock);
	err = write_back(p, offset, offset + size);
	if (!err && p->file->ops->sync)
		err = p->file->ops->sync(p->file);
	mutex_unlock(&p->mount->lock);
	return err;
}

static void pages_release(struct page_source *s)
{
	struct vfs_pages *p = of(s);
	bool last;
	int err = 0;

	mutex_lock(&p->mount->lock);
	last = page_source_drop(s);
	if (last) {
		err = write_back(p, 0, UINT64_MAX);
		list_del(&p->node);
	}
	mutex_unlock(&p->mount->lock);
	if (!last)
		return;
	if (err)
		log_error("%s: what was written to its mapped pages is lost: error %d", p->path, -err);
	page_set_cut(&p->copies, 0);
	(void)!vfs_close(p->file);
	kfree(p);
}

static int pages_name(const struct page_source *s, char *to, size_t size)
{
	return snprintf(to, size, "%s", of(s)->path);
}

static const struct page_source_ops frames_ops = { .page = pages_page, .release = pages_release, .name = pages_name };
static const struct page_source_ops copies_ops = {
	.page = pages_page, .dirty = pages_dirty, .sync = pages_sync, .release = pages_release, .name = pages_name,
};

/* --- making --- */

static void file_get(struct vfs_file *f)
{
	__atomic_fetch_add(&f->refs, 1, __ATOMIC_RELAXED);
}

static struct vfs_pages *new_pages(struct vfs_file *f, const char *path)
{
	struct vfs_pages *p = kzalloc(sizeof(*p) + strlen(path) + 1);

	if (!p)
		return NULL;
	strcpy(p->path, path);
	p->source = (struct page_source){ f->ops->page ? &frames_ops : &copies_ops, 1 };
	p->mount = f->mount;
	p->file = f;
	file_get(f);
	list_push_back(&f->mount->mapped, &p->node);
	return p;
}

/* One more reference; who may write takes the place of who may not, to write back one day. @return whom to close */
static struct vfs_file *share(struct vfs_pages *p, struct vfs_file *f)
{
	struct vfs_file *old = p->file;

	page_source_get(&p->source);
	if ((old->flags & VFS_WRITE) || !(f->flags & VFS_WRITE))
		return NULL;
	file_get(f);
	p->file = f;
	return old;
}

int vfs_source(struct vfs_file *f, const char *path, struct page_source **out)
{
	struct vfs_file *replaced = NULL;
	struct vfs_pages *p;

	if (!f->ops->mappable)
		return -ENODEV;
	mutex_lock(&f->mount->lock);
	p = find(f);
	if (p)
		replaced = share(p, f);
	else
		p = new_pages(f, path);
	mutex_unlock(&f->mount->lock);
	if (replaced)
		(void)!vfs_close(replaced);
	*out = p ? &p->source : NULL;
	return p ? 0 : -ENOMEM;
}
