/* What /proc says of a process. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <caisson/aspace.h>
#include <caisson/mm.h>
#include <caisson/time.h>

#include "proc_text.h"

#define JIFFY_MS 10
#define STRINGS_MAX (128 * KiB)
#define TERMINAL 1281 /* 5:1, as its number is written there */

/* --- looking --- */

static uint64_t ms_of(uint64_t ticks)
{
	return time_to_ns(ticks) / 1000000;
}

/* The lock of the table is held, so the process does not go, nor what it has. */
static bool take(struct process *p, void *arg)
{
	struct snapshot *s = arg;

	if (p->pid != s->pid)
		return true;
	s->parent = p->parent_pid;
	s->group = p->group;
	s->session = p->session;
	s->n_threads = p->n_threads;
	s->umask = p->umask;
	s->started = p->started;
	memcpy(s->name, p->name, sizeof(s->name));
	s->state = p->zombie ? 'Z' : p->stopped_by ? 'T' : process_is_asleep(p) ? 'S' : 'R';
	s->usage = usage_of(p);
	s->run_ms = ms_of(s->usage.run_time);
	s->children_ms = ms_of(p->children_usage.run_time);
	s->resident = process_resident(p);
	s->died_of = p->died_of;
	strcpy(s->exe, p->exe);
	strcpy(s->cwd, p->cwd);
	s->mm = p->mm;
	if (s->mm)
		mm_get(s->mm);
	s->files = p->files;
	if (s->files)
		fd_table_get(s->files);
	s->pid = 0; /* found */
	return false;
}

static uint64_t size_of(struct user_mm *mm)
{
	struct area a;
	uint64_t size = 0;

	for (unsigned i = 0; mm && aspace_area(&mm->space, i, &a); i++)
		size += a.size;
	return size;
}

int snapshot_take(unsigned pid, struct snapshot **out)
{
	struct snapshot *s = kalloc(sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->pid = pid;
	process_for_each(take, s);
	if (s->pid) {
		kfree(s);
		return -ENOENT;
	}
	s->pid = pid;
	s->size = size_of(s->mm);
	*out = s;
	return 0;
}

void snapshot_put(struct snapshot *s)
{
	if (!s)
		return;
	if (s->mm)
		mm_put(s->mm);
	if (s->files)
		fd_table_put(s->files);
	kfree(s);
}

/* --- numbers --- */

static void say_stat(struct text *t, const struct snapshot *s)
{
	say(t, "%u (%s) %c %u %u %u %u %u 0 %lu 0 0 0 %lu 0 %lu 0 20 0 %u 0 %lu %lu %lu 18446744073709551615", s->pid, s->name, s->state,
	    s->parent, s->group, s->session, TERMINAL, s->group, (unsigned long)s->usage.faults, (unsigned long)s->run_ms / JIFFY_MS,
	    (unsigned long)s->children_ms / JIFFY_MS, s->n_threads, (unsigned long)ms_of(s->started) / JIFFY_MS, (unsigned long)s->size,
	    (unsigned long)s->resident);
	say(t, " 0 0 0 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0 0 0 0 0 0 0 0 %u\n", s->died_of);
}

static void say_statm(struct text *t, const struct snapshot *s)
{
	say(t, "%lu %lu 0 0 0 %lu 0\n", (unsigned long)(s->size / PAGE_SIZE), (unsigned long)s->resident,
	    (unsigned long)(s->size / PAGE_SIZE));
}

static const char *state_name(char state)
{
	return state == 'R' ? "running" : state == 'S' ? "sleeping" : state == 'T' ? "stopped" : "zombie";
}

static void say_status(struct text *t, const struct snapshot *s)
{
	say(t, "Name:\t%s\nUmask:\t%04o\nState:\t%c (%s)\nTgid:\t%u\nNgid:\t0\nPid:\t%u\nPPid:\t%u\nTracerPid:\t0\nUid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\n",
	    s->name, s->umask, s->state, state_name(s->state), s->pid, s->pid, s->parent);
	if (s->mm)
		say(t, "VmSize:\t%8lu kB\nVmRSS:\t%8lu kB\n", (unsigned long)(s->size / KiB), (unsigned long)(s->resident * PAGE_SIZE / KiB));
	say(t, "Threads:\t%u\nvoluntary_ctxt_switches:\t%lu\nnonvoluntary_ctxt_switches:\t%lu\n", s->n_threads,
	    (unsigned long)s->usage.waits, (unsigned long)s->usage.preempted);
}

/* --- strings: they stand in the program's memory, and are what it has made of them --- */

static void say_strings(struct text *t, struct user_mm *mm, uint64_t from, uint64_t to)
{
	char piece[256];

	for (to = MIN(to, from + STRINGS_MAX); from < to; from += sizeof(piece)) {
		size_t n = MIN(to - from, sizeof(piece));

		if (copy_from_user(mm, piece, from, n))
			return;
		say_bytes(t, piece, n);
	}
}

static void say_cmdline(struct text *t, const struct snapshot *s)
{
	if (s->mm)
		say_strings(t, s->mm, s->mm->args, s->mm->env);
}

static void say_environ(struct text *t, const struct snapshot *s)
{
	if (s->mm)
		say_strings(t, s->mm, s->mm->env, s->mm->env_end);
}

static void say_comm(struct text *t, const struct snapshot *s)
{
	say(t, "%s\n", s->name);
}

/* --- maps --- */

static void name_of(const struct user_mm *mm, const struct area *a, char *to, size_t size)
{
	uint64_t end = a->start + a->size;

	to[0] = '\0';
	if (a->start == USER_TRAMPOLINE)
		snprintf(to, size, "[trampoline]");
	else if (a->source && a->source->ops->name)
		a->source->ops->name(a->source, to, size);
	else if (mm->env_end > a->start && mm->env_end <= end)
		snprintf(to, size, "[stack]");
	else if (end > mm->brk_start && a->start < mm->brk)
		snprintf(to, size, "[heap]");
}

/* Its lock is held, so that sources do not go. */
static void say_areas(struct text *t, struct user_mm *mm)
{
	char name[128];
	struct area a;

	for (unsigned i = 0; aspace_area(&mm->space, i, &a); i++) {
		name_of(mm, &a, name, sizeof(name));
		say(t, "%08lx-%08lx %c%c%c%c %08lx 00:00 0 %s\n", (unsigned long)a.start, (unsigned long)(a.start + a.size),
		    a.perm & PERM_R ? 'r' : '-', a.perm & PERM_W ? 'w' : '-', a.perm & PERM_X ? 'x' : '-', a.flags & USER_SHARED ? 's' : 'p',
		    (unsigned long)(a.source ? a.source_offset : 0), name);
	}
}

static void say_maps(struct text *t, const struct snapshot *s)
{
	if (!s->mm)
		return;
	mutex_lock(&s->mm->lock);
	say_areas(t, s->mm);
	mutex_unlock(&s->mm->lock);
}

static void say_process_mounts(struct text *t, const struct snapshot *s)
{
	(void)s;
	say_mounts(t);
}

const struct proc_process_file proc_process_files[] = {
	{ "cmdline", say_cmdline }, { "comm", say_comm }, { "environ", say_environ }, { "maps", say_maps }, { "mounts", say_process_mounts },
	{ "stat", say_stat }, { "statm", say_statm }, { "status", say_status },
};
const unsigned proc_n_process_files = ARRAY_SIZE(proc_process_files);
