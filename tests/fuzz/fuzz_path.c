/* The file tree beside a model of it: names, links, mounts, renames, open files by paths of any form; memory that is out. */
// sources: fs/vfs_path.c fs/vfs_follow.c fs/vfs_link.c fs/vfs_mount.c fs/vfs_path_ops.c fs/vfs_file.c fs/tmpfs/tmpfs.c fs/tmpfs/mount.c fs/tmpfs/node.c fs/tmpfs/data.c tests/unit/mock/frames.c tests/unit/mock/frame_counts.c tests/unit/mock/vfs_pages.c tests/unit/mock/page_source.c
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOG_NAME "fuzz"
#include <caisson/log.h>
#include <caisson/mm.h>
#include <caisson/mutex.h>
#include <caisson/rtc.h>
#include <fs/tmpfs/tmpfs.h>
#include <mem.h>

#define PATH_MAX_HERE 1024
#define OPEN_MAX 4
#define MOUNTS_MAX 4

/* --- around it --- */

enum log_level log_level = LOG_ERROR;

static void fail(const char *fmt, ...)
{
	va_list args;

	fputs("fuzz: ", stderr);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	abort();
}

const char *__asan_default_options(void)
{
	return "detect_leaks=0:quarantine_size_mb=16";
}

void log_write(enum log_level level, const char *component, const char *fmt, ...)
{
	(void)level, (void)component, (void)fmt;
}

void *hpa_to_kva(hpa_t pa)
{
	return (void *)(uintptr_t)pa.v;
}

uint64_t rtc_wall_ns(void)
{
	return 1;
}

void mutex_init(struct mutex *m)
{
	m->owner = 0;
}

void mutex_lock(struct mutex *m)
{
	if (m->owner)
		fail("a lock is taken twice");
	m->owner = 1;
}

void mutex_unlock(struct mutex *m)
{
	if (!m->owner)
		fail("a lock is given back that is not taken");
	m->owner = 0;
}

/* --- the model: nodes that know each other, no text --- */

struct mnode {
	enum vfs_kind kind;
	unsigned fs;               /* number of the mount it is in */
	unsigned names, open;
	uint64_t size;
	char target[64];           /* link */
	struct ment *entries;      /* directory, the oldest first */
	struct mnode *parent;
	struct mnode *cover;       /* the root of what is mounted here */
	struct mnode *covered;     /* of such a root: where it is mounted; NULL: at / */
};

struct ment {
	char name[VFS_NAME_MAX + 2];
	struct mnode *node;
	struct ment *next;
};

/** A path in the model. */
struct mplace {
	struct mnode *dir, *node;  /* node NULL: not there, or not looked at */
	char name[VFS_NAME_MAX + 2];
	bool slash, dots;
};

enum follow { NEVER, SLASH, ALWAYS };

static struct mnode *root;
static unsigned n_mounts, last_fs, fs_open[4096];
static struct mnode *mount_roots[MOUNTS_MAX];
static struct { struct vfs_file *file; struct mnode *node; } held[OPEN_MAX];

static struct mnode *m_new(enum vfs_kind kind, unsigned fs)
{
	struct mnode *n = calloc(1, sizeof(*n));

	n->kind = kind;
	n->fs = fs;
	return n;
}

static void m_drop(struct mnode *n)
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
static struct mnode *m_child(struct mnode *dir, const char *name)
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

static int m_walk(const char *path, enum follow follow, struct mplace *r)
{
	char rest[4096], next[4096], comp[VFS_NAME_MAX + 2];
	struct mnode *cur = root;
	unsigned links = 0;

	*r = (struct mplace){ .dir = root, .node = root, .dots = true };
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
				cur = root;
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
static bool m_is_root(const struct mplace *r)
{
	return r->node && (r->node == root || r->node->covered);
}

static bool m_mounts_below(const struct mnode *n)
{
	if (!n || n->kind != VFS_DIR)
		return false;
	if (n->covered || n == root || n->cover)
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

static int m_make(const char *path, enum vfs_kind kind, const char *target, bool is_mkdir)
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

static int m_unlink(const char *path)
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

static int m_rmdir(const char *path)
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

static int m_link(const char *from, const char *to)
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

static int m_rename(const char *from, const char *to)
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

static int m_open(const char *path, bool create, bool exclusive, struct mnode **out)
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

/* --- an input --- */

struct input {
	const uint8_t *at;
	size_t left;
};

static uint8_t take(struct input *in)
{
	if (in->left == 0)
		return 0;
	in->left--;
	return *in->at++;
}

/* Components of few names, slashes of all sorts. */
static void take_path(struct input *in, char *path, bool relative)
{
	static char longest[VFS_NAME_MAX + 2];
	static const char *const words[] = { "a", "b", "c", "d", ".", "..", "a", longest };
	unsigned how = take(in), n = how & 7;

	if (!longest[0])
		memset(longest, 'n', VFS_NAME_MAX + 1);
	path[0] = '\0';
	for (unsigned i = 0; i < n && strlen(path) < PATH_MAX_HERE - 600; i++) {
		unsigned c = take(in);
		const char *word = words[c & 7];

		if (i || !relative)
			strcat(path, c & 64 && c & 128 ? "//" : "/");
		strcat(path, word + (word == longest && !(c & 8)));
	}
	if (n == 0 || (how & 8))
		strcat(path, "/");
}

static bool armed;

/* An answer that is not the model's; memory that was out may be one, and then nothing has happened. @return go on with the model? */
static bool happened(int err)
{
	bool out = armed && mock_alloc_fail_at == 0;

	mock_alloc_fail_at = 0;
	return !(out && (err == -ENOMEM || err == -ENOSPC));
}

static void compare(const char *what, const char *path, const char *other, int got, int expected)
{
	if (getenv("FUZZ_TRACE"))
		fprintf(stderr, "%s %s %s: %d\n", what, path, other, got);
	if (got != expected)
		fail("%s %s %s: %d, and in the model %d", what, path, other, got, expected);
}

static void arm(struct input *in)
{
	unsigned c = take(in);

	armed = c >= 240;
	mock_alloc_fail_at = armed ? 1 + (c & 7) : 0;
}

static void check_stat(const char *path, enum follow follow)
{
	struct vfs_stat st = { .kind = VFS_OTHER };
	struct mplace r;
	int got = follow == ALWAYS ? vfs_stat(path, &st) : vfs_lstat(path, &st), expected;

	if (!happened(got))
		return;
	expected = m_walk(path, follow, &r);
	if (!expected && !r.node)
		expected = -ENOENT;
	compare("stat", path, "", got, expected);
	if (got)
		return;
	if (st.kind != r.node->kind || (st.kind == VFS_FILE && (st.size != r.node->size || st.links != r.node->names)))
		fail("stat %s: kind %d, %u links, %lu bytes, and in the model %d, %u, %lu", path, st.kind, st.links, (unsigned long)st.size,
		     r.node->kind, r.node->names, (unsigned long)r.node->size);
}

static void do_readlink(const char *path)
{
	char target[64];
	struct mplace r;
	int64_t got = vfs_readlink(path, target, sizeof(target));
	int expected;

	if (!happened((int)got))
		return;
	expected = m_walk(path, SLASH, &r);
	if (!expected)
		expected = !r.node ? -ENOENT : r.node->kind == VFS_LINK ? (int)strlen(r.node->target) : -EINVAL;
	compare("readlink", path, "", (int)got, expected);
	if (got > 0 && memcmp(target, r.node->target, (size_t)got))
		fail("readlink %s: another target", path);
}

static void let_go(unsigned i)
{
	if (!held[i].file)
		return;
	if (vfs_close(held[i].file))
		fail("close");
	fs_open[held[i].node->fs]--;
	held[i].node->open--;
	m_drop(held[i].node);
	held[i].file = NULL;
}

static void do_open(struct input *in, const char *path)
{
	unsigned how = take(in), i = how >> 6;
	bool create = how & 1, exclusive = (how & 2) && create, keep = how & 4;
	struct vfs_file *f;
	struct mnode *node = NULL;
	int got, expected;

	got = vfs_open(path, VFS_READ | VFS_WRITE | (create ? VFS_CREATE : 0u) | (exclusive ? VFS_EXCLUSIVE : 0u), &f);
	if (!happened(got))
		return;
	expected = m_open(path, create, exclusive, &node);
	compare("open", path, exclusive ? "new" : create ? "create" : "", got, expected);
	if (got)
		return;
	if (vfs_append(f, path, how >> 3 & 7) != (how >> 3 & 7))
		fail("write");
	node->size += how >> 3 & 7;
	if (!keep) {
		if (vfs_close(f))
			fail("close");
		return;
	}
	let_go(i);
	held[i].file = f;
	held[i].node = node;
	node->open++;
	fs_open[node->fs]++;
}

static void do_mount(const char *path)
{
	char *real = malloc(VFS_PATH_MAX);
	struct mplace r;
	struct vfs_stat st;
	int got = vfs_stat(path, &st), expected;

	if (!got)
		got = vfs_real_path(path, real);
	if (!got && st.kind == VFS_DIR)
		got = n_mounts == MOUNTS_MAX ? -ENOSPC : vfs_mount("tmpfs", "fuzz", *real ? real : "/", 0);
	else if (!got)
		got = -ENOTDIR;
	free(real);
	if (!happened(got))
		return;
	expected = m_walk(path, ALWAYS, &r);
	if (!expected)
		expected = !r.node ? -ENOENT : r.node->kind != VFS_DIR ? -ENOTDIR : n_mounts == MOUNTS_MAX ? -ENOSPC : m_is_root(&r) ? -EBUSY : 0;
	compare("mount", path, "", got, expected);
	if (got)
		return;
	r.node->cover = m_new(VFS_DIR, ++last_fs);
	r.node->cover->covered = r.node;
	r.node->cover->names = 1;
	mount_roots[n_mounts++] = r.node->cover;
}

static void m_free(struct mnode *dir)
{
	while (dir->entries) {
		struct ment *e = dir->entries;

		if (e->node->kind == VFS_DIR)
			m_free(e->node);
		m_remove(dir, e->name);
	}
}

static bool m_has_mounts_inside(const struct mnode *dir)
{
	for (const struct ment *e = dir->entries; e; e = e->next)
		if (m_mounts_below(e->node))
			return true;
	return false;
}

static void m_unmount(struct mnode *top)
{
	top->covered->cover = NULL;
	m_free(top);
	free(top);
	for (unsigned i = 0; i < n_mounts; i++)
		if (mount_roots[i] == top)
			mount_roots[i] = mount_roots[--n_mounts];
}

static void do_unmount(const char *path)
{
	char *real = malloc(VFS_PATH_MAX);
	struct mplace r;
	int got = vfs_real_path(path, real), expected;

	if (!got)
		got = *real ? vfs_unmount(real) : -EBUSY;
	free(real);
	if (!happened(got))
		return;
	expected = m_walk(path, ALWAYS, &r);
	if (!expected)
		expected = r.node == root ? -EBUSY : !m_is_root(&r) ? -EINVAL :
			   fs_open[r.node->fs] || m_has_mounts_inside(r.node) ? -EBUSY : 0;
	compare("umount", path, "", got, expected);
	if (!got)
		m_unmount(r.node);
}

static void do_step(struct input *in)
{
	char path[PATH_MAX_HERE], other[PATH_MAX_HERE];
	unsigned what = take(in) % 16;
	int got;

	mock_alloc_fail_at = 0;
	take_path(in, path, false);
	if (what >= 3 && what <= 6)
		take_path(in, other, what == 3 || what == 4);
	arm(in);
	switch (what) {
	case 0:
	case 1:
		got = vfs_mkdir(path);
		if (happened(got))
			compare("mkdir", path, "", got, m_make(path, VFS_DIR, NULL, true));
		return;
	case 2:
		got = vfs_rmdir(path);
		if (happened(got))
			compare("rmdir", path, "", got, m_rmdir(path));
		return;
	case 3:
	case 4:
		other[sizeof(((struct mnode *)0)->target) - 1] = '\0';
		got = vfs_symlink(other, path);
		if (happened(got))
			compare("symlink", other, path, got, m_make(path, VFS_LINK, other, false));
		return;
	case 5:
		got = vfs_link(path, other);
		if (happened(got))
			compare("link", path, other, got, m_link(path, other));
		return;
	case 6:
		got = vfs_rename(path, other);
		if (happened(got))
			compare("rename", path, other, got, m_rename(path, other));
		return;
	case 7:
		got = vfs_unlink(path);
		if (happened(got))
			compare("unlink", path, "", got, m_unlink(path));
		return;
	case 8:
	case 9:
		do_open(in, path);
		return;
	case 10:
		do_mount(path);
		return;
	case 11:
		do_unmount(path);
		return;
	case 12:
		do_readlink(path);
		return;
	case 13:
		let_go(take(in) % OPEN_MAX);
		return;
	default:
		check_stat(path, what == 14 ? ALWAYS : SLASH);
	}
}

/* --- the whole tree --- */

static void check_tree(struct mnode *dir, const char *path, unsigned depth)
{
	char below[PATH_MAX_HERE];
	struct vfs_file *f;
	struct vfs_dirent d;
	unsigned n = 0;

	if (vfs_open(*path ? path : "/", VFS_DIRECTORY, &f))
		fail("%s cannot be opened", path);
	for (; vfs_readdir(f, &d) == 1; n++) {
		struct mnode *child = m_child(dir, d.name);

		if (!child || child->kind != d.kind)
			fail("%s/%s is not so in the model", path, d.name);
		if (snprintf(below, sizeof(below), "%s/%s", path, d.name) >= (int)sizeof(below) - VFS_NAME_MAX)
			continue;
		check_stat(below, SLASH);
		if (child->kind == VFS_DIR && depth < 20)
			check_tree(child, below, depth + 1);
	}
	for (const struct ment *e = dir->entries; e; e = e->next)
		n--;
	if (n)
		fail("%s has not as many entries as in the model", path);
	if (vfs_close(f))
		fail("close");
}

static void begin(void)
{
	static struct fs_type type;

	if (!type.name) {
		type = tmpfs_type;
		vfs_register(&type);
	}
	mock_alloc_fail_at = 0;
	mock_frames_total = BIT(20);
	armed = false;
	memset(fs_open, 0, sizeof(fs_open));
	last_fs = 1;
	n_mounts = 0;
	root = m_new(VFS_DIR, 1);
	root->names = 1;
	if (vfs_mount("tmpfs", "fuzz", "/", 0))
		fail("no root");
}

static void end(void)
{
	armed = false;
	check_tree(root, "", 0);
	for (unsigned i = 0; i < OPEN_MAX; i++)
		let_go(i);
	if (vfs_unmount_with("/", VFS_DETACH))
		fail("the root cannot be detached");
	while (n_mounts) /* those inside others first */
		for (unsigned i = 0; i < n_mounts; i++)
			if (!m_has_mounts_inside(mount_roots[i])) {
				m_unmount(mount_roots[i]);
				break;
			}
	m_free(root);
	free(root);
	if (heap_in_use() || mock_frames_used)
		fail("%zu bytes and %lu frames are left", heap_in_use(), (unsigned long)mock_frames_used);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct input in = { data, n };

	begin();
	while (in.left && last_fs < ARRAY_SIZE(fs_open) - 1)
		do_step(&in);
	mock_alloc_fail_at = 0;
	end();
	return 0;
}
