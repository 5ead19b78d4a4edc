/* System calls about file systems as a whole: mounting, and what they have room for. */
#include <errno.h>
#include <string.h>

#include <caisson/mm.h>

#include "device.h"
#include "syscalls.h"

#define TYPE_MAX 32            /* bytes of a type's name */
#define OPTIONS_MAX PAGE_SIZE

enum { MS_RDONLY = 1, MS_REMOUNT = 0x20, MS_BIND = 0x1000, MS_MOVE = 0x2000, MS_PROPAGATION = 0x1e0000 /* shared, private ... */ };
enum { MNT_FORCE = 1, MNT_DETACH = 2, MNT_EXPIRE = 4, UMOUNT_NOFOLLOW = 8 };
enum { ST_RDONLY = 1, ST_VALID = 0x20 };

/** What the program said. */
struct words {
	char source[VFS_PATH_MAX], path[VFS_PATH_MAX], resolved[VFS_PATH_MAX];
	char type[TYPE_MAX], options[OPTIONS_MAX];
};

/* A string that may be missing. @return 0 or negative errno */
static int take_string(struct thread *t, char *to, uint64_t from, size_t max)
{
	int64_t n = from ? copy_string_from_user(t->process->mm, to, from, max) : 0;

	if (!from)
		to[0] = '\0';
	return n < 0 ? (int)n : 0;
}

/* Where: a directory, its links followed. */
static int take_target(struct thread *t, struct words *w, uint64_t from)
{
	struct vfs_stat st;
	int error = path_from_user(t, LINUX_AT_FDCWD, from, w->path);

	if (!error)
		error = vfs_real_path(w->path, w->resolved);
	if (!error)
		error = vfs_stat(w->path, &st);
	return !error && st.kind != VFS_DIR ? -ENOTDIR : error;
}

/* The block device that a path names. It is mounted by its own name. */
static int find_source(const struct words *w, const char **out)
{
	struct block_device *disk;
	struct vfs_stat st;
	int error = w->source[0] == '/' ? vfs_stat(w->source, &st) : w->source[0] ? -ENOENT : -EINVAL;

	if (error)
		return error;
	if (st.kind != VFS_BLOCK)
		return -LINUX_ENOTBLK;
	disk = IS_ENABLED(CONFIG_BLOCK) ? disk_find(st.device) : NULL;
	if (!disk)
		return -ENXIO;
	*out = disk->name;
	return 0;
}

struct kind_search {
	const char *name;
	const struct fs_type *found;
};

static bool is_kind(const struct fs_type *type, void *arg)
{
	struct kind_search *s = arg;

	if (!strcmp(type->name, s->name))
		s->found = type;
	return !s->found;
}

static int mount_new(const struct words *w, uint64_t flags)
{
	struct kind_search s = { .name = w->type };
	const char *source = w->source;
	int error = 0;

	vfs_for_each_type(is_kind, &s);
	if (!s.found)
		return -ENODEV;
	if (s.found->needs_device)
		error = find_source(w, &source);
	if (error)
		return error;
	return vfs_mount_with(w->type, source, *w->resolved ? w->resolved : "/", flags & MS_RDONLY ? VFS_READ_ONLY : 0, w->options,
			      *w->source ? w->source : "none");
}

static int do_mount(struct thread *t, struct words *w, const uint64_t *arg)
{
	uint64_t flags = arg[3];
	int error = take_target(t, w, arg[1]);

	if (!error)
		error = take_string(t, w->source, arg[0], sizeof(w->source));
	if (!error)
		error = take_string(t, w->options, arg[4], sizeof(w->options));
	if (error)
		return error;
	if (flags & MS_REMOUNT)
		return vfs_remount(*w->resolved ? w->resolved : "/", flags & MS_RDONLY);
	if (flags & (MS_BIND | MS_MOVE))
		return -EINVAL;
	if (flags & MS_PROPAGATION) /* nothing spreads anyway: there is one tree */
		return 0;
	error = arg[2] ? take_string(t, w->type, arg[2], sizeof(w->type)) : -EINVAL;
	return error == -ENAMETOOLONG ? -EINVAL : error ? error : mount_new(w, flags);
}

int64_t sys_mount(struct thread *t, const uint64_t *arg)
{
	struct words *w = kalloc(sizeof(*w));
	int64_t result = w ? do_mount(t, w, arg) : -ENOMEM;

	kfree(w);
	return result;
}

/* --- unmounting --- */

struct use {
	const char *path;
	bool found;
};

/* A process whose folder is there uses the mount, too. */
static bool is_in(struct process *p, void *arg)
{
	struct use *u = arg;
	size_t n = strlen(u->path);

	u->found = !p->zombie && !strncmp(p->cwd, u->path, n) && (p->cwd[n] == '/' || p->cwd[n] == '\0');
	return !u->found;
}

static int unmount(const char *path, uint64_t flags)
{
	struct use u = { .path = path };

	if (!vfs_is_mount(path))
		return -EINVAL;
	if (!*path) /* the root stays */
		return -EBUSY;
	if (flags & MNT_DETACH)
		return vfs_unmount_with(path, VFS_DETACH);
	process_for_each(is_in, &u);
	return u.found ? -EBUSY : vfs_unmount(path);
}

int64_t sys_umount2(struct thread *t, const uint64_t *arg)
{
	struct words *w;
	struct vfs_stat st;
	int64_t result;

	if (arg[1] & ~(uint64_t)(MNT_FORCE | MNT_DETACH | UMOUNT_NOFOLLOW))
		return -EINVAL;
	w = kalloc(sizeof(*w));
	result = w ? path_from_user(t, LINUX_AT_FDCWD, arg[0], w->path) : -ENOMEM;
	if (result == 0)
		result = vfs_stat(w->path, &st);
	if (result == 0)
		result = vfs_real_path(w->path, w->resolved);
	if (result == 0)
		result = unmount(w->resolved, arg[1]);
	kfree(w);
	return result;
}

/* --- room --- */

static uint64_t magic_of(const struct fs_type *type)
{
	static const struct { const char *name; uint64_t magic; } kinds[] = {
		{ "tmpfs", 0x01021994 }, { "devtmpfs", 0x01021994 }, { "proc", 0x9fa0 }, { "vfat", 0x4d44 }, { "fat", 0x4d44 },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++)
		if (!strcmp(type->name, kinds[i].name))
			return kinds[i].magic;
	return 0;
}

static int put_statfs(struct thread *t, uint64_t to, const struct vfs_statfs *st)
{
	struct linux_statfs out = {
		.type = magic_of(st->type), .bsize = st->block_size, .blocks = st->blocks, .bfree = st->blocks_free,
		.bavail = st->blocks_free, .files = st->files, .ffree = st->files_free, .fsid = st->mount, .namelen = VFS_NAME_MAX,
		.frsize = st->block_size, .flags = ST_VALID | (st->read_only ? ST_RDONLY : 0u),
	};

	return copy_to_user(t->process->mm, to, &out, sizeof(out));
}

int64_t sys_statfs(struct thread *t, const uint64_t *arg)
{
	char *path = kalloc(VFS_PATH_MAX);
	struct vfs_statfs st;
	int64_t result = path ? path_from_user(t, LINUX_AT_FDCWD, arg[0], path) : -ENOMEM;

	if (result == 0)
		result = vfs_statfs(path, &st);
	kfree(path);
	return result ? result : put_statfs(t, arg[1], &st);
}

int64_t sys_fstatfs(struct thread *t, const uint64_t *arg)
{
	struct open_file *f = fd_get(t->process->files, arg[0]);
	struct vfs_statfs st;
	int error;

	if (!f)
		return -EBADF;
	error = f->ops->statfs ? f->ops->statfs(f, &st) : -ENOSYS;
	open_file_put(f);
	return error ? error : put_statfs(t, arg[1], &st);
}
