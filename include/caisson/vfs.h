/*
 * The file tree: file systems of several kinds below one root.
 *
 * A file system is attached ("mounted") at a path, and has everything below that path,
 * except where another one is mounted further down. Paths are absolute; symbolic links in
 * them are followed (those in the last component only where a function says so), and ".."
 * leads from where a link has led to. A mount point need not exist as a directory.
 *
 * What a kind of file system is able to do stands in its struct fs_type and in the
 * struct vfs_file_ops of the files that it opens. What it leaves NULL it cannot do.
 *
 * Locking: each mount has a mutex, held during every call of a function of its fs_type
 * and of its files except mount() and unmount(), so that file systems need no lock of their own. The table of mounts
 * has one, which is held during those two; order: a mount's, then the table's. One struct vfs_file may be used by several tasks.
 *
 * Every struct vfs_file_ops has stat; every fs_type mount, unmount, open and stat.
 *
 * All functions: task context, and negative errno on failure. Errors that any of them may return
 * beside those named: -ENOMEM; -EIO and -ETIMEDOUT of a device; -EINVAL for a path that is not absolute;
 * -ENAMETOOLONG; -ENOENT also where nothing is mounted; -ENOTDIR; -ELOOP, more than VFS_LINKS_MAX links.
 */
#pragma once

#include <caisson/list.h>
#include <caisson/mutex.h>
#include <caisson/types.h>

#define VFS_PATH_MAX 4096 /* bytes, with the NUL */
#define VFS_NAME_MAX 255  /* bytes of one component */
#define VFS_LINKS_MAX 40  /* symbolic links that one path may lead through */
#define VFS_MOUNTS_MAX 128

/** How to open. At least one of the first two, except for directories. */
enum {
	VFS_READ = 1,
	VFS_WRITE = 2,
	VFS_CREATE = 4,     /* if there is no such file */
	VFS_EXCLUSIVE = 8,  /* with VFS_CREATE: -EEXIST if there is one */
	VFS_TRUNCATE = 16,  /* needs VFS_WRITE */
	VFS_APPEND = 32,    /* each write goes to the end; needs VFS_WRITE */
	VFS_NO_FOLLOW = 128, /* -ELOOP if the last component is a symbolic link */
	VFS_DIRECTORY = 64, /* a directory, for vfs_readdir; -ENOTDIR if it is none. Alone or with VFS_READ. */
};

/** Flags of vfs_mount. */
enum { VFS_READ_ONLY = 1 };
/** Flags of vfs_unmount_with. */
enum { VFS_DETACH = 1 /* it and what is below leave the tree at once, and end when the last user is gone */ };

enum vfs_kind {
	VFS_FILE, VFS_DIR,
	VFS_LINK,           /* a symbolic link */
	VFS_DEVICE,         /* a character device: what it does is its opener's business */
	VFS_BLOCK,          /* a block device, likewise */
	VFS_FIFO,           /* a pipe with a name, likewise */
	VFS_OTHER,          /* something else, which is seen but cannot be opened */
};

struct vfs_stat {
	enum vfs_kind kind;
	unsigned mode;      /* permissions, as in POSIX: 0755 */
	uint64_t size;      /* bytes; of directories what the file system likes */
	uint64_t mtime;     /* last change of the contents, seconds since 1970 */
	uint64_t atime, ctime; /* last use; last change of anything. 0: not known */
	uint32_t mtime_ns, atime_ns, ctime_ns;
	unsigned uid, gid;
	uint64_t room;      /* bytes that it takes, where those are counted */
	uint64_t ino;       /* tells it from others of its mount; 0: the file system has no such numbers */
	unsigned links;     /* names that it has; 0: not known */
	uint64_t device;    /* VFS_DEVICE, VFS_BLOCK: which */
	uint64_t mount;     /* the mount's number: with ino it tells it from all others */
};

/** What a file system has room for. Zeros where nothing is counted. */
struct vfs_statfs {
	uint64_t block_size;               /* bytes */
	uint64_t blocks, blocks_free;
	uint64_t files, files_free;        /* 0: as many as there is room for */
	/* Set by the VFS: */
	const struct fs_type *type;
	uint64_t mount;                    /* its number */
	bool read_only;
};

/** What vfs_set changes. */
enum { VFS_SET_MODE = 1, VFS_SET_MTIME = 2, VFS_SET_ATIME = 4, VFS_SET_UID = 8, VFS_SET_GID = 16 };

struct vfs_dirent {
	enum vfs_kind kind;
	uint64_t ino;                /* 0: not known */
	uint64_t next;               /* for who counts entries; the VFS does not */
	char name[VFS_NAME_MAX + 1]; /* UTF-8 */
};

enum vfs_whence { VFS_SEEK_SET, VFS_SEEK_CUR, VFS_SEEK_END };

struct vfs_mount;
struct vfs_file;

/** A kind of file system. Paths are relative to the mount, resolved, without a slash at either end; "" is its root. */
struct fs_type {
	const char *name;
	bool needs_device;  /* `source` is a block device */
	bool lockless;      /* its functions are called without the mount's lock; none of its files can be mapped */
	/** Attach to `source`; sets m->data, and m->read_only where it cannot be written. m->options are words apart by commas. */
	int (*mount)(struct vfs_mount *m, const char *source);
	/** Give up what mount made. Everything is detached in any case; an error says that data was lost. */
	int (*unmount)(struct vfs_mount *m);
	/** Sets f->ops and f->data. Never asked to write or create where m->read_only. */
	int (*open)(struct vfs_mount *m, const char *path, unsigned flags, struct vfs_file *f);
	int (*stat)(struct vfs_mount *m, const char *path, struct vfs_stat *st);
	/* The following are never called with "" nor where m->read_only. */
	int (*mkdir)(struct vfs_mount *m, const char *path);
	int (*unlink)(struct vfs_mount *m, const char *path);
	int (*rmdir)(struct vfs_mount *m, const char *path);
	int (*rename)(struct vfs_mount *m, const char *from, const char *to);
	int (*symlink)(struct vfs_mount *m, const char *target, const char *path);
	int (*link)(struct vfs_mount *m, const char *from, const char *to);
	int (*mknod)(struct vfs_mount *m, const char *path, enum vfs_kind kind, unsigned mode, uint64_t device);
	int (*set)(struct vfs_mount *m, const char *path, const struct vfs_stat *st, unsigned what);
	/** Also where m->read_only. @return bytes of the target that were put to `to`, without a NUL */
	int64_t (*readlink)(struct vfs_mount *m, const char *path, char *to, size_t n);
	int (*sync)(struct vfs_mount *m);
	int (*statfs)(struct vfs_mount *m, struct vfs_statfs *st);
	/** It is to be read only, or not any more; nothing is open for writing. NULL: nothing to be done. */
	int (*remount)(struct vfs_mount *m, bool read_only);
	struct list node;
};

struct vfs_file_ops {
	/** f is freed afterwards in any case; an error says that data was lost. */
	int (*close)(struct vfs_file *f);
	/** @return bytes, fewer than n only at the end or where the rest failed; or -errno with none. */
	int64_t (*read)(struct vfs_file *f, void *data, size_t n, uint64_t pos);
	int64_t (*write)(struct vfs_file *f, const void *data, size_t n, uint64_t pos);
	int (*truncate)(struct vfs_file *f, uint64_t size);
	/** Have room for these bytes; size and contents stay. */
	int (*reserve)(struct vfs_file *f, uint64_t pos, uint64_t n);
	int (*sync)(struct vfs_file *f);
	int (*stat)(struct vfs_file *f, struct vfs_stat *st);
	int (*set)(struct vfs_file *f, const struct vfs_stat *st, unsigned what);
	/** The frame that has the page at this offset: one owner more (frame_get). NULL: its pages are copies. @return 0, -ENXIO, -ENOSPC, -ENOMEM */
	int (*page)(struct vfs_file *f, uint64_t offset, hpa_t *out);
	/** `data` is the same for all who have the file open, and tells it from other files: it can be mapped. */
	bool mappable;
	/** Directories. @return 1 with the next entry, 0 at the end. Entries "." and ".." are left out. */
	int (*readdir)(struct vfs_file *f, struct vfs_dirent *d);
	int (*rewind)(struct vfs_file *f); /* the next one is the first again */
};

struct vfs_mount {
	const struct fs_type *type;
	char *path;         /* resolved; "" for the root, else "/disk" */
	char *source;       /* what was mounted, as somebody called it */
	const char *options; /* while it is being mounted */
	uint64_t number;    /* from 1; none twice */
	bool read_only;
	bool detached;      /* it is in no table any more and ends with its last user; under the table's lock */
	void *data;         /* the file system's */
	unsigned users;     /* open files and calls under way; under the table's lock */
	unsigned writers;   /* files open for writing, of the users; likewise */
	struct mutex lock;
	struct list mapped; /* files that somebody maps (fs/vfs_pages.c); under the lock */
	struct list node;
};

struct vfs_file {
	const struct vfs_file_ops *ops;
	struct vfs_mount *mount;
	unsigned flags;
	uint32_t refs;      /* atomic: who opened it, and its pages */
	bool created;       /* there was no such file before */
	uint64_t pos;       /* under the mount's lock */
	void *data;         /* the file system's */
};

/** Announce a kind of file system; it stays for good. Boot (a constructor) or task context. */
void vfs_register(struct fs_type *type);

/**
 * Mount `source` (for "fat" the name of a block device) at a path.
 * @return 0; -ENODEV no such kind or source; -EBUSY something is mounted at this very path, or the device is
 *         mounted already; -EINVAL the source holds no such file system, or a damaged one.
 */
int vfs_mount(const char *type, const char *source, const char *path, unsigned flags) __must_check;
/**
 * The same with options (NULL: none) of the file system's, and a name for what is mounted where it is not `source`.
 * @return also -EINVAL: an option that it does not know; -ENOSPC: VFS_MOUNTS_MAX are mounted.
 */
int vfs_mount_with(const char *type, const char *source, const char *path, unsigned flags, const char *options,
		   const char *name) __must_check;
/** Write everything back and detach. @return 0; -EBUSY files are open or something is mounted below; -EINVAL no mount. */
int vfs_unmount(const char *path) __must_check;
/** With VFS_DETACH. @return 0, -EINVAL */
int vfs_unmount_with(const char *path, unsigned flags) __must_check;
/** Make the mount at a path read-only or writable. @return 0; -EBUSY files are open for writing; -EINVAL no mount; -EROFS it cannot. */
int vfs_remount(const char *path, bool read_only) __must_check;
/** Is a mount at this resolved path? */
bool vfs_is_mount(const char *path);
/** Call fn with every kind of file system until it returns false. */
void vfs_for_each_type(bool (*fn)(const struct fs_type *type, void *arg), void *arg);
/** About the mount that a path belongs to; an open file's (vfs_fstatfs). */
int vfs_statfs(const char *path, struct vfs_statfs *st) __must_check;
int vfs_fstatfs(struct vfs_file *f, struct vfs_statfs *st) __must_check;
/** Call fn with every mount until it returns false. fn must not call functions of this file. */
void vfs_for_each_mount(bool (*fn)(const struct vfs_mount *m, void *arg), void *arg);

/**
 * Open a file or directory.
 * @return 0; -ENOENT, -EEXIST, -EISDIR, -ENOTDIR, -EROFS, -ENOSPC; -EACCES the file is marked as read-only;
 *         -ENOTSUP it is neither a file nor a directory; -EINVAL flags.
 */
int vfs_open(const char *path, unsigned flags, struct vfs_file **out) __must_check;
/** The file is closed in any case; an error says that written data may be lost. */
int vfs_close(struct vfs_file *f);

/** Read at the file's position and move it. @return bytes, 0 at the end; -EBADF not open for reading; -EISDIR. */
int64_t vfs_read(struct vfs_file *f, void *data, size_t n) __must_check;
/** Read at `pos`, whatever the file's position. */
int64_t vfs_read_at(struct vfs_file *f, void *data, size_t n, uint64_t pos) __must_check;
struct page_source;
/**
 * The pages of an open file, for mappings: the same for all who have it open. They outlive the file's closing.
 * @param path  what it is called, for people
 * @return 0, one reference more; -ENODEV: no such file can be mapped; -ENOMEM
 */
int vfs_source(struct vfs_file *f, const char *path, struct page_source **out) __must_check;
/**
 * Write likewise. A gap before the position reads as zeros.
 * @return bytes, fewer when it got full; -ENOSPC; -EFBIG; -EBADF.
 */
int64_t vfs_write(struct vfs_file *f, const void *data, size_t n) __must_check;
/** The same at the end, and the position moves there; at `pos`, whatever the file's position. */
int64_t vfs_append(struct vfs_file *f, const void *data, size_t n) __must_check;
int64_t vfs_write_at(struct vfs_file *f, const void *data, size_t n, uint64_t pos) __must_check;
/** Move the position, also beyond the end. @return the new one, or -EINVAL (negative, or more than INT64_MAX), -EISDIR. */
int64_t vfs_seek(struct vfs_file *f, int64_t offset, enum vfs_whence whence) __must_check;
/** Make the file this long; what is new reads as zeros. @return 0, -EBADF, -ENOSPC, -EFBIG. */
int vfs_truncate(struct vfs_file *f, uint64_t size) __must_check;
/** Have room for these bytes, so that writing them cannot fail for want of it. @return 0, -ENOTSUP, -ENOSPC, -EFBIG, -EBADF */
int vfs_reserve(struct vfs_file *f, uint64_t pos, uint64_t n) __must_check;
/** What was written to the file is on the medium when this returns 0. */
int vfs_sync(struct vfs_file *f) __must_check;
int vfs_fstat(struct vfs_file *f, struct vfs_stat *st) __must_check;
/** @return 1 with the next entry of a directory, 0 at its end, -ENOTDIR. */
int vfs_readdir(struct vfs_file *f, struct vfs_dirent *d) __must_check;
/** Begin again with the first entry. @return 0, -ENOTDIR */
int vfs_rewind(struct vfs_file *f) __must_check;

int vfs_stat(const char *path, struct vfs_stat *st) __must_check;
/** The same of a symbolic link itself, where the path ends with one. */
int vfs_lstat(const char *path, struct vfs_stat *st) __must_check;
/** @return bytes of the link's target in `to`, without a NUL, n at most; -EINVAL it is none. */
int64_t vfs_readlink(const char *path, char *to, size_t n) __must_check;
/** Make a symbolic link, a further name, a device. @return 0; -EEXIST, -ENOSPC, -EROFS (also: it has no such thing); -EXDEV; -EPERM. */
int vfs_symlink(const char *target, const char *path) __must_check;
int vfs_link(const char *from, const char *to) __must_check;
int vfs_mknod(const char *path, enum vfs_kind kind, unsigned mode, uint64_t device) __must_check;
/** Change permissions or the time of the last change (VFS_SET_*), those that st has. @return 0, -EROFS. */
int vfs_set(const char *path, const struct vfs_stat *st, unsigned what) __must_check;
/** The same of a symbolic link itself; of an open file, even if it has no name any more. */
int vfs_lset(const char *path, const struct vfs_stat *st, unsigned what) __must_check;
int vfs_fset(struct vfs_file *f, const struct vfs_stat *st, unsigned what) __must_check;
/** Where a path leads, every link followed. out has VFS_PATH_MAX bytes; "" is the root. */
int vfs_real_path(const char *path, char *out) __must_check;
/** @return 0; -EEXIST, -ENOSPC, -EROFS. */
int vfs_mkdir(const char *path) __must_check;
/** Remove a file. @return 0; -EISDIR, -EROFS, -EACCES; -EBUSY it is open and the file system needs it. */
int vfs_unlink(const char *path) __must_check;
/** Remove a directory. @return 0; -ENOTEMPTY, -EROFS; -EBUSY it is open, or the root of a mount. */
int vfs_rmdir(const char *path) __must_check;
/**
 * Give a file or directory another name, in place of a file or an empty directory that had it.
 * @return 0; -EXDEV to another mount; -EINVAL into itself; -EISDIR, -ENOTDIR, -ENOTEMPTY the other one is
 *         not alike or not empty; -EBUSY, -ENOSPC, -EROFS.
 */
int vfs_rename(const char *from, const char *to) __must_check;
/** The same, but never in the place of something. @return also -EEXIST */
int vfs_rename_to_new(const char *from, const char *to) __must_check;
/** Everything that was written to any file system is on its medium when this returns 0. */
int vfs_sync_all(void) __must_check;

/**
 * Resolve an absolute path by its text alone: "/a//./b/../c/" becomes "/a/c", and "/" becomes "". out has VFS_PATH_MAX bytes.
 * @return 0, -EINVAL (not absolute), -ENAMETOOLONG.
 */
int vfs_resolve(const char *path, char *out) __must_check;
