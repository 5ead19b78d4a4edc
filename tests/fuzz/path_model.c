/* See path_model.h. */
#include "path_model.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct model model;

struct mnode *m_new(enum vfs_kind kind, unsigned fs)
{
	struct mnode *n = calloc(1, sizeof(*n));

	n->kind = kind;
	n->fs = fs;
	return n;
}

void m_drop(struct mnode *n)
{
	if (n->names == 0 && n->open == 0)
		free(n);
}

static struct ment **m_entry(struct mnode *dir, const char *name)
{
	struct ment **e = &dir->entries;

	while (*e && strcmp((*e)->name, name))
		e = &(*e)->next;
	return e;
}

/* What stands there, below a mount its root. */
struct mnode *m_child(struct mnode *dir, const char *name)
{
	struct ment *e = *m_entry(dir, name);

	return !e ? NULL : e->node->cover ? e->node->cover : e->node;
}

static struct mnode *m_parent(struct mnode *dir)
{
	if (dir->covered)
		dir = dir->covered;
	return dir->parent ? dir->parent : dir;
}

static void m_add(struct mnode *dir, const char *name, struct mnode *n)
{
	struct ment *e = calloc(1, sizeof(*e)), **end = &dir->entries;

	strcpy(e->name, name);
	e->node = n;
	n->names++;
	if (n->kind == VFS_DIR)
		n->parent = dir;
	while (*end)
		end = &(*end)->next;
	*end = e;
}

static void m_remove(struct mnode *dir, const char *name)
{
	struct ment **place = m_entry(dir, name), *e = *place;

	*place = e->next;
	e->node->names--;
	m_drop(e->node);
	free(e);
}

int m_walk(const char *path, enum follow follow, struct mplace *r)
{
	char rest[4096], next[4096], comp[VFS_NAME_MAX + 2];
	struct mnode *cur = model.root;
	unsigned links = 0;

	*r = (struct mplace){ .dir = model.root, .node = model.root, .dots = true };
	snprintf(rest, sizeof(rest), "%s", path);
	for (;;) {
		char *at = rest + strspn(rest, "/");
		size_t n = strcspn(at, "/");
		bool last = !at[n + strspn(at + n, "/")];
		struct mnode *child;

		if (!n)
			return 0;
		if (n > VFS_NAME_MAX)
			return -ENAMETOOLONG;
		memcpy(comp, at, n);
		comp[n] = '\0';
		memmove(rest, at + n, strlen(at + n) + 1);
		r->dots = !strcmp(comp, ".") || !strcmp(comp, "..");
		if (r->dots) {
			cur = comp[1] ? m_parent(cur) : cur;
			r->node = cur;
			continue;
		}
		child = m_child(cur, comp);
		r->dir = cur;
		r->node = child;
		strcpy(r->name, comp);
		r->slash = last && rest[0] == '/';
		if (last && (follow == NEVER || (follow == SLASH && !r->slash)))
			return 0;
		if (!child)
			return last ? 0 : -ENOENT;
		if (child->kind == VFS_LINK) {
			if (++links > VFS_LINKS_MAX)
				return -ELOOP;
			if (strlen(child->target) + strlen(rest) >= VFS_PATH_MAX)
				return -ENAMETOOLONG;
			snprintf(next, sizeof(next), "%s%s", child->target, rest);
			strcpy(rest, next);
			if (child->target[0] == '/')
				cur = model.root;
			r->node = cur;
			r->dots = true;
			continue;
		}
		if (child->kind != VFS_DIR && (!last || r->slash))
			return -ENOTDIR;
		if (child->kind == VFS_DIR)
			cur = child;
	}
}

/* The root of a mount, by whatever name. */
bool m_is_root(const struct mplace *r)
{
	return r->node && (r->node == model.root || r->node->covered);
}

static bool m_mounts_below(const struct mnode *n)
{
	if (!n || n->kind != VFS_DIR)
		return false;
	if (n->covered || n == model.root || n->cover)
		return true;
	for (const struct ment *e = n->entries; e; e = e->next)
		if (m_mounts_below(e->node))
			return true;
	return false;
}

static bool m_is_inside(const struct mnode *dir, const struct mnode *of)
{
	for (; dir && dir != of; dir = dir->parent)
		;
	return dir;
}

/* --- the model's calls --- */

int m_make(const char *path, enum vfs_kind kind, const char *target, bool is_mkdir)
{
	struct mplace r;
	int err = m_walk(path, NEVER, &r);

	if (err)
		return err;
	if (r.dots || m_is_root(&r) || r.node)
		return -EEXIST;
	if (r.slash && !is_mkdir)
		return -ENOENT;
	m_add(r.dir, r.name, m_new(kind, r.dir->fs));
	if (target)
		strcpy(m_child(r.dir, r.name)->target, target);
	return 0;
}

int m_unlink(const char *path)
{
	struct mplace r;
	int err = m_walk(path, NEVER, &r);

	if (err)
		return err;
	if (r.dots || m_is_root(&r))
		return -EISDIR;
	if (!r.node)
		return -ENOENT;
	if (r.node->kind == VFS_DIR || r.slash)
		return r.node->kind == VFS_DIR ? -EISDIR : -ENOTDIR;
	m_remove(r.dir, r.name);
	return 0;
}

int m_rmdir(const char *path)
{
	struct mplace r;
	int err = m_walk(path, NEVER, &r);
	size_t n = strlen(path);

	if (err)
		return err;
	if (r.dots) {
		while (n > 0 && path[n - 1] == '/')
			n--;
		return n == 0 ? -EBUSY : n >= 2 && path[n - 2] == '.' ? -ENOTEMPTY : -EINVAL;
	}
	if (!r.node)
		return -ENOENT;
	if (m_mounts_below(r.node))
		return -EBUSY;
	if (r.node->kind != VFS_DIR)
		return -ENOTDIR;
	if (r.node->entries)
		return -ENOTEMPTY;
	m_remove(r.dir, r.name);
	return 0;
}

int m_link(const char *from, const char *to)
{
	struct mplace a, b;
	int err = m_walk(from, SLASH, &a);

	if (!err)
		err = m_walk(to, NEVER, &b);
	if (err)
		return err;
	if (b.dots || m_is_root(&b) || (b.slash && b.node))
		return -EEXIST;
	if (b.slash)
		return -ENOENT;
	if ((a.node ? a.node->fs : a.dir->fs) != b.dir->fs)
		return -EXDEV;
	if (!a.node)
		return -ENOENT;
	if (a.node->kind == VFS_DIR || b.node)
		return a.node->kind == VFS_DIR ? -EPERM : -EEXIST;
	m_add(b.dir, b.name, a.node);
	return 0;
}

int m_rename(const char *from, const char *to)
{
	struct mplace a, b;
	int err = m_walk(from, NEVER, &a);

	if (!err)
		err = m_walk(to, NEVER, &b);
	if (err)
		return err;
	if (m_is_root(&a) || m_is_root(&b))
		return -EBUSY;
	/* A place whose last component is dots is in the mount of the directory that it is. */
	if ((a.dots ? a.node : a.dir)->fs != (b.dots ? b.node : b.dir)->fs)
		return -EXDEV;
	if (a.dots || b.dots || m_mounts_below(a.node) || m_mounts_below(b.node))
		return -EBUSY;
	if (!a.node)
		return -ENOENT;
	if (a.node->kind != VFS_DIR && (a.slash || b.slash))
		return -ENOTDIR;
	if (a.node->kind == VFS_DIR && b.dir != a.node->parent && m_is_inside(b.dir, a.node))
		return -EINVAL;
	if (a.node == b.node)
		return 0;
	if (b.node) {
		if (a.node->kind == VFS_DIR && b.node->kind != VFS_DIR)
			return -ENOTDIR;
		if (a.node->kind != VFS_DIR && b.node->kind == VFS_DIR)
			return -EISDIR;
		if (b.node->kind == VFS_DIR && b.node->entries)
			return -ENOTEMPTY;
	}
	m_add(b.dir, b.name, a.node);
	if (b.node)
		m_remove(b.dir, b.name); /* the older entry of the two */
	m_remove(a.dir, a.name);
	return 0;
}

int m_open(const char *path, bool create, bool exclusive, struct mnode **out)
{
	struct mplace r;
	int err = m_walk(path, create && exclusive ? SLASH : ALWAYS, &r);

	if (err)
		return err;
	if (create && r.slash)
		return -EISDIR;
	if (r.node && exclusive && create)
		return -EEXIST;
	if (!r.node && !create)
		return -ENOENT;
	if (!r.node)
		m_add(r.dir, r.name, r.node = m_new(VFS_FILE, r.dir->fs));
	if (r.node->kind != VFS_FILE)
		return r.node->kind == VFS_DIR ? -EISDIR : -ELOOP;
	*out = r.node;
	return 0;
}

void m_free(struct mnode *dir)
{
	while (dir->entries) {
		struct ment *e = dir->entries;

		if (e->node->kind == VFS_DIR)
			m_free(e->node);
		m_remove(dir, e->name);
	}
}

bool m_has_mounts_inside(const struct mnode *dir)
{
	for (const struct ment *e = dir->entries; e; e = e->next)
		if (m_mounts_below(e->node))
			return true;
	return false;
}

void m_unmount(struct mnode *top)
{
	top->covered->cover = NULL;
	m_free(top);
	free(top);
	for (unsigned i = 0; i < model.n_mounts; i++)
		if (model.mounts[i] == top)
			model.mounts[i] = model.mounts[--model.n_mounts];
}
