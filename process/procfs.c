/*
 * /proc: what the system and its processes are doing, as files whose text is made when they are opened.
 *
 *     what proc_system.c says; self -> NUMBER, thread-self -> NUMBER/task/NUMBER
 *     NUMBER/          what proc_process.c says; exe -> program, cwd and root -> folders, fd/ with a link for each descriptor,
 *                      task/ with a folder for each thread, in which the same stands again, but for task/
 *
 * No lock of the mount is held here: a process that ends meanwhile may leave its last open files, some of which may be of
 * this file system, to be closed by who has looked at it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <caisson/init.h>
#include <caisson/mm.h>
#include <caisson/rtc.h>

#include "linux_abi.h"
#include "proc_text.h"

/* --- places --- */

enum place { P_NOWHERE, P_ROOT, P_SYSTEM, P_SELF, P_THREAD_SELF, P_PROCESS, P_THREAD, P_FILE, P_LINK, P_FDS, P_FD, P_TASKS };

static const char *const links[] = { "cwd", "exe", "root" };

struct spot {
	enum place place;
	unsigned i;            /* of proc_files, proc_process_files, links; a descriptor */
	unsigned pid;
};

/* A number that is a whole component, and what follows it. @return false: none */
static bool take_number(const char **path, unsigned *out)
{
	char *end;
	unsigned long n = strtoul(*path, &end, 10);

	if (end == *path || (*end && *end != '/') || **path == '+' || **path == '-' || n > INT32_MAX || (**path == '0' && end > *path + 1))
		return false;
	*out = (unsigned)n;
	*path = *end ? end + 1 : end;
	return true;
}

/* What a process and each of its threads have. */
static struct spot find_in_thread(unsigned pid, const char *name)
{
	unsigned fd;

	for (unsigned i = 0; i < proc_n_process_files; i++)
		if (!strcmp(name, proc_process_files[i].name))
			return (struct spot){ P_FILE, i, pid };
	for (unsigned i = 0; i < ARRAY_SIZE(links); i++)
		if (!strcmp(name, links[i]))
			return (struct spot){ P_LINK, i, pid };
	if (!strcmp(name, "fd"))
		return (struct spot){ P_FDS, 0, pid };
	if (strncmp(name, "fd/", 3))
		return (struct spot){ .place = P_NOWHERE };
	name += 3;
	return take_number(&name, &fd) && !*name ? (struct spot){ P_FD, fd, pid } : (struct spot){ .place = P_NOWHERE };
}

static struct spot find_in_process(unsigned pid, const char *name)
{
	unsigned tid;

	if (!*name)
		return (struct spot){ P_PROCESS, 0, pid };
	if (!strcmp(name, "task"))
		return (struct spot){ P_TASKS, 0, pid };
	if (strncmp(name, "task/", 5))
		return find_in_thread(pid, name);
	name += 5;
	if (!take_number(&name, &tid))
		return (struct spot){ .place = P_NOWHERE };
	return *name ? find_in_thread(pid, name) : (struct spot){ P_THREAD, tid, pid };
}

static struct spot find(const char *path)
{
	unsigned pid;

	if (!*path)
		return (struct spot){ .place = P_ROOT };
	if (!strcmp(path, "self") || !strcmp(path, "thread-self"))
		return (struct spot){ .place = *path == 's' ? P_SELF : P_THREAD_SELF };
	for (unsigned i = 0; i < proc_n_files; i++)
		if (!strcmp(path, proc_files[i].path))
			return (struct spot){ P_SYSTEM, i, 0 };
	return take_number(&path, &pid) && pid ? find_in_process(pid, path) : (struct spot){ .place = P_NOWHERE };
}

static enum vfs_kind kind_of(const struct spot *s)
{
	switch (s->place) {
	case P_SELF:
	case P_THREAD_SELF:
	case P_LINK:
	case P_FD:
		return VFS_LINK;
	case P_SYSTEM:
		return proc_files[s->i].say ? VFS_FILE : VFS_DIR;
	case P_FILE:
		return VFS_FILE;
	default:
		return VFS_DIR;
	}
}

/* One that is not 0, and for each spot another. */
static uint64_t number_of(const struct spot *s)
{
	return (uint64_t)s->pid << 24 | (uint64_t)s->i << 4 | s->place;
}

static void describe(const struct spot *s, struct vfs_stat *st)
{
	static const unsigned modes[] = { [VFS_FILE] = 0444, [VFS_DIR] = 0555, [VFS_LINK] = 0777 };
	enum vfs_kind kind = kind_of(s);

	*st = (struct vfs_stat){ .kind = kind, .mode = modes[kind], .ino = number_of(s), .links = kind == VFS_DIR ? 2 : 1,
				 .mtime = rtc_wall_ns() / 1000000000 };
}

struct search {
	unsigned pid, tid;     /* tid 0: any */
	bool found;
};

static bool look_for(struct process *p, void *arg)
{
	struct search *s = arg;

	if (p->pid != s->pid)
		return true;
	s->found = !s->tid || s->tid == s->pid;
	list_for_each(t, &p->threads, struct thread, node)
		s->found |= t->tid == s->tid;
	return false;
}

static bool exists(const struct spot *s)
{
	struct search search = { s->pid, s->place == P_THREAD ? s->i : 0, false };

	process_for_each(look_for, &search);
	return search.found;
}

/* The open file behind a link of fd/, one reference more. @return NULL: none */
static struct open_file *file_of(const struct spot *s)
{
	struct snapshot *p;
	struct open_file *f;

	if (snapshot_take(s->pid, &p))
		return NULL;
	f = p->files ? fd_get(p->files, s->i) : NULL;
	snapshot_put(p);
	return f;
}

static int check(const struct spot *s)
{
	struct open_file *f;

	if (s->place == P_NOWHERE || (s->pid && !exists(s)))
		return -ENOENT;
	if (s->place != P_FD)
		return 0;
	f = file_of(s);
	open_file_put(f);
	return f ? 0 : -ENOENT;
}

static int proc_stat(struct vfs_mount *m, const char *path, struct vfs_stat *st)
{
	struct spot s = find(path);
	int error = check(&s);

	(void)m;
	if (!error)
		describe(&s, st);
	return error;
}

/* --- links --- */

/* Does the path of a file or folder lead to another by now, or to none? */
static bool is_deleted(struct open_file *f)
{
	struct linux_stat st;
	struct vfs_stat now;

	if (!f->ops->stat || f->ops->stat(f, &st))
		return false;
	if ((st.mode & LINUX_S_IFMT) != LINUX_S_IFREG && (st.mode & LINUX_S_IFMT) != LINUX_S_IFDIR)
		return false;
	return vfs_stat(f->path, &now) || (now.ino && (now.ino != st.ino || now.mount != st.dev));
}

/* By the path that it has now, with no link in it. */
static void name_by_path(struct open_file *f, char *to, size_t n)
{
	char *real = kalloc(VFS_PATH_MAX);
	const char *path = real && vfs_real_path(f->path, real) == 0 ? *real ? real : "/" : f->path;

	snprintf(to, n, "%s%s", path, is_deleted(f) ? " (deleted)" : "");
	kfree(real);
}

/* A file that has no path is named by its kind and number. */
static int name_file(const struct spot *s, char *to, size_t n)
{
	struct open_file *f = file_of(s);
	struct linux_stat st = { .ino = 0 };

	if (!f)
		return -ENOENT;
	if (*f->path)
		name_by_path(f, to, n);
	else if (f->ops->stat && f->ops->stat(f, &st) == 0 && (st.mode & LINUX_S_IFMT) == LINUX_S_IFIFO)
		snprintf(to, n, "pipe:[%lu]", (unsigned long)st.ino);
	else
		snprintf(to, n, "anon_inode:[file]");
	open_file_put(f);
	return 0;
}

static int name_current(const struct spot *s, char *to, size_t n)
{
	const struct task_ext *ext = task_current()->ext;
	const struct thread *t = ext && ext->ops == thread_ext_ops() ? thread_current() : NULL;

	if (!t)
		return -ENOENT;
	if (s->place == P_SELF)
		snprintf(to, n, "%u", t->process->pid);
	else
		snprintf(to, n, "%u/task/%u", t->process->pid, t->tid);
	return 0;
}

static int name_link(const struct spot *s, char *to, size_t n)
{
	struct snapshot *p;
	int error = snapshot_take(s->pid, &p);

	if (error)
		return error;
	snprintf(to, n, "%s", s->i == 2 || (s->i == 0 && !*p->cwd) ? "/" : s->i == 0 ? p->cwd : p->exe);
	snapshot_put(p);
	return 0;
}

static int64_t proc_readlink(struct vfs_mount *m, const char *path, char *to, size_t n)
{
	struct spot s = find(path);
	char *target = kalloc(VFS_PATH_MAX);
	int64_t result = -ENOMEM;

	(void)m;
	if (target)
		result = s.place == P_FD ? name_file(&s, target, VFS_PATH_MAX) : s.place == P_LINK ? name_link(&s, target, VFS_PATH_MAX) :
			 name_current(&s, target, VFS_PATH_MAX);
	if (result == 0) {
		result = (int64_t)MIN(n, strlen(target));
		memcpy(to, target, (size_t)result);
	}
	kfree(target);
	return result;
}

/* --- open files --- */

/** An open file: its text, and what it is. */
struct proc_open {
	struct spot spot;
	struct text text;
	/* A directory: */
	unsigned next;         /* entry of a table */
	unsigned last;         /* number that was read last */
};

static int proc_close(struct vfs_file *f)
{
	struct proc_open *o = f->data;

	kfree(o->text.data);
	kfree(o);
	return 0;
}

static int64_t proc_read(struct vfs_file *f, void *data, size_t n, uint64_t pos)
{
	const struct text *t = &((struct proc_open *)f->data)->text;

	if (pos >= t->n)
		return 0;
	n = MIN(n, t->n - pos);
	memcpy(data, t->data + pos, n);
	return (int64_t)n;
}

static int proc_fstat(struct vfs_file *f, struct vfs_stat *st)
{
	describe(&((struct proc_open *)f->data)->spot, st);
	return 0;
}

static const struct vfs_file_ops file_ops = { .close = proc_close, .read = proc_read, .stat = proc_fstat };

static int make_text(struct proc_open *o)
{
	struct snapshot *p;
	int error;

	if (o->spot.place == P_SYSTEM) {
		proc_files[o->spot.i].say(&o->text);
	} else {
		error = snapshot_take(o->spot.pid, &p);
		if (error)
			return error;
		proc_process_files[o->spot.i].say(&o->text, p);
		snapshot_put(p);
	}
	return o->text.failed ? -ENOMEM : 0;
}

/* --- directories --- */

static int entry(struct vfs_dirent *d, const struct spot *s, const char *name)
{
	d->kind = kind_of(s);
	d->ino = number_of(s);
	snprintf(d->name, sizeof(d->name), "%s", name);
	return 1;
}

static int number_entry(struct vfs_dirent *d, const struct spot *s, unsigned number)
{
	char name[12];

	snprintf(name, sizeof(name), "%u", number);
	return entry(d, s, name);
}

struct next {
	unsigned after, found, pid;
};

static void try_number(struct next *w, unsigned number)
{
	if (number > w->after && (!w->found || number < w->found))
		w->found = number;
}

static bool next_pid(struct process *p, void *arg)
{
	try_number(arg, p->pid);
	return true;
}

static bool next_tid(struct process *p, void *arg)
{
	struct next *w = arg;

	if (p->pid != w->pid)
		return true;
	list_for_each(t, &p->threads, struct thread, node)
		try_number(w, t->tid);
	if (list_empty(&p->threads))
		try_number(w, p->pid);
	return false;
}

/* What is right below a folder of the system's; its path ends without a slash. */
static bool is_in(const char *path, const char *folder)
{
	size_t n = strlen(folder);

	if (n && (strncmp(path, folder, n) || path[n] != '/'))
		return false;
	return !strchr(path + n + (n > 0), '/');
}

static int read_system(struct proc_open *o, struct vfs_dirent *d, const char *folder)
{
	while (o->next < proc_n_files) {
		const char *path = proc_files[o->next++].path;

		if (is_in(path, folder))
			return entry(d, &(struct spot){ P_SYSTEM, o->next - 1, 0 }, path + strlen(folder) + (*folder != '\0'));
	}
	return 0;
}

static int read_numbers(struct proc_open *o, struct vfs_dirent *d, bool (*fn)(struct process *p, void *arg))
{
	struct next w = { o->last, 0, o->spot.pid };

	process_for_each(fn, &w);
	if (!w.found)
		return 0;
	o->last = w.found;
	return number_entry(d, &(struct spot){ P_PROCESS, 0, w.found }, w.found);
}

static int read_root(struct proc_open *o, struct vfs_dirent *d)
{
	if (read_system(o, d, ""))
		return 1;
	if (o->next++ == proc_n_files)
		return entry(d, &(struct spot){ .place = P_SELF }, "self");
	if (o->next == proc_n_files + 2)
		return entry(d, &(struct spot){ .place = P_THREAD_SELF }, "thread-self");
	return read_numbers(o, d, next_pid);
}

static int read_process(struct proc_open *o, struct vfs_dirent *d)
{
	unsigned i = o->next, pid = o->spot.pid;

	o->next++;
	if (i < proc_n_process_files)
		return entry(d, &(struct spot){ P_FILE, i, pid }, proc_process_files[i].name);
	i -= proc_n_process_files;
	if (i < ARRAY_SIZE(links))
		return entry(d, &(struct spot){ P_LINK, i, pid }, links[i]);
	i -= ARRAY_SIZE(links);
	if (i == 0)
		return entry(d, &(struct spot){ P_FDS, 0, pid }, "fd");
	return i == 1 && o->spot.place == P_PROCESS ? entry(d, &(struct spot){ P_TASKS, 0, pid }, "task") : 0;
}

static int read_fds(struct proc_open *o, struct vfs_dirent *d)
{
	struct snapshot *p;
	struct open_file *f = NULL;
	int error = snapshot_take(o->spot.pid, &p);

	if (error)
		return 0; /* it has ended meanwhile */
	while (p->files && !f && o->next < FDS_MAX)
		f = fd_get(p->files, o->next++);
	snapshot_put(p);
	open_file_put(f);
	return f ? number_entry(d, &(struct spot){ P_FD, o->next - 1, o->spot.pid }, o->next - 1) : 0;
}

static int proc_readdir(struct vfs_file *f, struct vfs_dirent *d)
{
	struct proc_open *o = f->data;

	switch (o->spot.place) {
	case P_ROOT:
		return read_root(o, d);
	case P_SYSTEM:
		return read_system(o, d, proc_files[o->spot.i].path);
	case P_FDS:
		return read_fds(o, d);
	case P_TASKS:
		return read_numbers(o, d, next_tid);
	default:
		return read_process(o, d);
	}
}

static int proc_rewind(struct vfs_file *f)
{
	struct proc_open *o = f->data;

	o->next = o->last = 0;
	return 0;
}

static const struct vfs_file_ops dir_ops = { .close = proc_close, .stat = proc_fstat, .readdir = proc_readdir,
					     .rewind = proc_rewind };

/* --- the file system --- */

static int open_spot(const struct spot *s, bool is_dir, struct vfs_file *f)
{
	struct proc_open *o = kzalloc(sizeof(*o));
	int error;

	if (!o)
		return -ENOMEM;
	o->spot = *s;
	error = is_dir ? 0 : make_text(o);
	f->data = o;
	f->ops = is_dir ? &dir_ops : &file_ops;
	if (error)
		(void)proc_close(f);
	return error;
}

static int proc_open(struct vfs_mount *m, const char *path, unsigned flags, struct vfs_file *f)
{
	struct spot s = find(path);
	int error = check(&s);
	enum vfs_kind kind;

	(void)m;
	if (error)
		return error;
	kind = kind_of(&s);
	if (flags & VFS_DIRECTORY)
		return kind == VFS_DIR ? open_spot(&s, true, f) : -ENOTDIR;
	if (kind != VFS_FILE)
		return kind == VFS_DIR ? -EISDIR : -ELOOP;
	return open_spot(&s, false, f);
}

static int proc_mount(struct vfs_mount *m, const char *source)
{
	(void)source;
	if (*m->options)
		return -EINVAL;
	m->read_only = true;
	return 0;
}

static int proc_remount(struct vfs_mount *m, bool read_only)
{
	(void)m;
	return read_only ? 0 : -EROFS;
}

static int proc_unmount(struct vfs_mount *m)
{
	(void)m;
	return 0;
}

static struct fs_type proc_type = {
	.name = "proc", .lockless = true, .mount = proc_mount, .unmount = proc_unmount, .remount = proc_remount, .open = proc_open,
	.stat = proc_stat, .readlink = proc_readlink,
};

static void register_proc(void)
{
	vfs_register(&proc_type);
}
CONSTRUCTOR(register_proc);
