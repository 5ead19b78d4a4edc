/* tmpfs as a kind of file system (tmpfs.h). */
#include "tmpfs.h"

#include <errno.h>
#include <string.h>

#include <caisson/init.h>
#include <caisson/mm.h>
#include <caisson/rtc.h>

/** An open directory. */
struct cursor {
	struct node *dir;
	uint64_t seen;            /* number of the last entry that was read */
};

void node_touch(struct node *n)
{
	n->mtime = n->ctime = rtc_wall_ns();
}

void node_touch_about(struct node *n)
{
	n->ctime = rtc_wall_ns();
}

/* So many bytes a directory's entry is said to take, as in Linux's tmpfs; "." and ".." are two. */
#define ENTRY_BYTES 20

static uint64_t size_of(const struct node *n)
{
	return n->kind == VFS_DIR ? (2 + n->n_entries) * ENTRY_BYTES : n->size;
}

/* A directory has a name in its parent, one in itself, and one in each folder below. */
static unsigned links_of(const struct node *n)
{
	return n->kind == VFS_DIR ? n->names ? 2 + (unsigned)n->n_folders : 0 : n->names;
}

static void describe(const struct node *n, struct vfs_stat *st)
{
	const uint64_t second = 1000000000;

	*st = (struct vfs_stat){
		.kind = n->kind, .mode = n->mode, .size = size_of(n), .ino = n->ino,
		.mtime = n->mtime / second, .mtime_ns = (uint32_t)(n->mtime % second),
		.atime = n->atime / second, .atime_ns = (uint32_t)(n->atime % second),
		.ctime = n->ctime / second, .ctime_ns = (uint32_t)(n->ctime % second),
		.uid = n->uid, .gid = n->gid, .links = links_of(n), .device = n->device,
		.room = n->kind == VFS_FILE ? data_room(n) : 0,
	};
}

static void set(struct node *n, const struct vfs_stat *st, unsigned what)
{
	if (what & VFS_SET_MODE)
		n->mode = st->mode & 07777;
	if (what & VFS_SET_MTIME)
		n->mtime = st->mtime * 1000000000 + st->mtime_ns;
	if (what & VFS_SET_ATIME)
		n->atime = st->atime * 1000000000 + st->atime_ns;
	if (what & VFS_SET_UID)
		n->uid = st->uid;
	if (what & VFS_SET_GID)
		n->gid = st->gid;
	/* A program that acts for its owner does not do so for another one. */
	if ((what & (VFS_SET_UID | VFS_SET_GID)) && n->kind == VFS_FILE)
		n->mode &= n->mode & 010 ? ~06000u : ~04000u;
	node_touch_about(n);
}

/* --- open files --- */

static int file_close(struct vfs_file *f)
{
	struct node *n = f->data;

	n->open--;
	node_drop(n);
	return 0;
}

static int64_t file_read(struct vfs_file *f, void *data, size_t n, uint64_t pos)
{
	return data_read(f->data, data, n, pos);
}

static int64_t file_write(struct vfs_file *f, const void *data, size_t n, uint64_t pos)
{
	node_touch(f->data);
	return data_write(f->data, data, n, pos);
}

static int file_truncate(struct vfs_file *f, uint64_t size)
{
	node_touch(f->data);
	return data_truncate(f->data, size);
}

static int file_stat(struct vfs_file *f, struct vfs_stat *st)
{
	describe(f->data, st);
	return 0;
}

static int file_page(struct vfs_file *f, uint64_t offset, hpa_t *out)
{
	return data_page(f->data, offset, out);
}

static int file_set(struct vfs_file *f, const struct vfs_stat *st, unsigned what)
{
	set(f->data, st, what);
	return 0;
}

static int file_reserve(struct vfs_file *f, uint64_t pos, uint64_t n)
{
	node_touch(f->data);
	return data_reserve(f->data, pos, n);
}

static const struct vfs_file_ops file_ops = {
	.close = file_close, .read = file_read, .write = file_write, .truncate = file_truncate, .stat = file_stat,
	.set = file_set, .page = file_page, .mappable = true, .reserve = file_reserve,
};

static int dir_close(struct vfs_file *f)
{
	struct cursor *c = f->data;

	c->dir->open--;
	node_drop(c->dir);
	kfree(c);
	return 0;
}

static int dir_stat(struct vfs_file *f, struct vfs_stat *st)
{
	describe(((struct cursor *)f->data)->dir, st);
	return 0;
}

static int dir_set(struct vfs_file *f, const struct vfs_stat *st, unsigned what)
{
	set(((struct cursor *)f->data)->dir, st, what);
	return 0;
}

/* Entries stand in the order of their numbers, so what comes and goes meanwhile moves no reader. */
static int dir_readdir(struct vfs_file *f, struct vfs_dirent *d)
{
	struct cursor *c = f->data;

	list_for_each(e, &c->dir->entries, struct entry, link) {
		if (e->number <= c->seen)
			continue;
		c->seen = e->number;
		d->kind = e->node->kind;
		d->ino = e->node->ino;
		strcpy(d->name, e->name);
		return 1;
	}
	return 0;
}

static int dir_rewind(struct vfs_file *f)
{
	((struct cursor *)f->data)->seen = 0;
	return 0;
}

static const struct vfs_file_ops dir_ops = { .close = dir_close, .stat = dir_stat, .set = dir_set, .readdir = dir_readdir, .rewind = dir_rewind };

static int open_dir(struct node *n, struct vfs_file *f)
{
	struct cursor *c = kzalloc(sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->dir = n;
	n->open++;
	f->data = c;
	f->ops = &dir_ops;
	return 0;
}

/* --- paths --- */

/* A new node of a name that is free. */
static int create(struct tmpfs *fs, const char *path, enum vfs_kind kind, unsigned mode, struct node **out)
{
	struct node *dir, *n;
	const char *name;
	int err = node_find_parent(fs, path, &dir, &name);

	if (err)
		return err;
	if (node_entry(dir, name))
		return -EEXIST;
	n = node_new(fs, kind, mode);
	err = n ? node_add(dir, name, n) : -ENOMEM;
	if (err) {
		if (n)
			node_drop(n);
		return err == -ENOMEM ? -ENOSPC : err;
	}
	node_touch(n);
	n->atime = n->mtime;
	*out = n;
	return 0;
}

static int find_or_create(struct tmpfs *fs, const char *path, unsigned flags, bool *created, struct node **out)
{
	int err = node_find(fs, path, out);

	*created = err == -ENOENT && (flags & VFS_CREATE);
	if (*created)
		return create(fs, path, VFS_FILE, 0644, out);
	return !err && (flags & VFS_EXCLUSIVE) ? -EEXIST : err;
}

static int tmpfs_open(struct vfs_mount *m, const char *path, unsigned flags, struct vfs_file *f)
{
	struct node *n;
	int err = find_or_create(m->data, path, flags, &f->created, &n);

	if (err)
		return err;
	if (flags & VFS_DIRECTORY)
		return n->kind == VFS_DIR ? open_dir(n, f) : -ENOTDIR;
	if (n->kind != VFS_FILE)
		return n->kind == VFS_DIR ? -EISDIR : n->kind == VFS_LINK ? -ELOOP : -ENOTSUP;
	if ((flags & VFS_TRUNCATE) && !f->created) {
		err = data_truncate(n, 0);
		node_touch(n);
	}
	n->open++;
	f->data = n;
	f->ops = &file_ops;
	return err;
}

static int tmpfs_stat(struct vfs_mount *m, const char *path, struct vfs_stat *st)
{
	struct node *n;
	int err = node_find(m->data, path, &n);

	if (!err)
		describe(n, st);
	return err;
}

static int tmpfs_mkdir(struct vfs_mount *m, const char *path)
{
	struct node *n;

	return create(m->data, path, VFS_DIR, 0755, &n);
}

static int find_entry(struct tmpfs *fs, const char *path, struct node **dir, struct entry **out)
{
	const char *name;
	int err = node_find_parent(fs, path, dir, &name);

	if (err)
		return err;
	*out = node_entry(*dir, name);
	return *out ? 0 : -ENOENT;
}

static int tmpfs_unlink(struct vfs_mount *m, const char *path)
{
	struct node *dir;
	struct entry *e;
	int err = find_entry(m->data, path, &dir, &e);

	if (err)
		return err;
	if (e->node->kind == VFS_DIR)
		return -EISDIR;
	node_touch(dir);
	node_remove(dir, e);
	return 0;
}

static int tmpfs_rmdir(struct vfs_mount *m, const char *path)
{
	struct node *dir;
	struct entry *e;
	int err = find_entry(m->data, path, &dir, &e);

	if (err)
		return err;
	if (e->node->kind != VFS_DIR)
		return -ENOTDIR;
	if (!list_empty(&e->node->entries))
		return -ENOTEMPTY;
	node_touch(dir);
	node_remove(dir, e);
	return 0;
}

/* May `from` take the place of what has the name already? */
static int check_replaced(const struct node *from, const struct entry *to)
{
	if (from->kind == VFS_DIR && to->node->kind != VFS_DIR)
		return -ENOTDIR;
	if (from->kind != VFS_DIR && to->node->kind == VFS_DIR)
		return -EISDIR;
	return to->node->kind == VFS_DIR && !list_empty(&to->node->entries) ? -ENOTEMPTY : 0;
}

static bool is_inside(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	return !strncmp(path, dir, n) && path[n] == '/';
}

static int tmpfs_rename(struct vfs_mount *m, const char *from, const char *to)
{
	struct entry *old, *replaced;
	struct node *dir, *parent_of_old;
	const char *name;
	int err = find_entry(m->data, from, &parent_of_old, &old);

	if (!err && is_inside(to, from))
		err = -EINVAL;
	if (!err)
		err = node_find_parent(m->data, to, &dir, &name);
	if (err)
		return err;
	replaced = node_entry(dir, name);
	if (replaced && replaced->node == old->node)
		return 0;
	err = replaced ? check_replaced(old->node, replaced) : 0;
	if (!err)
		err = node_add(dir, name, old->node) ? -ENOSPC : 0;
	if (err)
		return err;
	if (replaced)
		node_remove(dir, replaced);
	node_touch(parent_of_old);
	node_remove(parent_of_old, old);
	return 0;
}

static int tmpfs_symlink(struct vfs_mount *m, const char *target, const char *path)
{
	struct tmpfs *fs = m->data;
	bool is_long = strlen(target) >= TARGET_LONG;
	char *copy = is_long && fs->pages >= fs->pages_max ? NULL : kalloc(strlen(target) + 1);
	struct node *n;
	int err = copy ? create(m->data, path, VFS_LINK, 0777, &n) : -ENOSPC;

	if (err) {
		kfree(copy);
		return err;
	}
	n->target = strcpy(copy, target);
	n->size = strlen(target);
	fs->pages += is_long;
	return 0;
}

static int64_t tmpfs_readlink(struct vfs_mount *m, const char *path, char *to, size_t n)
{
	struct node *link;
	int err = node_find(m->data, path, &link);

	if (err)
		return err;
	n = MIN(n, link->size);
	memcpy(to, link->target, n);
	return (int64_t)n;
}

static int tmpfs_link(struct vfs_mount *m, const char *from, const char *to)
{
	struct node *n, *dir;
	const char *name;
	int err = node_find(m->data, from, &n);

	if (!err && n->kind == VFS_DIR)
		err = -EPERM;
	if (!err)
		err = node_find_parent(m->data, to, &dir, &name);
	if (!err && node_entry(dir, name))
		err = -EEXIST;
	if (!err && n->fs->nodes >= n->fs->nodes_max)
		err = -ENOSPC;
	if (!err)
		node_touch_about(n);
	return err ? err : node_add(dir, name, n) ? -ENOSPC : 0;
}

static int tmpfs_mknod(struct vfs_mount *m, const char *path, enum vfs_kind kind, unsigned mode, uint64_t device)
{
	struct node *n;
	int err = create(m->data, path, kind, mode, &n);

	if (!err)
		n->device = device;
	return err;
}

static int tmpfs_set(struct vfs_mount *m, const char *path, const struct vfs_stat *st, unsigned what)
{
	struct node *n;
	int err = node_find(m->data, path, &n);

	if (!err)
		set(n, st, what);
	return err;
}

const struct fs_type tmpfs_type = {
	.name = "tmpfs", .mount = tmpfs_mount, .unmount = tmpfs_unmount, .open = tmpfs_open, .stat = tmpfs_stat,
	.mkdir = tmpfs_mkdir, .unlink = tmpfs_unlink, .rmdir = tmpfs_rmdir, .rename = tmpfs_rename,
	.symlink = tmpfs_symlink, .readlink = tmpfs_readlink, .link = tmpfs_link, .mknod = tmpfs_mknod, .set = tmpfs_set,
	.statfs = tmpfs_statfs,
};

static void register_tmpfs(void)
{
	static struct fs_type registered;

	registered = tmpfs_type;
	vfs_register(&registered);
}
CONSTRUCTOR(register_tmpfs);
