/*
 * /proc: what the system and its processes are doing, as files whose text is made when they are opened.
 *
 *     mounts meminfo uptime version stat cpuinfo, self -> NUMBER
 *     NUMBER/stat status cmdline comm, exe -> program, cwd -> folder
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <caisson/hart.h>
#include <caisson/init.h>
#include <caisson/mm.h>
#include <caisson/time.h>
#include <caisson/vfs.h>

#include "thread.h"

#define TEXT_MAX PAGE_SIZE

/** A file's text. */
struct text {
	size_t n;
	char data[TEXT_MAX];
};

/** A process, as it was when somebody asked. */
struct snapshot {
	unsigned pid, parent, group, session, died_of;
	char name[24], state;
	uint64_t size, resident, run_ms;
	char exe[VFS_PATH_MAX], cwd[VFS_PATH_MAX];
};

static void __printf(2, 3) say(struct text *t, const char *fmt, ...)
{
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(t->data + t->n, sizeof(t->data) - t->n, fmt, args);
	va_end(args);
	if (n > 0)
		t->n = MIN(t->n + (size_t)n, sizeof(t->data) - 1);
}

/* --- the system --- */

/* Blanks end a word there, so those in names are written otherwise. */
static void say_word(struct text *t, const char *word)
{
	for (; *word; word++)
		say(t, strchr(" \t\n\\", *word) ? "\\%03o" : "%c", *word);
	say(t, " ");
}

static bool say_mount(const struct vfs_mount *m, void *arg)
{
	say_word(arg, *m->source ? m->source : "none");
	say_word(arg, *m->path ? m->path : "/");
	say(arg, "%s %s 0 0\n", m->type->name, m->read_only ? "ro" : "rw");
	return true;
}

static void say_mounts(struct text *t)
{
	vfs_for_each_mount(say_mount, t);
}

static void say_memory(struct text *t)
{
	unsigned long total = frame_total_count() * (PAGE_SIZE / 1024), free = frame_free_count() * (PAGE_SIZE / 1024);

	say(t, "MemTotal:       %8lu kB\nMemFree:        %8lu kB\nMemAvailable:   %8lu kB\nBuffers:               0 kB\n"
	    "Cached:                0 kB\nSwapTotal:             0 kB\nSwapFree:              0 kB\n", total, free, free);
}

static void say_uptime(struct text *t)
{
	unsigned long ms = time_to_ns(time_now()) / 1000000;

	say(t, "%lu.%02lu 0.00\n", ms / 1000, ms % 1000 / 10);
}

static void say_version(struct text *t)
{
	say(t, "Linux version 6.12.0-caisson (Caisson)\n");
}

static void say_stat(struct text *t)
{
	say(t, "cpu  0 0 0 0 0 0 0 0 0 0\nctxt 0\nbtime 0\nprocesses 0\n");
}

static void say_cpus(struct text *t)
{
	for (unsigned i = 0; i < hart_count(); i++)
		say(t, "processor\t: %u\nhart\t\t: %u\nisa\t\t: rv64imafdc\n\n", i, i);
}

static const struct { const char *name; void (*say)(struct text *t); } files[] = {
	{ "cpuinfo", say_cpus }, { "meminfo", say_memory }, { "mounts", say_mounts }, { "stat", say_stat },
	{ "uptime", say_uptime }, { "version", say_version },
};

/* --- a process --- */

/* The lock of the table is held, so the process does not go; but its memory may, when it ends. */
static bool take_snapshot(struct process *p, void *arg)
{
	struct snapshot *s = arg;

	if (p->pid != s->pid)
		return true;
	s->parent = p->parent ? p->parent->pid : 0;
	s->group = p->group;
	s->session = p->session;
	memcpy(s->name, p->name, sizeof(s->name));
	s->state = p->zombie ? 'Z' : p->stopped_by ? 'T' : process_is_asleep(p) ? 'S' : 'R';
	s->run_ms = time_to_ns(usage_of(p).run_time) / 1000000;
	s->resident = process_resident(p);
	strncpy(s->exe, p->exe, sizeof(s->exe) - 1);
	strncpy(s->cwd, p->cwd, sizeof(s->cwd) - 1);
	s->died_of = p->died_of;
	s->pid = 0; /* found */
	return false;
}

/* @return 0 with a snapshot for kfree; -ENOENT, -ENOMEM */
static int look_at(unsigned pid, struct snapshot **out)
{
	struct snapshot *s = kzalloc(sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->pid = pid;
	process_for_each(take_snapshot, s);
	if (s->pid) {
		kfree(s);
		return -ENOENT;
	}
	s->pid = pid;
	*out = s;
	return 0;
}

static void say_process_stat(struct text *t, const struct snapshot *s)
{
	say(t, "%u (%s) %c %u %u %u 1281 %u 0 0 0 0 0 %lu 0 0 0 20 0 1 0 0 %lu %lu 0 0 0 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0\n",
	    s->pid, s->name, s->state, s->parent, s->group, s->session, s->group, (unsigned long)s->run_ms / 10,
	    (unsigned long)(s->resident * PAGE_SIZE), (unsigned long)s->resident);
}

static void say_status(struct text *t, const struct snapshot *s)
{
	say(t, "Name:\t%s\nState:\t%c\nTgid:\t%u\nPid:\t%u\nPPid:\t%u\nUid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\nVmRSS:\t%lu kB\nThreads:\t1\n",
	    s->name, s->state, s->pid, s->pid, s->parent, (unsigned long)(s->resident * (PAGE_SIZE / 1024)));
}

/* The words themselves stand in the program's memory; its path tells what it is. */
static void say_cmdline(struct text *t, const struct snapshot *s)
{
	say(t, "%s", s->exe);
	t->n++; /* with its NUL */
}

static void say_comm(struct text *t, const struct snapshot *s)
{
	say(t, "%s\n", s->name);
}

static const struct { const char *name; void (*say)(struct text *t, const struct snapshot *s); } process_files[] = {
	{ "cmdline", say_cmdline }, { "comm", say_comm }, { "stat", say_process_stat }, { "status", say_status },
};

static const char *const process_links[] = { "cwd", "exe" };

/* --- paths --- */

enum place { P_NOWHERE, P_ROOT, P_FILE, P_SELF, P_PROCESS, P_PROCESS_FILE, P_PROCESS_LINK };

struct spot {
	enum place place;
	unsigned i;            /* of files, process_files, process_links */
	unsigned pid;
};

static void find_in_process(const char *name, struct spot *s)
{
	s->place = P_NOWHERE;
	for (unsigned i = 0; i < ARRAY_SIZE(process_files); i++)
		if (!strcmp(name, process_files[i].name))
			*s = (struct spot){ P_PROCESS_FILE, i, s->pid };
	for (unsigned i = 0; i < ARRAY_SIZE(process_links); i++)
		if (!strcmp(name, process_links[i]))
			*s = (struct spot){ P_PROCESS_LINK, i, s->pid };
}

static struct spot find(const char *path)
{
	struct spot s = { .place = P_NOWHERE };
	char *end;

	if (!*path)
		return (struct spot){ .place = P_ROOT };
	if (!strcmp(path, "self"))
		return (struct spot){ .place = P_SELF };
	for (unsigned i = 0; i < ARRAY_SIZE(files); i++)
		if (!strcmp(path, files[i].name))
			return (struct spot){ P_FILE, i, 0 };
	s.pid = (unsigned)strtoul(path, &end, 10);
	if (end == path || path[0] == '0' || (*end && *end != '/'))
		return s;
	s.place = P_PROCESS;
	if (*end)
		find_in_process(end + 1, &s);
	return s;
}

static unsigned current_pid(void)
{
	const struct task_ext *ext = task_current()->ext;

	return ext && ext->ops == thread_ext_ops() ? thread_current()->process->pid : 0;
}

static int proc_stat(struct vfs_mount *m, const char *path, struct vfs_stat *st)
{
	struct spot s = find(path);
	struct snapshot *p;
	int error;

	(void)m;
	*st = (struct vfs_stat){ .kind = VFS_FILE, .mode = 0444 };
	if (s.place == P_NOWHERE)
		return -ENOENT;
	if (s.pid) {
		error = look_at(s.pid, &p);
		if (error)
			return error;
		kfree(p);
	}
	if (s.place == P_ROOT || s.place == P_PROCESS)
		*st = (struct vfs_stat){ .kind = VFS_DIR, .mode = 0555 };
	if (s.place == P_SELF || s.place == P_PROCESS_LINK)
		*st = (struct vfs_stat){ .kind = VFS_LINK, .mode = 0777 };
	return 0;
}

static int64_t proc_readlink(struct vfs_mount *m, const char *path, char *to, size_t n)
{
	struct spot s = find(path);
	struct snapshot *p;
	char number[12];
	const char *target;
	int error;

	(void)m;
	if (s.place == P_SELF) {
		n = MIN(n, (size_t)snprintf(number, sizeof(number), "%u", current_pid()));
		memcpy(to, number, n);
		return (int64_t)n;
	}
	error = look_at(s.pid, &p);
	if (error)
		return error;
	target = s.i == 0 ? *p->cwd ? p->cwd : "/" : p->exe;
	n = MIN(n, strlen(target));
	memcpy(to, target, n);
	kfree(p);
	return (int64_t)n;
}

/* --- open files and directories --- */

static int close_data(struct vfs_file *f)
{
	kfree(f->data);
	return 0;
}

static int64_t text_read(struct vfs_file *f, void *data, size_t n, uint64_t pos)
{
	const struct text *t = f->data;

	if (pos >= t->n)
		return 0;
	n = MIN(n, t->n - pos);
	memcpy(data, t->data + pos, n);
	return (int64_t)n;
}

static int text_stat(struct vfs_file *f, struct vfs_stat *st)
{
	(void)f;
	*st = (struct vfs_stat){ .kind = VFS_FILE, .mode = 0444 };
	return 0;
}

static const struct vfs_file_ops text_ops = { .close = close_data, .read = text_read, .stat = text_stat };

/** An open directory: entries of a table first, then processes by number. */
struct cursor {
	unsigned pid;          /* 0: the root */
	unsigned next, last_pid;
};

static int dir_stat(struct vfs_file *f, struct vfs_stat *st)
{
	(void)f;
	*st = (struct vfs_stat){ .kind = VFS_DIR, .mode = 0555 };
	return 0;
}

static int entry(struct vfs_dirent *d, enum vfs_kind kind, const char *name)
{
	d->kind = kind;
	strcpy(d->name, name);
	return 1;
}

static bool next_pid(struct process *p, void *arg)
{
	struct { unsigned after, found; } *w = arg;

	if (p->pid > w->after && (!w->found || p->pid < w->found))
		w->found = p->pid;
	return true;
}

static int read_root(struct cursor *c, struct vfs_dirent *d)
{
	struct { unsigned after, found; } w = { c->last_pid, 0 };

	if (c->next < ARRAY_SIZE(files))
		return entry(d, VFS_FILE, files[c->next++].name);
	if (c->next++ == ARRAY_SIZE(files))
		return entry(d, VFS_LINK, "self");
	process_for_each(next_pid, &w);
	if (!w.found)
		return 0;
	c->last_pid = w.found;
	d->kind = VFS_DIR;
	snprintf(d->name, sizeof(d->name), "%u", w.found);
	return 1;
}

static int dir_read(struct vfs_file *f, struct vfs_dirent *d)
{
	struct cursor *c = f->data;
	unsigned i = c->next;

	if (!c->pid)
		return read_root(c, d);
	if (i >= ARRAY_SIZE(process_files) + ARRAY_SIZE(process_links))
		return 0;
	c->next++;
	if (i < ARRAY_SIZE(process_files))
		return entry(d, VFS_FILE, process_files[i].name);
	return entry(d, VFS_LINK, process_links[i - ARRAY_SIZE(process_files)]);
}

static int dir_rewind(struct vfs_file *f)
{
	struct cursor *c = f->data;

	c->next = c->last_pid = 0;
	return 0;
}

static const struct vfs_file_ops dir_ops = { .close = close_data, .stat = dir_stat, .readdir = dir_read, .rewind = dir_rewind };

static int open_dir(const struct spot *s, struct vfs_file *f)
{
	struct cursor *c = kzalloc(sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->pid = s->pid;
	f->data = c;
	f->ops = &dir_ops;
	return 0;
}

static int open_text(const struct spot *s, struct vfs_file *f)
{
	struct text *t = kzalloc(sizeof(*t));
	struct snapshot *p = NULL;
	int error = t ? 0 : -ENOMEM;

	if (!error && s->pid)
		error = look_at(s->pid, &p);
	if (error) {
		kfree(t);
		return error;
	}
	if (p)
		process_files[s->i].say(t, p);
	else
		files[s->i].say(t);
	kfree(p);
	f->data = t;
	f->ops = &text_ops;
	return 0;
}

static int proc_open(struct vfs_mount *m, const char *path, unsigned flags, struct vfs_file *f)
{
	struct spot s = find(path);
	struct vfs_stat st;
	int error = proc_stat(m, path, &st);

	if (error)
		return error;
	if (flags & VFS_DIRECTORY)
		return st.kind == VFS_DIR ? open_dir(&s, f) : -ENOTDIR;
	if (st.kind != VFS_FILE)
		return st.kind == VFS_DIR ? -EISDIR : -ELOOP;
	return open_text(&s, f);
}

static int proc_mount(struct vfs_mount *m, const char *source)
{
	(void)source;
	m->read_only = true;
	return 0;
}

static int proc_unmount(struct vfs_mount *m)
{
	(void)m;
	return 0;
}

static struct fs_type proc_type = {
	.name = "proc", .mount = proc_mount, .unmount = proc_unmount, .open = proc_open, .stat = proc_stat,
	.readlink = proc_readlink,
};

static void register_proc(void)
{
	vfs_register(&proc_type);
}
CONSTRUCTOR(register_proc);
