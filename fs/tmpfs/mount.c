/* Mounting a tmpfs: its options, and what it has room for. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <caisson/mm.h>

#include "tmpfs.h"

struct limits {
	uint64_t size, nodes;     /* bytes; 0: as by itself */
	unsigned mode;
};

/* A number with k, m or g behind it. @return 0 or -EINVAL */
static int read_size(const char *text, size_t n, uint64_t *out)
{
	char *end;
	uint64_t value = strtoull(text, &end, 10);
	unsigned shift = *end == 'k' ? 10 : *end == 'm' ? 20 : *end == 'g' ? 30 : 0;

	end += shift != 0;
	if (text[0] < '0' || text[0] > '9' || end != text + n || value << shift >> shift != value)
		return -EINVAL;
	*out = value << shift;
	return 0;
}

static int read_mode(const char *text, size_t n, unsigned *out)
{
	char *end;
	unsigned long value = strtoul(text, &end, 8);

	if (text[0] < '0' || text[0] > '7' || end != text + n || value > 07777)
		return -EINVAL;
	*out = (unsigned)value;
	return 0;
}

static bool begins(const char *text, const char *with)
{
	return !strncmp(text, with, strlen(with));
}

static int read_option(const char *text, size_t n, struct limits *l)
{
	if (begins(text, "size="))
		return read_size(text + 5, n - 5, &l->size);
	if (begins(text, "nr_inodes="))
		return read_size(text + 10, n - 10, &l->nodes);
	if (begins(text, "mode="))
		return read_mode(text + 5, n - 5, &l->mode);
	return n ? -EINVAL : 0;
}

static int read_options(const char *options, struct limits *l)
{
	int err = 0;

	while (*options && !err) {
		size_t n = strcspn(options, ",");

		err = read_option(options, n, l);
		options += n + (options[n] == ',');
	}
	return err;
}

int tmpfs_mount(struct vfs_mount *m, const char *source)
{
	struct limits l = { .mode = 0755 };
	struct tmpfs *fs;
	int err = read_options(m->options, &l);

	(void)source;
	if (err)
		return err;
	fs = kzalloc(sizeof(*fs));
	if (!fs)
		return -ENOMEM;
	fs->pages_max = l.size ? l.size / PAGE_SIZE + (l.size % PAGE_SIZE != 0) : frame_free_count() / 2;
	fs->nodes_max = l.nodes ? l.nodes : MAX(frame_free_count() / 2, (uint64_t)1);
	fs->root = node_new(fs, VFS_DIR, l.mode);
	if (!fs->root || frame_counts_start()) {
		kfree(fs->root);
		kfree(fs);
		return -ENOMEM;
	}
	fs->root->names = 1;
	node_touch(fs->root);
	fs->root->atime = fs->root->mtime;
	m->data = fs;
	return 0;
}

/* Without a stack of directories: the first thing below that is none, or is empty, goes. */
static void remove_all(struct node *root)
{
	while (!list_empty(&root->entries)) {
		struct entry *e = list_first(&root->entries, struct entry, link);
		struct node *dir = root;

		while (e->node->kind == VFS_DIR && !list_empty(&e->node->entries)) {
			dir = e->node;
			e = list_first(&dir->entries, struct entry, link);
		}
		node_remove(dir, e);
	}
}

int tmpfs_unmount(struct vfs_mount *m)
{
	struct tmpfs *fs = m->data;

	remove_all(fs->root);
	kfree(fs->root);
	kfree(fs);
	return 0;
}

int tmpfs_statfs(struct vfs_mount *m, struct vfs_statfs *st)
{
	const struct tmpfs *fs = m->data;

	st->blocks = fs->pages_max;
	st->blocks_free = fs->pages_max - fs->pages;
	st->files = fs->nodes_max;
	st->files_free = fs->nodes_max - fs->nodes;
	return 0;
}
