/*
 * What programs have open: numbers (descriptors) that stand for open files, which may have several.
 *
 * An open file has functions by its kind: a file or directory of the VFS, the console, a pipe. What a kind leaves NULL it
 * cannot do. All functions: task context; negative errno on failure.
 */
#pragma once

#include <caisson/mutex.h>
#include <caisson/types.h>
#include <caisson/vfs.h>

#include "watch.h"

#define FDS_MAX 1024 /* of a process, at most */

struct open_file;
struct thread;
struct linux_stat;
struct page_source;

struct open_file_ops {
	/** @return bytes; 0 at the end; -ERESTART: a signal came before any. `data` is the kernel's. */
	int64_t (*read)(struct open_file *f, void *data, size_t n);
	int64_t (*write)(struct open_file *f, const void *data, size_t n);
	/** At a place, whatever the file's position. NULL: it has no places (-ESPIPE). */
	int64_t (*read_at)(struct open_file *f, void *data, size_t n, uint64_t pos);
	int64_t (*write_at)(struct open_file *f, const void *data, size_t n, uint64_t pos);
	int64_t (*seek)(struct open_file *f, int64_t offset, enum vfs_whence whence);
	int (*stat)(struct open_file *f, struct linux_stat *st);
	int (*truncate)(struct open_file *f, uint64_t size);
	/** Change what is said of it (VFS_SET_*). */
	int (*set)(struct open_file *f, const struct vfs_stat *st, unsigned what);
	/** Have room for these bytes; longer: the file ends behind them, if not later. */
	int (*reserve)(struct open_file *f, uint64_t pos, uint64_t n, bool longer);
	int (*sync)(struct open_file *f);
	int (*statfs)(struct open_file *f, struct vfs_statfs *st);
	/** @return 1 and *d, or 0: there are no more. */
	int (*readdir)(struct open_file *f, struct vfs_dirent *d);
	/** -ENOTTY: not for this kind. arg is the program's; t is the one that asks. */
	int64_t (*ioctl)(struct open_file *f, struct thread *t, uint64_t request, uint64_t arg);
	/** What it is ready for (POLL_*); the file's `changes` is told of any other answer. NULL: it never has to wait. */
	unsigned (*poll)(struct open_file *f);
	/** What one call of `read` gives is all that one system call gets: a line, and never its neighbour. */
	bool reads_once;
	/** Where mmap gets its pages: one reference more. NULL in *out: zeros. */
	int (*source)(struct open_file *f, struct page_source **out);
	/** The last reference has gone; f is freed afterwards. */
	void (*release)(struct open_file *f);
};

struct open_file {
	const struct open_file_ops *ops;
	uint32_t refs;           /* atomic */
	unsigned flags;          /* O_* as Linux has them, of open and fcntl */
	bool locked;             /* it has had a lock (flock) */
	void *data;              /* the kind's */
	struct watch_list *changes; /* told when poll's answer may have changed; NULL: it never does */
	char path[];             /* by which it was opened, "" for none */
};

/** Linux's flags, those that mean something here. */
enum {
	O_ACCMODE = 3, O_RDONLY = 0, O_WRONLY = 1, O_RDWR = 2, O_CREAT = 0100, O_EXCL = 0200, O_NOCTTY = 0400, O_TRUNC = 01000,
	O_APPEND = 02000, O_NONBLOCK = 04000, O_DIRECTORY = 0200000, O_NOFOLLOW = 0400000, O_CLOEXEC = 02000000,
	O_PATH = 010000000, O_TMPFILE = 020000000,
};

/** What poll says, as Linux has it. */
enum { POLL_IN = 1, POLL_OUT = 4, POLL_ERR = 8, POLL_HUP = 16, POLL_INVALID = 32 };

/** One of a kind, with one reference. @return NULL: out of memory (data is then still the caller's) */
struct open_file *open_file_new(const struct open_file_ops *ops, unsigned flags, void *data, const char *path) __must_check;
/** Undo that, of one that nobody has used. NULL: nothing. */
void open_file_free(struct open_file *f);
void open_file_get(struct open_file *f);
void open_file_put(struct open_file *f);
/** A number for a file that has no place in the VFS, as stat shows it: no two have the same. */
uint64_t open_file_number(void);

/** It gives its lock back, if it has one (process/flock.c). */
void flock_release(struct open_file *f);

struct fd {
	struct open_file *file;  /* NULL: free */
	bool close_on_exec;
};

/** The descriptors of a process. */
struct fd_table {
	struct mutex lock;
	uint32_t refs;           /* atomic: processes */
	unsigned n;              /* entries there are */
	unsigned limit;          /* atomic: descriptors are below it */
	struct fd *fds;
};

struct fd_table *fd_table_new(void) __must_check;
/** A copy, for fork. */
struct fd_table *fd_table_copy(struct fd_table *from) __must_check;
void fd_table_get(struct fd_table *t);
void fd_table_put(struct fd_table *t);
void fd_table_close_on_exec(struct fd_table *t);
/**
 * Give a file the lowest free descriptor from `from` on. The table takes the reference.
 * @return the descriptor; -EMFILE, -ENFILE, -ENOMEM: the reference is still the caller's
 */
int fd_add(struct fd_table *t, struct open_file *f, unsigned from, bool close_on_exec) __must_check;
/** Put a file at this very descriptor, in place of what is there. @return 0; -EBADF: too high; -ENOMEM */
int fd_place(struct fd_table *t, unsigned fd, struct open_file *f, bool close_on_exec) __must_check;
/** @return the file with one reference more, or NULL: there is none. */
struct open_file *fd_get(struct fd_table *t, uint64_t fd) __must_check;
/** Flags of a descriptor. @return 0 or -EBADF */
int fd_close_on_exec(struct fd_table *t, uint64_t fd, bool *out) __must_check;
int fd_set_close_on_exec(struct fd_table *t, uint64_t fd, bool on) __must_check;
int fd_close(struct fd_table *t, uint64_t fd) __must_check;

/* Kinds. */

/**
 * The console, as its reader and writer (process/tty.h).
 * @param errors  what is written goes to the standard error of who looks, if that is no terminal
 * @return 0 or -ENOMEM
 */
int console_open(unsigned flags, bool errors, struct open_file **out) __must_check;
/** A device by its number (process/device.c). @return 0; -ENXIO: there is no such device; -ENOMEM */
int device_open(uint64_t device, unsigned flags, const char *path, struct open_file **out) __must_check;
/** A file or directory of the VFS (process/file_vfs.c). path is absolute; mode: of a file that is made. */
int vfs_open_file(const char *path, unsigned flags, unsigned mode, struct open_file **out) __must_check;
/** What Linux's stat says of a file of the VFS. */
void stat_from_vfs(const struct vfs_stat *st, const char *path, struct linux_stat *out);
/** Pages of a VFS file that stays open as long as they are asked for. @return 0, -ENOMEM and what vfs_open returns */
int vfs_source_open(const char *path, struct page_source **out) __must_check;
