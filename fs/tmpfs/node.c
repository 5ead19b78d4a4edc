/* Nodes of a tmpfs and the names they have. */
#include <errno.h>
#include <string.h>

#include <caisson/mm.h>

#include "tmpfs.h"

struct node *node_new(struct tmpfs *fs, enum vfs_kind kind, unsigned mode)
{
	struct node *n = fs->nodes < fs->nodes_max ? kzalloc(sizeof(*n)) : NULL;

	if (!n)
		return NULL;
	fs->nodes++;
	n->fs = fs;
	n->kind = kind;
	n->mode = mode & 07777;
	n->ino = ++fs->last_ino;
	if (kind == VFS_DIR)
		list_init(&n->entries);
	return n;
}

void node_drop(struct node *n)
{
	if (n->names || n->open)
		return;
	if (n->kind == VFS_FILE)
		data_free(n);
	if (n->kind == VFS_LINK) {
		n->fs->pages -= n->size >= TARGET_LONG;
		kfree(n->target);
	}
	n->fs->nodes--;
	kfree(n);
}

static uint32_t hash_of(const char *name, size_t n)
{
	uint32_t hash = 2166136261u;

	for (; n > 0; n--)
		hash = (hash ^ (unsigned char)*name++) * 16777619u;
	return hash;
}

/* One component of n bytes. */
static struct entry *find(const struct node *dir, const char *name, size_t n)
{
	uint32_t hash = hash_of(name, n);

	list_for_each(e, &dir->entries, struct entry, link)
		if (e->hash == hash && !strncmp(e->name, name, n) && e->name[n] == '\0')
			return e;
	return NULL;
}

struct entry *node_entry(const struct node *dir, const char *name)
{
	return find(dir, name, strlen(name));
}

/* From the root along the first len bytes of a path. */
static int walk(struct tmpfs *fs, const char *path, size_t len, struct node **out)
{
	const char *end = path + len;

	*out = fs->root;
	while (path < end) {
		size_t n = MIN(strcspn(path, "/"), (size_t)(end - path));
		const struct entry *e;

		if ((*out)->kind != VFS_DIR)
			return -ENOTDIR;
		e = find(*out, path, n);
		if (!e)
			return -ENOENT;
		*out = e->node;
		path += n;
		path += path < end && *path == '/';
	}
	return 0;
}

int node_find(struct tmpfs *fs, const char *path, struct node **out)
{
	return walk(fs, path, strlen(path), out);
}

int node_find_parent(struct tmpfs *fs, const char *path, struct node **dir, const char **name)
{
	const char *slash = strrchr(path, '/');
	int err = walk(fs, path, slash ? (size_t)(slash - path) : 0, dir);

	*name = slash ? slash + 1 : path;
	return !err && (*dir)->kind != VFS_DIR ? -ENOTDIR : err;
}

int node_add(struct node *dir, const char *name, struct node *n)
{
	size_t len = strlen(name);
	struct entry *e = kalloc(sizeof(*e) + len + 1);

	if (!e)
		return -ENOMEM;
	strcpy(e->name, name);
	e->node = n;
	e->hash = hash_of(name, len);
	e->number = ++dir->fs->last_ino;
	dir->fs->nodes += n->names++ > 0;
	list_push_back(&dir->entries, &e->link);
	dir->n_entries++;
	dir->n_folders += n->kind == VFS_DIR;
	node_touch(dir);
	return 0;
}

void node_remove(struct node *dir, struct entry *e)
{
	struct node *n = e->node;

	list_del(&e->link);
	dir->n_entries--;
	dir->n_folders -= n->kind == VFS_DIR;
	kfree(e);
	n->fs->nodes -= --n->names > 0; /* the last one is the node's own */
	node_touch_about(n);
	node_drop(n);
}
