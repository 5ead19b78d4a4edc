/* Between the files of /proc: text that is made when somebody opens a file, and a process as it was just then. */
#pragma once

#include "thread.h"

/** Text that grows as it is said. */
struct text {
	char *data;            /* kalloc */
	size_t n, room;
	bool failed;           /* out of memory: what was said is not all */
};

void say(struct text *t, const char *fmt, ...) __printf(2, 3);
/** Bytes as they are. */
void say_bytes(struct text *t, const void *data, size_t n);
/** A word: blanks in it, which end one, are written otherwise. */
void say_word(struct text *t, const char *word);

/** A file or a folder of those that are always there; a file has something to say. */
struct proc_file {
	const char *path;
	void (*say)(struct text *t);
};

/** All but the processes; a folder comes before what is in it (process/proc_system.c). */
extern const struct proc_file proc_files[];
extern const unsigned proc_n_files;

void say_mounts(struct text *t);

/** A process, as it was when somebody asked. */
struct snapshot {
	unsigned pid, parent, group, session, died_of, n_threads, umask;
	char name[24], state;
	uint64_t resident, size, run_ms, children_ms, started; /* pages; bytes; ms; ticks */
	struct usage usage;
	struct user_mm *mm;    /* one reference; NULL: it has ended */
	struct fd_table *files; /* likewise */
	char exe[VFS_PATH_MAX], cwd[VFS_PATH_MAX];
};

/** @return 0 with a snapshot for snapshot_put; -ENOENT, -ENOMEM */
int snapshot_take(unsigned pid, struct snapshot **out) __must_check;
void snapshot_put(struct snapshot *s);

/** What each process has (process/proc_process.c). */
struct proc_process_file {
	const char *name;
	void (*say)(struct text *t, const struct snapshot *s);
};

extern const struct proc_process_file proc_process_files[];
extern const unsigned proc_n_process_files;
