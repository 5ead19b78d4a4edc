/*
 * tmpfs: a file system in memory, empty when it is mounted and gone when it is unmounted.
 *
 * A node is a file, a directory, a symbolic link or a device; it lives as long as it has a name or is open. Files have
 * frames for the pages that were written; the others read as zeros. One mount may take half of what memory was free when it
 * was mounted, or what its options say: size= in bytes (with k, m, g), nr_inodes=, mode= of its root. So many pages, and
 * as many nodes, a node counting once for each of its names. Everything under the mount's lock.
 */
#pragma once

#include <caisson/list.h>
#include <caisson/vfs.h>

#define TARGET_LONG 512 /* bytes: a link's target from that size on counts as a page */

struct tmpfs {
	uint64_t pages, pages_max; /* of files */
	uint64_t nodes, nodes_max;
	uint64_t last_ino;
	struct node *root;
};

struct node {
	struct tmpfs *fs;
	enum vfs_kind kind;
	unsigned mode;
	unsigned names;           /* how many there are for it */
	unsigned open;            /* by so many */
	unsigned uid, gid;
	uint64_t ino, device;
	uint64_t mtime, atime, ctime; /* ns since 1970 */
	uint64_t size;            /* bytes: of a file, a link's target */
	union {
		struct { struct list entries; uint64_t n_entries, n_folders; }; /* directory: struct entry; so many, of which folders */
		char *target;             /* link */
		struct { hpa_t *frames; uint64_t room; } pages; /* file: frames[i].v is 0 for a page never written */
	};
};

struct entry {
	struct list link;
	uint64_t number;          /* grows with each entry: where a reader of the directory is */
	struct node *node;
	uint32_t hash;            /* of the name: most others differ here */
	char name[];
};

/* node.c: nodes and names */

/** @return a node with no name yet, or NULL: out of memory, or there are as many as may be. */
struct node *node_new(struct tmpfs *fs, enum vfs_kind kind, unsigned mode) __must_check;
/** Free it if nobody needs it any more. */
void node_drop(struct node *n);
/** Walk a path of the mount. @return 0; -ENOENT, -ENOTDIR */
int node_find(struct tmpfs *fs, const char *path, struct node **out) __must_check;
/** The directory that has (or would have) the last component, and that. @return 0; -ENOENT, -ENOTDIR */
int node_find_parent(struct tmpfs *fs, const char *path, struct node **dir, const char **name) __must_check;
struct entry *node_entry(const struct node *dir, const char *name);
/** Give a node a name. @return 0; -ENOMEM */
int node_add(struct node *dir, const char *name, struct node *n) __must_check;
/** Take an entry of a directory away, and its node if that was the last use of it. */
void node_remove(struct node *dir, struct entry *e);
/** Its contents, or something about it, have changed now. */
void node_touch(struct node *n);
void node_touch_about(struct node *n);

/* mount.c: what is said of a whole one */

int tmpfs_mount(struct vfs_mount *m, const char *source);
int tmpfs_unmount(struct vfs_mount *m);
int tmpfs_statfs(struct vfs_mount *m, struct vfs_statfs *st);

/** tmpfs as a kind, for others that are made of it. */
extern const struct fs_type tmpfs_type;

/* data.c: the bytes of files */

int64_t data_read(const struct node *n, char *to, size_t len, uint64_t pos);
/** @return bytes, or -ENOSPC, -EFBIG with none */
int64_t data_write(struct node *n, const char *from, size_t len, uint64_t pos);
int data_truncate(struct node *n, uint64_t size) __must_check;
/** Bytes of the frames that it has. */
uint64_t data_room(const struct node *n);
/** Have frames for these bytes, which read as zeros. @return 0; -ENOSPC, some may be there if the machine's memory is out; -EFBIG */
int data_reserve(struct node *n, uint64_t pos, uint64_t len) __must_check;
/** The frame of a page, made if there is none. @return 0; -ENXIO beyond the end; -ENOSPC, -ENOMEM */
int data_page(struct node *n, uint64_t offset, hpa_t *out) __must_check;
void data_free(struct node *n);
