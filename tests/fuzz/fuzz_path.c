/* The file tree beside a model of it: names, links, mounts, renames, open files by paths of any form; memory that is out. */
// sources: tests/fuzz/path_model.c fs/vfs_path.c fs/vfs_follow.c fs/vfs_link.c fs/vfs_mount.c fs/vfs_path_ops.c fs/vfs_file.c fs/tmpfs/tmpfs.c fs/tmpfs/mount.c fs/tmpfs/node.c fs/tmpfs/data.c tests/unit/mock/frames.c tests/unit/mock/frame_counts.c tests/unit/mock/vfs_pages.c tests/unit/mock/page_source.c
#include "path_model.h"

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
#include <mem.h>

#define PATH_MAX_HERE 1024
#define OPEN_MAX 4

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

static unsigned last_fs, fs_open[4096];
static struct { struct vfs_file *file; struct mnode *node; } held[OPEN_MAX];

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
		got = model.n_mounts == MOUNTS_MAX ? -ENOSPC : vfs_mount("tmpfs", "fuzz", *real ? real : "/", 0);
	else if (!got)
		got = -ENOTDIR;
	free(real);
	if (!happened(got))
		return;
	expected = m_walk(path, ALWAYS, &r);
	if (!expected)
		expected = !r.node ? -ENOENT : r.node->kind != VFS_DIR ? -ENOTDIR : model.n_mounts == MOUNTS_MAX ? -ENOSPC : m_is_root(&r) ? -EBUSY : 0;
	compare("mount", path, "", got, expected);
	if (got)
		return;
	r.node->cover = m_new(VFS_DIR, ++last_fs);
	r.node->cover->covered = r.node;
	r.node->cover->names = 1;
	model.mounts[model.n_mounts++] = r.node->cover;
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
		expected = r.node == model.root ? -EBUSY : !m_is_root(&r) ? -EINVAL :
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
	model.n_mounts = 0;
	model.root = m_new(VFS_DIR, 1);
	model.root->names = 1;
	if (vfs_mount("tmpfs", "fuzz", "/", 0))
		fail("no root");
}

static void end(void)
{
	armed = false;
	check_tree(model.root, "", 0);
	for (unsigned i = 0; i < OPEN_MAX; i++)
		let_go(i);
	if (vfs_unmount_with("/", VFS_DETACH))
		fail("the root cannot be detached");
	while (model.n_mounts) /* those inside others first */
		for (unsigned i = 0; i < model.n_mounts; i++)
			if (!m_has_mounts_inside(model.mounts[i])) {
				m_unmount(model.mounts[i]);
				break;
			}
	m_free(model.root);
	free(model.root);
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
