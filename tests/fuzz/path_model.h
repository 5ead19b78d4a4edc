/* The model that fuzz_path.c holds the file tree against: nodes that know each other, no text. */
#pragma once

#include <fs/tmpfs/tmpfs.h>

#define MOUNTS_MAX 4

struct mnode {
	enum vfs_kind kind;
	unsigned fs;               /* number of the mount it is in */
	unsigned names, open;
	uint64_t size;
	char target[64];           /* link */
	struct ment *entries;      /* directory, the oldest first */
	struct mnode *parent;
	struct mnode *cover;       /* the root of what is mounted here */
	struct mnode *covered;     /* of such a root: where it is mounted; NULL: at / */
};

struct ment {
	char name[VFS_NAME_MAX + 2];
	struct mnode *node;
	struct ment *next;
};

/** A path in the model. */
struct mplace {
	struct mnode *dir, *node;  /* node NULL: not there, or not looked at */
	char name[VFS_NAME_MAX + 2];
	bool slash, dots;
};

enum follow { NEVER, SLASH, ALWAYS };

extern struct model {
	struct mnode *root;
	struct mnode *mounts[MOUNTS_MAX]; /* their roots, but for / */
	unsigned n_mounts;
} model;

struct mnode *m_new(enum vfs_kind kind, unsigned fs);
/** Free a node that has no name and is not open. */
void m_drop(struct mnode *n);
/** What a directory has below a name, or NULL. */
struct mnode *m_child(struct mnode *dir, const char *name);
/** Resolve a path. @return 0 or what the calls answer */
int m_walk(const char *path, enum follow follow, struct mplace *r);
/** The root of a mount, by whatever name. */
bool m_is_root(const struct mplace *r);

/* The calls: their answers, and what they do. */
int m_make(const char *path, enum vfs_kind kind, const char *target, bool is_mkdir);
int m_unlink(const char *path);
int m_rmdir(const char *path);
int m_link(const char *from, const char *to);
int m_rename(const char *from, const char *to);
int m_open(const char *path, bool create, bool exclusive, struct mnode **out);

/** Free all that is in a directory. */
void m_free(struct mnode *dir);
/** Is anything mounted below it, not at it? */
bool m_has_mounts_inside(const struct mnode *dir);
void m_unmount(struct mnode *top);
