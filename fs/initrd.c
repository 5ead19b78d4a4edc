/*
 * The initrd as a kind of file system, read-only.
 *
 * Mounting sorts what the archive holds by path, a slash before everything else: what is in a
 * directory then stands right behind it. Directories that the archive does not
 * mention but has something in exist all the same. Devices are seen, not opened.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <caisson/fs.h>
#include <caisson/init.h>
#include <caisson/mm.h>
#include <caisson/vfs.h>

struct node {
	const char *path;          /* in the archive */
	size_t length;             /* of the path, without a slash at its end */
	struct initrd_entry entry;
};

struct tree {
	size_t n, room;
	struct node nodes[];       /* by path */
};

/** An open directory. */
struct cursor {
	size_t first, next;        /* the node that came first; the one to look at */
	size_t length;             /* of the directory's path */
	char path[];
};

/* --- the order of paths --- */

static int order_of(const char *path, size_t length, size_t i)
{
	if (i == length)
		return 0;
	return path[i] == '/' ? 1 : (unsigned char)path[i] + 1;
}

static int compare(const char *a, size_t a_length, const char *b, size_t b_length)
{
	size_t i = 0;

	while (i < a_length && i < b_length && a[i] == b[i])
		i++;
	return order_of(a, a_length, i) - order_of(b, b_length, i);
}

/* Of several with one path the first in the archive counts, as in initrd_open. */
static int compare_nodes(const void *a, const void *b)
{
	const struct node *x = a, *y = b;
	int order = compare(x->path, x->length, y->path, y->length);

	return order ? order : x->path < y->path ? -1 : x->path > y->path;
}

/* The first node that does not come before a path. */
static size_t lower_bound(const struct tree *t, const char *path, size_t length)
{
	size_t low = 0, high = t->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare(t->nodes[middle].path, t->nodes[middle].length, path, length) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool is_inside(const struct node *node, const char *dir, size_t length)
{
	return length == 0 || (node->length > length && node->path[length] == '/' && !memcmp(node->path, dir, length));
}

/* --- reading the archive --- */

static bool component_is_name(const char *component, size_t n)
{
	if (n == 0 || n > VFS_NAME_MAX)
		return false;
	return !(component[0] == '.' && (n == 1 || (n == 2 && component[1] == '.')));
}

/* A path that can be reached: paths arrive here resolved. */
static bool path_is_reachable(const char *path, size_t length)
{
	size_t start = 0;

	if (length + 2 > VFS_PATH_MAX)
		return false;
	for (size_t i = 0; i <= length; i++)
		if (i == length || path[i] == '/') {
			if (!component_is_name(path + start, i - start))
				return false;
			start = i + 1;
		}
	return true;
}

static bool count_entry(const struct initrd_entry *e, void *arg)
{
	(void)e;
	(*(size_t *)arg)++;
	return true;
}

static bool add_entry(const struct initrd_entry *e, void *arg)
{
	struct tree *t = arg;
	size_t length = strlen(e->file.path);

	while (length > 0 && e->file.path[length - 1] == '/')
		length--;
	if (path_is_reachable(e->file.path, length))
		t->nodes[t->n++] = (struct node){ e->file.path, length, *e };
	return t->n < t->room;
}

static int initrd_mount(struct vfs_mount *m, const char *source)
{
	struct tree *t;
	size_t n = 0;

	(void)source;
	if (!initrd_present())
		return -ENODEV;
	/* initrd_init has told of damage; what is before it is served. */
	(void)initrd_for_each_entry(count_entry, &n);
	t = kzalloc(sizeof(*t) + n * sizeof(t->nodes[0]));
	if (!t)
		return -ENOMEM;
	t->room = n;
	if (n)
		(void)initrd_for_each_entry(add_entry, t);
	qsort(t->nodes, t->n, sizeof(t->nodes[0]), compare_nodes);
	m->data = t;
	m->read_only = true;
	return 0;
}

static int initrd_unmount(struct vfs_mount *m)
{
	kfree(m->data);
	return 0;
}

/* --- paths and files --- */

/* @return 0 with the node, or with NULL for a directory that is only implied; -ENOENT. */
static int find(const struct tree *t, const char *path, const struct node **out)
{
	size_t length = strlen(path), i = lower_bound(t, path, length);

	*out = NULL;
	if (length == 0)
		return 0;
	if (i == t->n)
		return -ENOENT;
	if (t->nodes[i].length == length && !memcmp(t->nodes[i].path, path, length)) {
		*out = &t->nodes[i];
		return 0;
	}
	return is_inside(&t->nodes[i], path, length) ? 0 : -ENOENT;
}

static void describe(const struct node *node, struct vfs_stat *st)
{
	*st = (struct vfs_stat){ .kind = VFS_DIR, .mode = 0755 };
	if (!node)
		return;
	st->mode = node->entry.mode & 07777;
	st->mtime = node->entry.mtime;
	if ((node->entry.mode & INITRD_TYPE) == INITRD_DIRECTORY)
		return;
	st->kind = (node->entry.mode & INITRD_TYPE) == INITRD_REGULAR ? VFS_FILE :
		   (node->entry.mode & INITRD_TYPE) == INITRD_LINK ? VFS_LINK : VFS_OTHER;
	st->size = node->entry.file.size;
}

static int initrd_stat(struct vfs_mount *m, const char *path, struct vfs_stat *st)
{
	const struct node *node;
	int err = find(m->data, path, &node);

	if (!err)
		describe(node, st);
	return err;
}

static int64_t initrd_readlink(struct vfs_mount *m, const char *path, char *to, size_t n)
{
	const struct node *node;
	int err = find(m->data, path, &node);

	if (err || !node)
		return err ? err : -EINVAL;
	n = MIN(n, node->entry.file.size);
	memcpy(to, node->entry.file.data, n);
	return (int64_t)n;
}

static int64_t file_read(struct vfs_file *f, void *data, size_t n, uint64_t pos)
{
	const struct node *node = f->data;
	const struct file *file = &node->entry.file;

	if (pos >= file->size)
		return 0;
	n = MIN(n, file->size - pos);
	memcpy(data, (const char *)file->data + pos, n);
	return (int64_t)n;
}

static int file_stat(struct vfs_file *f, struct vfs_stat *st)
{
	describe(f->data, st);
	return 0;
}

static const struct vfs_file_ops file_ops = { .read = file_read, .stat = file_stat, .mappable = true };

/* --- directories --- */

static int dir_close(struct vfs_file *f)
{
	kfree(f->data);
	return 0;
}

static int dir_stat(struct vfs_file *f, struct vfs_stat *st)
{
	struct cursor *c = f->data;

	return initrd_stat(f->mount, c->path, st);
}

/* Everything below one name makes one entry. */
static int dir_readdir(struct vfs_file *f, struct vfs_dirent *d)
{
	const struct tree *t = f->mount->data;
	struct cursor *c = f->data;
	const struct node *node = c->next < t->n ? &t->nodes[c->next] : NULL;
	size_t start = c->length ? c->length + 1 : 0, n;
	struct vfs_stat st;

	if (!node || !is_inside(node, c->path, c->length))
		return 0;
	n = strcspn(node->path + start, "/");
	memcpy(d->name, node->path + start, n);
	d->name[n] = '\0';
	describe(node->length == start + n ? node : NULL, &st);
	d->kind = st.kind;
	do
		c->next++;
	while (c->next < t->n && t->nodes[c->next].length >= start + n &&
	       !memcmp(t->nodes[c->next].path, node->path, start + n) &&
	       (t->nodes[c->next].length == start + n || t->nodes[c->next].path[start + n] == '/'));
	return 1;
}

static int dir_rewind(struct vfs_file *f)
{
	struct cursor *c = f->data;

	c->next = c->first;
	return 0;
}

static const struct vfs_file_ops dir_ops = { .close = dir_close, .stat = dir_stat, .readdir = dir_readdir, .rewind = dir_rewind };

static int open_dir(struct vfs_mount *m, const char *path, bool has_node, struct vfs_file *f)
{
	size_t length = strlen(path);
	struct cursor *c = kalloc(sizeof(*c) + length + 1);
	const struct tree *t = m->data;

	if (!c)
		return -ENOMEM;
	c->length = length;
	strcpy(c->path, path);
	c->next = lower_bound(t, path, length);
	while (has_node && c->next < t->n && t->nodes[c->next].length == length &&
	       !memcmp(t->nodes[c->next].path, path, length))
		c->next++;
	c->first = c->next;
	f->data = c;
	f->ops = &dir_ops;
	return 0;
}

static int initrd_open_path(struct vfs_mount *m, const char *path, unsigned flags, struct vfs_file *f)
{
	const struct node *node;
	struct vfs_stat st;
	int err = find(m->data, path, &node);

	if (err)
		return err;
	describe(node, &st);
	if (flags & VFS_DIRECTORY)
		return st.kind == VFS_DIR ? open_dir(m, path, node, f) : -ENOTDIR;
	if (st.kind != VFS_FILE)
		return st.kind == VFS_DIR ? -EISDIR : st.kind == VFS_LINK ? -ELOOP : -ENOTSUP;
	f->data = (void *)node;
	f->ops = &file_ops;
	return 0;
}

static struct fs_type initrd_type = {
	.name = "initrd",
	.mount = initrd_mount,
	.unmount = initrd_unmount,
	.open = initrd_open_path,
	.stat = initrd_stat,
	.readlink = initrd_readlink,
};

static void register_initrd(void)
{
	vfs_register(&initrd_type);
}
CONSTRUCTOR(register_initrd);
