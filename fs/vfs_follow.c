/* Paths through symbolic links: each component is looked at on the way. */
#include <errno.h>
#include <string.h>

#include <caisson/mm.h>
#include <caisson/vfs.h>

#include "vfs_internal.h"

struct walk {
	char out[VFS_PATH_MAX];    /* where it has led so far: resolved, no links */
	size_t len;
	char rest[VFS_PATH_MAX];   /* what is still to be walked */
	unsigned links;
	char target[VFS_PATH_MAX]; /* of a link */
	char joined[VFS_PATH_MAX];
};

/* The next component leaves `rest`. @return its length; 0: there are no more */
static size_t take(struct walk *w, const char **component, bool *last)
{
	char *at = w->rest + strspn(w->rest, "/");
	size_t n = strcspn(at, "/");

	memmove(w->rest, at, strlen(at) + 1);
	*component = w->rest;
	*last = w->rest[n + strspn(w->rest + n, "/")] == '\0';
	return n;
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

/* Is what `out` names a link? Then its target is in w->target. @return 1, 0 or negative errno */
static int read_link(struct walk *w)
{
	struct vfs_place *place;
	struct vfs_stat st;
	int64_t n = 0;
	int err = vfs_enter_resolved(w->out, &place);

	if (err)
		return err == -ENOENT ? 0 : err;
	if (place->mount->type->readlink && *place->rest) {
		mutex_lock(&place->mount->lock);
		err = place->mount->type->stat(place->mount, place->rest, &st);
		if (!err && st.kind == VFS_LINK)
			n = place->mount->type->readlink(place->mount, place->rest, w->target, sizeof(w->target) - 1);
		mutex_unlock(&place->mount->lock);
	}
	vfs_leave(place);
	if (n <= 0) /* what is not there is found out by whoever wants it */
		return (int)n;
	w->target[n] = '\0';
	return 1;
}

/* Go on with the link's target, then with the rest. */
static int follow(struct walk *w)
{
	size_t n = strlen(w->target), rest = strlen(w->rest);

	if (++w->links > VFS_LINKS_MAX)
		return -ELOOP;
	if (n + 1 + rest >= VFS_PATH_MAX)
		return -ENAMETOOLONG;
	memcpy(w->joined, w->target, n);
	w->joined[n] = '/';
	memcpy(w->joined + n + 1, w->rest, rest + 1);
	strcpy(w->rest, w->joined);
	if (w->target[0] == '/') {
		w->len = 0;
		w->out[0] = '\0';
	} else {
		step_back(w);
	}
	return 0;
}

static int walk(struct walk *w, bool follow_last)
{
	const char *component;
	bool last;
	size_t n;
	int err = 0;

	while (!err && (n = take(w, &component, &last)) > 0) {
		bool dots = component[0] == '.' && (n == 1 || (n == 2 && component[1] == '.'));

		if (dots && n == 2)
			step_back(w);
		else if (!dots)
			err = append(w, component, n);
		memmove(w->rest, w->rest + n, strlen(w->rest + n) + 1);
		if (err || dots || (last && !follow_last))
			continue;
		err = read_link(w);
		if (err > 0)
			err = follow(w);
	}
	return err;
}

static int real_path(const char *path, bool follow_last, char *out)
{
	struct walk *w;
	int err;

	if (path[0] != '/')
		return -EINVAL;
	if (strlen(path) >= VFS_PATH_MAX)
		return -ENAMETOOLONG;
	w = kalloc(sizeof(*w));
	if (!w)
		return -ENOMEM;
	w->len = w->links = 0;
	w->out[0] = '\0';
	strcpy(w->rest, path);
	err = walk(w, follow_last);
	if (!err)
		strcpy(out, w->out);
	kfree(w);
	return err;
}

int vfs_real_path(const char *path, char *out)
{
	return real_path(path, true, out);
}

int vfs_enter(const char *path, bool follow_last, struct vfs_place **out)
{
	char *resolved = kalloc(VFS_PATH_MAX);
	int err = resolved ? real_path(path, follow_last, resolved) : -ENOMEM;

	if (!err)
		err = vfs_enter_resolved(resolved, out);
	kfree(resolved);
	return err;
}
