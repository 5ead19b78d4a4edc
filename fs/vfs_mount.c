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
static struct mutex table_lock = MUTEX_INIT(table_lock); /* of both; before any mount's lock */

void vfs_register(struct fs_type *type)
{
	list_push_back(&types, &type->node);
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

/* Table lock held. The mount that a resolved path belongs to: the one with the longest path. */
static struct vfs_mount *find_mount(const char *path)
{
	struct vfs_mount *best = NULL;

	list_for_each(m, &mounts, struct vfs_mount, node)
		if (is_below(path, m->path) && (!best || strlen(m->path) > strlen(best->path)))
			best = m;
	return best;
}

/* Table lock held. */
static struct vfs_mount *find_exactly(const char *path)
{
	struct vfs_mount *m = find_mount(path);

	return m && !strcmp(m->path, path) ? m : NULL;
}

static struct vfs_mount *new_mount(const struct fs_type *type, const char *path, unsigned flags)
{
	struct vfs_mount *m = kzalloc(sizeof(*m) + strlen(path) + 1);

	if (!m)
		return NULL;
	m->type = type;
	m->path = strcpy((char *)(m + 1), path);
	m->read_only = flags & VFS_READ_ONLY;
	mutex_init(&m->lock);
	return m;
}

/* Table lock held; path is resolved. */
static int mount_at(const char *type_name, const char *source, const char *path, unsigned flags)
{
	const struct fs_type *type = find_type(type_name);
	struct vfs_mount *m;
	int err;

	if (!type)
		return -ENODEV;
	if (find_exactly(path))
		return -EBUSY;
	m = new_mount(type, path, flags);
	if (!m)
		return -ENOMEM;
	err = type->mount(m, source);
	if (err) {
		kfree(m);
		return err;
	}
	list_push_back(&mounts, &m->node);
	log_info("%s %s at %s%s", type_name, source, *path ? path : "/", m->read_only ? ", read-only" : "");
	return 0;
}

int vfs_mount(const char *type, const char *source, const char *path, unsigned flags)
{
	char *resolved = kalloc(VFS_PATH_MAX);
	int err;

	if (!resolved)
		return -ENOMEM;
	err = vfs_resolve(path, resolved);
	if (!err) {
		mutex_lock(&table_lock);
		err = mount_at(type, source, resolved, flags);
		mutex_unlock(&table_lock);
	}
	kfree(resolved);
	return err;
}

/* Table lock held. */
static bool has_mount_below(const struct vfs_mount *top)
{
	list_for_each(m, &mounts, struct vfs_mount, node)
		if (m != top && is_below(m->path, top->path))
			return true;
	return false;
}

/* Table lock held: nobody can enter it, and without users nobody is in it. */
static int unmount_at(const char *path)
{
	struct vfs_mount *m = find_exactly(path);
	int err;

	if (!m)
		return -EINVAL;
	if (m->users || has_mount_below(m))
		return -EBUSY;
	err = m->type->unmount(m);
	list_del(&m->node);
	kfree(m);
	return err;
}

int vfs_unmount(const char *path)
{
	char *resolved = kalloc(VFS_PATH_MAX);
	int err;

	if (!resolved)
		return -ENOMEM;
	err = vfs_resolve(path, resolved);
	if (!err) {
		mutex_lock(&table_lock);
		err = unmount_at(resolved);
		mutex_unlock(&table_lock);
	}
	kfree(resolved);
	return err;
}

void vfs_for_each_mount(bool (*fn)(const struct vfs_mount *m, void *arg), void *arg)
{
	mutex_lock(&table_lock);
	list_for_each(m, &mounts, struct vfs_mount, node)
		if (!fn(m, arg))
			break;
	mutex_unlock(&table_lock);
}

int vfs_enter_resolved(const char *path, struct vfs_place **out)
{
	struct vfs_place *place = kalloc(sizeof(*place));

	if (!place)
		return -ENOMEM;
	strcpy(place->path, path);
	mutex_lock(&table_lock);
	place->mount = find_mount(place->path);
	if (place->mount)
		place->mount->users++;
	mutex_unlock(&table_lock);
	if (!place->mount) {
		kfree(place);
		return -ENOENT;
	}
	place->rest = place->path + strlen(place->mount->path);
	place->rest += *place->rest == '/';
	*out = place;
	return 0;
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

void vfs_mount_put(struct vfs_mount *m)
{
	mutex_lock(&table_lock);
	m->users--;
	mutex_unlock(&table_lock);
}

bool vfs_mounts_below(const char *path)
{
	bool found = false;

	mutex_lock(&table_lock);
	list_for_each(m, &mounts, struct vfs_mount, node)
		found |= is_below(m->path, path);
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
	if (m)
		m->users--;
	if (node != &mounts) {
		next = list_entry(node, struct vfs_mount, node);
		next->users++;
	}
	mutex_unlock(&table_lock);
	return next;
}

int vfs_sync_all(void)
{
	int first_error = 0, err;

	for (struct vfs_mount *m = advance(NULL); m; m = advance(m)) {
		if (!m->type->sync || m->read_only)
			continue;
		mutex_lock(&m->lock);
		err = m->type->sync(m);
		mutex_unlock(&m->lock);
		first_error = first_error ? first_error : err;
	}
	return first_error;
}
