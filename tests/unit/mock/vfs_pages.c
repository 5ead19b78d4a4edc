/* Pages of files that are mapped, for tests that map none. */
#include <stdlib.h>

#include <fs/vfs_internal.h>

void vfs_pages_read(struct vfs_file *f, void *data, size_t n, uint64_t pos)
{
	(void)f, (void)data, (void)n, (void)pos;
	abort();
}

void vfs_pages_written(struct vfs_file *f, const void *data, size_t n, uint64_t pos)
{
	(void)f, (void)data, (void)n, (void)pos;
	abort();
}

void vfs_pages_resized(struct vfs_file *f, uint64_t from, uint64_t to, struct page_source **cut)
{
	(void)f, (void)from, (void)to, (void)cut;
	abort();
}

int vfs_pages_sync(struct vfs_file *f)
{
	(void)f;
	abort();
}

int vfs_pages_sync_all(struct vfs_mount *m)
{
	(void)m;
	abort();
}
