/* What /proc says of the system. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <caisson/hart.h>
#include <caisson/mm.h>
#include <caisson/rtc.h>
#include <caisson/time.h>

#include "linux_abi.h"
#include "proc_text.h"

#define TEXT_FIRST 512
#define JIFFIES 100 /* a second has, as Linux counts them for programs */

/* --- text --- */

static bool make_room(struct text *t, size_t n)
{
	size_t room = MAX(2 * t->room, (size_t)TEXT_FIRST);
	char *more;

	if (t->room - t->n > n)
		return true;
	while (room - t->n <= n)
		room *= 2;
	more = kalloc(room);
	t->failed |= !more;
	if (!more)
		return false;
	if (t->n)
		memcpy(more, t->data, t->n);
	kfree(t->data);
	t->data = more;
	t->room = room;
	return true;
}

void say_bytes(struct text *t, const void *data, size_t n)
{
	if (!make_room(t, n))
		return;
	memcpy(t->data + t->n, data, n);
	t->n += n;
}

void say(struct text *t, const char *fmt, ...)
{
	char line[320];
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	if (n > 0)
		say_bytes(t, line, MIN((size_t)n, sizeof(line) - 1));
}

void say_word(struct text *t, const char *word)
{
	for (; *word; word++)
		say(t, strchr(" \t\n\\", *word) ? "\\%03o" : "%c", *word);
	say(t, " ");
}

/* --- file systems --- */

static bool say_mount(const struct vfs_mount *m, void *arg)
{
	say_word(arg, *m->source ? m->source : "none");
	say_word(arg, *m->path ? m->path : "/");
	say(arg, "%s %s 0 0\n", m->type->name, m->read_only ? "ro" : "rw");
	return true;
}

void say_mounts(struct text *t)
{
	vfs_for_each_mount(say_mount, t);
}

static bool say_kind(const struct fs_type *type, void *arg)
{
	say(arg, "%s\t%s\n", type->needs_device ? "" : "nodev", type->name);
	return true;
}

static void say_kinds(struct text *t)
{
	vfs_for_each_type(say_kind, t);
}

/* --- memory, time, processors --- */

static void say_memory(struct text *t)
{
	unsigned long total = frame_total_count() * (PAGE_SIZE / 1024), free = frame_free_count() * (PAGE_SIZE / 1024);

	say(t, "MemTotal:       %8lu kB\nMemFree:        %8lu kB\nMemAvailable:   %8lu kB\nBuffers:               0 kB\n"
	    "Cached:                0 kB\nSwapTotal:             0 kB\nSwapFree:              0 kB\n", total, free, free);
}

struct sums {
	uint64_t busy;          /* ticks on harts, of the processes there are */
	unsigned n, running, last;
};

static bool add_process(struct process *p, void *arg)
{
	struct sums *s = arg;

	s->busy += usage_of(p).run_time;
	s->n++;
	s->running += !p->zombie && !p->stopped_by && !process_is_asleep(p);
	s->last = MAX(s->last, p->pid);
	return true;
}

/* Jiffies that all harts together have been busy, and idle. What ended processes used is known as far as it was seen. */
static void busy_and_idle(unsigned long *busy, unsigned long *idle)
{
	static uint64_t seen;
	struct sums s = { .busy = 0 };
	uint64_t all = time_to_ns(time_now()) * hart_count(), now;

	process_for_each(add_process, &s);
	now = MAX(__atomic_load_n(&seen, __ATOMIC_RELAXED), time_to_ns(s.busy));
	__atomic_store_n(&seen, now, __ATOMIC_RELAXED);
	*busy = now / (1000000000 / JIFFIES);
	*idle = (all - MIN(all, now)) / (1000000000 / JIFFIES);
}

static void say_uptime(struct text *t)
{
	unsigned long ms = time_to_ns(time_now()) / 1000000, busy, idle;

	busy_and_idle(&busy, &idle);
	say(t, "%lu.%02lu %lu.%02lu\n", ms / 1000, ms % 1000 / 10, idle / JIFFIES, idle % JIFFIES);
}

static void say_stat(struct text *t)
{
	uint64_t up = time_to_ns(time_now());
	unsigned long busy, idle;
	struct sums s = { .busy = 0 };

	process_for_each(add_process, &s);
	busy_and_idle(&busy, &idle);
	say(t, "cpu  %lu 0 0 %lu 0 0 0 0 0 0\n", busy, idle);
	for (unsigned i = 0; i < hart_count(); i++)
		say(t, "cpu%u %lu 0 0 %lu 0 0 0 0 0 0\n", i, busy / hart_count(), idle / hart_count());
	say(t, "intr 0\nctxt 0\nbtime %lu\nprocesses %u\nprocs_running %u\nprocs_blocked 0\n",
	    (unsigned long)((rtc_wall_ns() - up) / 1000000000), s.last, s.running);
}

/* How many want a hart is known for this moment only. */
static void say_load(struct text *t)
{
	struct sums s = { .busy = 0 };

	process_for_each(add_process, &s);
	say(t, "%u.00 %u.00 %u.00 %u/%u %u\n", s.running, s.running, s.running, s.running, s.n, s.last);
}

static void say_cpus(struct text *t)
{
	for (unsigned i = 0; i < hart_count(); i++)
		say(t, "processor\t: %u\nhart\t\t: %u\nisa\t\t: rv64imafdc\nmmu\t\t: sv39\n\n", i, i);
}

/* --- names --- */

static void say_version(struct text *t)
{
	say(t, "Linux version " LINUX_RELEASE " (Caisson) #1 Caisson\n");
}

static void say_release(struct text *t)
{
	say(t, LINUX_RELEASE "\n");
}

static void say_type(struct text *t)
{
	say(t, "Linux\n");
}

static void say_build(struct text *t)
{
	say(t, "#1 Caisson\n");
}

static void say_host(struct text *t)
{
	say(t, LINUX_NODE "\n");
}

static void say_pid_max(struct text *t)
{
	say(t, "32768\n");
}

static void say_nothing(struct text *t)
{
	(void)t;
}

const struct proc_file proc_files[] = {
	{ "cmdline", say_nothing }, { "cpuinfo", say_cpus }, { "filesystems", say_kinds }, { "loadavg", say_load }, { "meminfo", say_memory },
	{ "mounts", say_mounts }, { "stat", say_stat }, { "sys", NULL }, { "sys/kernel", NULL }, { "sys/kernel/hostname", say_host },
	{ "sys/kernel/osrelease", say_release }, { "sys/kernel/ostype", say_type }, { "sys/kernel/pid_max", say_pid_max },
	{ "sys/kernel/version", say_build }, { "uptime", say_uptime }, { "version", say_version },
};
const unsigned proc_n_files = ARRAY_SIZE(proc_files);
