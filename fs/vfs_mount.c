/* Kinds of file systems, the table of mounts, and which mount a path belongs to. */
#include <errno.h>
#include <string.h>

#define LOG_NAME "vfs"
#include <caisson/log.h>
#include <caisson/mm.h>
#include <caisson/vfs.h>

#include "vfs_internal.h"

static struct list types = LIST_INIT(types);
static struct list mounts = LIST_INIT(mounts);
static struct mutex table_lock = MUTEX_INIT(table_lock); /* of both; after any mount's lock */

static uint64_t last_number; /* under the table's lock */

void vfs_register(struct fs_type *type)
{
	list_push_back(&types, &type->node);
}

void vfs_for_each_type(bool (*fn)(const struct fs_type *type, void *arg), void *arg)
{
	list_for_each(t, &types, struct fs_type, node)
		if (!fn(t, arg))
			break;
}

static const struct fs_type *find_type(const char *name)
{
	list_for_each(t, &types, struct fs_type, node)
		if (!strcmp(t->name, name))
			return t;
	return NULL;
}

/** Is `path` (resolved) at or below `top`? */
static bool is_below(const char *path, const char *top)
{
	size_t n = strlen(top);

	return !strncmp(path, top, n) && (path[n] == '/' || path[n] == '\0');
}

/*
 * Table lock held. The mount that a resolved path belongs to: of those that are at the path or above the newest, since one
 * that came later at a place above hides what was mounted below. The newest stand last.
 */
static struct vfs_mount *find_mount(const char *path)
{
	struct vfs_mount *newest = NULL;

	list_for_each(m, &mounts, struct vfs_mount, node)
		if (is_below(path, m->path))
			newest = m;
	return newest;
}

/* Table lock held. */
static struct vfs_mount *find_exactly(const char *path)
{
	struct vfs_mount *m = find_mount(path);

	return m && !strcmp(m->path, path) ? m : NULL;
}

/* --- mounting --- */

/** What vfs_mount_with was asked for, its path resolved. */
struct wish {
	const char *type, *source, *path, *options, *name;
	unsigned flags;
};

static struct vfs_mount *new_mount(const struct fs_type *type, const struct wish *w)
{
	size_t path = strlen(w->path) + 1;
	struct vfs_mount *m = kzalloc(sizeof(*m) + path + strlen(w->name) + 1);

	if (!m)
		return NULL;
	m->type = type;
	m->path = strcpy((char *)(m + 1), w->path);
	m->source = strcpy(m->path + path, w->name);
	m->options = w->options;
	m->read_only = w->flags & VFS_READ_ONLY;
	mutex_init(&m->lock);
	list_init(&m->mapped);
	return m;
}

static unsigned count_mounts(void)
{
	unsigned n = 0;

	list_for_each(m, &mounts, struct vfs_mount, node)
		n++;
	return n;
}

/* Table lock held. */
static int mount_at(const struct wish *w)
{
	const struct fs_type *type = find_type(w->type);
	struct vfs_mount *m;
	int err;

	if (!type)
		return -ENODEV;
	if (find_exactly(w->path) || count_mounts() >= VFS_MOUNTS_MAX)
		return find_exactly(w->path) ? -EBUSY : -ENOSPC;
	m = new_mount(type, w);
	if (!m)
		return -ENOMEM;
	err = type->mount(m, w->source);
	m->options = NULL;
	if (err) {
		kfree(m);
		return err;
	}
	m->number = ++last_number;
	list_push_back(&mounts, &m->node);
	log_info("%s %s at %s%s", w->type, w->name, *w->path ? w->path : "/", m->read_only ? ", read-only" : "");
	return 0;
}

/* Table lock held. */
static bool has_mount_below(const struct vfs_mount *top)
{
	list_for_each(m, &mounts, struct vfs_mount, node)
		if (m->number > top->number && is_below(m->path, top->path))
			return true;
	return false;
}

/* Table lock held; nobody uses it or can find it. */
static int end_mount(struct vfs_mount *m)
{
	int err = m->type->unmount(m);

	kfree(m);
	return err;
}

/* Table lock held: nobody can enter it, and without users nobody is in it. */
static int unmount_at(const struct wish *w)
{
	struct vfs_mount *m = find_exactly(w->path);

	if (!m)
		return -EINVAL;
	if (m->users || has_mount_below(m))
		return -EBUSY;
	list_del(&m->node);
	return end_mount(m);
}

/* Table lock held. @return what the last one to end by now said */
static int detach_at(const struct wish *w)
{
	const struct vfs_mount *top = find_exactly(w->path);
	uint64_t oldest = top ? top->number : 0;
	int err = 0;

	if (!top)
		return -EINVAL;
	list_for_each_safe(m, next, &mounts, struct vfs_mount, node) {
		if (m->number < oldest || !is_below(m->path, w->path))
			continue;
		list_del(&m->node);
		m->detached = true;
		if (!m->users)
			err = end_mount(m);
	}
	return err;
}

/* Do something to the table of mounts at w->path. */
static int change_table(int (*fn)(const struct wish *w), struct wish *w)
{
	char *resolved = kalloc(VFS_PATH_MAX);
	int err;

	if (!resolved)
		return -ENOMEM;
	err = vfs_resolve(w->path, resolved);
	if (!err) {
		w->path = resolved;
		mutex_lock(&table_lock);
		err = fn(w);
		mutex_unlock(&table_lock);
	}
	kfree(resolved);
	return err;
}

int vfs_mount_with(const char *type, const char *source, const char *path, unsigned flags, const char *options, const char *name)
{
	return change_table(mount_at, &(struct wish){ type, source, path, options ? options : "", name ? name : source, flags });
}

int vfs_mount(const char *type, const char *source, const char *path, unsigned flags)
{
	return vfs_mount_with(type, source, path, flags, NULL, NULL);
}

int vfs_unmount_with(const char *path, unsigned flags)
{
	return change_table(flags & VFS_DETACH ? detach_at : unmount_at, &(struct wish){ .path = path });
}

int vfs_unmount(const char *path)
{
	return vfs_unmount_with(path, 0);
}

/* Nobody begins to write while it becomes read-only: who opens for that counts as a writer, then looks at read_only. */
static int set_read_only(struct vfs_mount *m, bool read_only)
{
	int err = 0;

	mutex_lock(&table_lock);
	if (read_only && m->writers)
		err = -EBUSY;
	else
		m->read_only = read_only;
	mutex_unlock(&table_lock);
	return err;
}

static int remount(struct vfs_mount *m, bool read_only)
{
	bool before;
	int err;

	vfs_mount_lock(m);
	before = m->read_only;
	err = set_read_only(m, read_only);
	if (!err && m->type->remount && before != read_only)
		err = m->type->remount(m, read_only);
	if (err)
		m->read_only = before;
	vfs_mount_unlock(m);
	return err;
}

int vfs_remount(const char *path, bool read_only)
{
	char *resolved = kalloc(VFS_PATH_MAX);
	struct vfs_mount *m = NULL;
	const char *rest;
	int err = resolved ? vfs_resolve(path, resolved) : -ENOMEM;

	if (!err)
		m = vfs_mount_of(resolved, &rest);
	if (m)
		err = *rest ? -EINVAL : remount(m, read_only);
	else if (!err)
		err = -EINVAL;
	if (m)
		vfs_mount_put(m);
	kfree(resolved);
	return err;
}

bool vfs_is_mount(const char *path)
{
	bool found;

	mutex_lock(&table_lock);
	found = find_exactly(path);
	mutex_unlock(&table_lock);
	return found;
}

void vfs_for_each_mount(bool (*fn)(const struct vfs_mount *m, void *arg), void *arg)
{
	mutex_lock(&table_lock);
	list_for_each(m, &mounts, struct vfs_mount, node)
		if (!fn(m, arg))
			break;
	mutex_unlock(&table_lock);
}

struct vfs_mount *vfs_mount_of(const char *path, const char **rest)
{
	struct vfs_mount *m;

	mutex_lock(&table_lock);
	m = find_mount(path);
	if (m)
		m->users++;
	mutex_unlock(&table_lock);
	if (!m)
		return NULL;
	*rest = path + strlen(m->path);
	*rest += **rest == '/';
	return m;
}

void vfs_leave(struct vfs_place *place)
{
	vfs_mount_put(place->mount);
	kfree(place);
}

void vfs_mount_get(struct vfs_mount *m)
{
	mutex_lock(&table_lock);
	m->users++;
	mutex_unlock(&table_lock);
}

/* Table lock held. */
static void put_locked(struct vfs_mount *m)
{
	if (--m->users == 0 && m->detached && end_mount(m))
		log_error("a mount that was detached could not be written back");
}

void vfs_mount_put(struct vfs_mount *m)
{
	mutex_lock(&table_lock);
	put_locked(m);
	mutex_unlock(&table_lock);
}

void vfs_mount_writers(struct vfs_mount *m, int change)
{
	mutex_lock(&table_lock);
	m->writers += (unsigned)change;
	mutex_unlock(&table_lock);
}

bool vfs_mounts_below(const char *path)
{
	bool found = false;

	mutex_lock(&table_lock);
	list_for_each(m, &mounts, struct vfs_mount, node)
		found |= is_below(m->path, path) && find_mount(m->path) == m; /* a hidden one is not there */
	mutex_unlock(&table_lock);
	return found;
}

/* Stop using one mount and use the next in the table, or from its beginning. @return NULL at the end. */
static struct vfs_mount *advance(struct vfs_mount *m)
{
	struct vfs_mount *next = NULL;
	struct list *node;

	mutex_lock(&table_lock);
	node = m ? m->node.next : mounts.next;
	if (node != &mounts && !(m && m->detached)) { /* else the rest of the table is not to be found from here */
		next = list_entry(node, struct vfs_mount, node);
		next->users++;
	}
	if (m)
		put_locked(m);
	mutex_unlock(&table_lock);
	return next;
}

int vfs_sync_all(void)
{
	int first_error = 0, err;

	for (struct vfs_mount *m = advance(NULL); m; m = advance(m)) {
		if (!m->type->sync)
			continue;
		vfs_mount_lock(m);
		err = vfs_has_mapped(m) ? vfs_pages_sync_all(m) : 0;
		if (!err && !m->read_only)
			err = m->type->sync(m);
		vfs_mount_unlock(m);
		first_error = first_error ? first_error : err;
	}
	return first_error;
}

static int statfs_of(struct vfs_mount *m, struct vfs_statfs *st)
{
	int err = 0;

	*st = (struct vfs_statfs){ .block_size = PAGE_SIZE };
	vfs_mount_lock(m);
	if (m->type->statfs)
		err = m->type->statfs(m, st);
	st->type = m->type;
	st->mount = m->number;
	st->read_only = m->read_only;
	vfs_mount_unlock(m);
	return err;
}

int vfs_statfs(const char *path, struct vfs_statfs *st)
{
	struct vfs_place *place;
	struct vfs_stat found;
	int err = vfs_enter(path, FOLLOW_ALWAYS, &place);

	if (err)
		return err;
	vfs_mount_lock(place->mount);
	err = place->mount->type->stat(place->mount, place->rest, &found);
	vfs_mount_unlock(place->mount);
	if (!err)
		err = statfs_of(place->mount, st);
	vfs_leave(place);
	return err;
}

int vfs_fstatfs(struct vfs_file *f, struct vfs_statfs *st)
{
	return statfs_of(f->mount, st);
}
