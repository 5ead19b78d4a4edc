/* Paths: each component is looked at on the way, and symbolic links are followed. */
#include <errno.h>
#include <string.h>

#include <caisson/mm.h>
#include <caisson/vfs.h>

#include "vfs_internal.h"

struct walk {
	char out[VFS_PATH_MAX];    /* where it has led so far: resolved, no links */
	size_t len;
	char rest[VFS_PATH_MAX];   /* what is still to be walked, from rest[at] on: it ends where the array ends */
	size_t at;
	unsigned links;
	enum vfs_follow follow;
	bool slash, dots;          /* of the last component */
	char target[VFS_PATH_MAX]; /* of a link */
};

/* The next component leaves `rest`. @return its length; 0: there are no more */
static size_t take(struct walk *w, const char **component)
{
	size_t n;

	w->at += strspn(w->rest + w->at, "/");
	n = strcspn(w->rest + w->at, "/");
	*component = w->rest + w->at;
	w->at += n;
	return n;
}

/* Is nothing but slashes left? */
static bool is_last(const struct walk *w)
{
	return w->rest[w->at + strspn(w->rest + w->at, "/")] == '\0';
}

static int append(struct walk *w, const char *component, size_t n)
{
	if (n > VFS_NAME_MAX || w->len + 1 + n >= VFS_PATH_MAX)
		return -ENAMETOOLONG;
	w->out[w->len++] = '/';
	memcpy(w->out + w->len, component, n);
	w->len += n;
	w->out[w->len] = '\0';
	return 0;
}

static void step_back(struct walk *w)
{
	while (w->len > 0 && w->out[--w->len] != '/')
		;
	w->out[w->len] = '\0';
}

/* In a mount, its lock held. A link's target goes to w->target. @return enum vfs_kind, or negative errno */
static int look_in(struct walk *w, struct vfs_mount *m, const char *rest)
{
	struct vfs_stat st;
	int64_t n;
	int err = m->type->stat(m, rest, &st);

	if (err)
		return err;
	if (st.kind != VFS_LINK || !m->type->readlink)
		return (int)st.kind;
	n = m->type->readlink(m, rest, w->target, sizeof(w->target) - 1);
	if (n < 0)
		return (int)n;
	w->target[n] = '\0';
	return VFS_LINK;
}

/* What stands where `out` leads. @return enum vfs_kind, -ENOENT or another error */
static int look(struct walk *w)
{
	const char *rest;
	struct vfs_mount *m = vfs_mount_of(w->out, &rest);
	int kind = -ENOENT;

	if (m && !*rest)
		kind = VFS_DIR;
	else if (m) {
		vfs_mount_lock(m);
		kind = look_in(w, m, rest);
		vfs_mount_unlock(m);
	}
	if (m)
		vfs_mount_put(m);
	/* The way to a mount need not exist. */
	return kind == -ENOENT && vfs_mounts_below(w->out) ? VFS_DIR : kind;
}

/* Go on with the link's target, then with the rest. */
static int follow(struct walk *w)
{
	size_t n = strlen(w->target);

	if (n == 0)
		return -ENOENT;
	if (++w->links > VFS_LINKS_MAX)
		return -ELOOP;
	if (n > w->at)
		return -ENAMETOOLONG;
	w->at -= n;
	memcpy(w->rest + w->at, w->target, n);
	if (w->target[0] == '/') {
		w->len = 0;
		w->out[0] = '\0';
	} else {
		step_back(w);
	}
	return 0;
}

/* A component has been added to `out`. */
static int check(struct walk *w)
{
	bool last = is_last(w);
	int kind;

	w->slash = last && w->rest[w->at] == '/';
	if (last && (w->follow == FOLLOW_NEVER || (w->follow == FOLLOW_SLASH && !w->slash)))
		return 0;
	kind = look(w);
	if (kind == -ENOENT && last)
		return 0; /* found out by whoever wants it */
	if (kind == VFS_LINK)
		return follow(w);
	if (kind >= 0 && kind != VFS_DIR && (!last || w->slash))
		return -ENOTDIR;
	return MIN(kind, 0);
}

static int walk(struct walk *w)
{
	const char *component;
	size_t n;
	int err = 0;

	w->dots = true;
	while (!err && (n = take(w, &component)) > 0) {
		bool is_dot = n == 1 && component[0] == '.', is_parent = n == 2 && component[0] == '.' && component[1] == '.';

		w->dots = is_dot || is_parent;
		if (is_parent)
			step_back(w);
		if (w->dots)
			continue;
		err = append(w, component, n);
		if (!err)
			err = check(w);
	}
	return err;
}

/* @return 0 with *out for kfree, or negative errno */
static int walk_path(const char *path, enum vfs_follow follow_last, struct walk **out)
{
	size_t n = strnlen(path, VFS_PATH_MAX);
	struct walk *w;
	int err;

	if (path[0] != '/' || n == VFS_PATH_MAX)
		return n == VFS_PATH_MAX ? -ENAMETOOLONG : -EINVAL;
	w = kalloc(sizeof(*w));
	if (!w)
		return -ENOMEM;
	w->len = w->links = 0;
	w->out[0] = '\0';
	w->follow = follow_last;
	w->slash = false;
	w->at = VFS_PATH_MAX - 1 - n;
	memcpy(w->rest + w->at, path, n + 1);
	err = walk(w);
	if (err)
		kfree(w);
	else
		*out = w;
	return err;
}

int vfs_real_path(const char *path, char *out)
{
	struct walk *w;
	int err = walk_path(path, FOLLOW_ALWAYS, &w);

	if (err)
		return err;
	memcpy(out, w->out, w->len + 1);
	kfree(w);
	return 0;
}

int vfs_enter(const char *path, enum vfs_follow follow_last, struct vfs_place **out)
{
	struct vfs_place *place;
	struct walk *w;
	int err = walk_path(path, follow_last, &w);

	if (err)
		return err;
	place = kalloc(sizeof(*place) + w->len + 1);
	if (place) {
		memcpy(place->path, w->out, w->len + 1);
		place->slash = w->slash;
		place->dots = w->dots;
	}
	kfree(w);
	if (!place)
		return -ENOMEM;
	place->mount = vfs_mount_of(place->path, &place->rest);
	if (!place->mount) {
		kfree(place);
		return -ENOENT;
	}
	*out = place;
	return 0;
}
