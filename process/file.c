/* Open files and the tables of descriptors that name them. */
#include <errno.h>
#include <string.h>

#include <caisson/mm.h>

#include "file.h"
#include "limits.h"

#define FDS_FIRST 16 /* entries of a new table */

static unsigned open_files; /* atomic; one that is beyond the limit gets no descriptor, and goes */

struct open_file *open_file_new(const struct open_file_ops *ops, unsigned flags, void *data, const char *path)
{
	struct open_file *f = kalloc(sizeof(*f) + strlen(path) + 1);

	if (!f)
		return NULL;
	*f = (struct open_file){ .ops = ops, .refs = 1, .flags = flags, .data = data };
	strcpy(f->path, path);
	__atomic_fetch_add(&open_files, 1, __ATOMIC_RELAXED);
	return f;
}

void open_file_free(struct open_file *f)
{
	if (f)
		__atomic_fetch_sub(&open_files, 1, __ATOMIC_RELAXED);
	kfree(f);
}

void open_file_get(struct open_file *f)
{
	__atomic_fetch_add(&f->refs, 1, __ATOMIC_RELAXED);
}

void open_file_put(struct open_file *f)
{
	if (!f || __atomic_fetch_sub(&f->refs, 1, __ATOMIC_ACQ_REL) != 1)
		return;
	if (f->locked)
		flock_release(f);
	if (f->ops->release)
		f->ops->release(f);
	open_file_free(f);
}

uint64_t open_file_number(void)
{
	static uint64_t last;

	return __atomic_add_fetch(&last, 1, __ATOMIC_RELAXED);
}

/* --- tables --- */

static struct fd_table *new_table(unsigned n)
{
	struct fd_table *t = kzalloc(sizeof(*t));

	if (!t)
		return NULL;
	t->fds = kzalloc(n * sizeof(t->fds[0]));
	if (!t->fds) {
		kfree(t);
		return NULL;
	}
	mutex_init(&t->lock);
	t->refs = 1;
	t->limit = FDS_MAX;
	t->n = n;
	return t;
}

struct fd_table *fd_table_new(void)
{
	return new_table(FDS_FIRST);
}

struct fd_table *fd_table_copy(struct fd_table *from)
{
	struct fd_table *t;

	mutex_lock(&from->lock);
	t = new_table(from->n);
	if (t)
		t->limit = from->limit;
	for (unsigned i = 0; t && i < from->n; i++) {
		t->fds[i] = from->fds[i];
		if (t->fds[i].file)
			open_file_get(t->fds[i].file);
	}
	mutex_unlock(&from->lock);
	return t;
}

void fd_table_get(struct fd_table *t)
{
	__atomic_fetch_add(&t->refs, 1, __ATOMIC_RELAXED);
}

void fd_table_put(struct fd_table *t)
{
	if (__atomic_fetch_sub(&t->refs, 1, __ATOMIC_ACQ_REL) != 1)
		return;
	for (unsigned i = 0; i < t->n; i++)
		open_file_put(t->fds[i].file);
	kfree(t->fds);
	kfree(t);
}

/* Make room for descriptor `fd`. The lock is held. */
static int grow(struct fd_table *t, unsigned fd)
{
	unsigned n = t->n;
	struct fd *more;

	if (fd >= __atomic_load_n(&t->limit, __ATOMIC_RELAXED))
		return -EMFILE;
	if (fd < n)
		return 0;
	while (n <= fd)
		n *= 2;
	more = kzalloc(n * sizeof(*more));
	if (!more)
		return -ENOMEM;
	memcpy(more, t->fds, t->n * sizeof(*more));
	kfree(t->fds);
	t->fds = more;
	t->n = n;
	return 0;
}

int fd_add(struct fd_table *t, struct open_file *f, unsigned from, bool close_on_exec)
{
	unsigned fd = from;
	int error;

	mutex_lock(&t->lock);
	while (fd < t->n && t->fds[fd].file)
		fd++;
	error = grow(t, fd);
	if (__atomic_load_n(&open_files, __ATOMIC_RELAXED) > limit_files())
		error = -ENFILE;
	if (!error)
		t->fds[fd] = (struct fd){ f, close_on_exec };
	mutex_unlock(&t->lock);
	return error ? error : (int)fd;
}

int fd_place(struct fd_table *t, unsigned fd, struct open_file *f, bool close_on_exec)
{
	struct open_file *old = NULL;
	int error;

	mutex_lock(&t->lock);
	error = grow(t, fd);
	if (!error) {
		old = t->fds[fd].file;
		t->fds[fd] = (struct fd){ f, close_on_exec };
	}
	mutex_unlock(&t->lock);
	open_file_put(old);
	return error == -EMFILE ? -EBADF : error;
}

/* What descriptor `fd` has, or NULL. The lock is held. */
static struct fd *find(struct fd_table *t, uint64_t fd)
{
	return fd < t->n && t->fds[fd].file ? &t->fds[fd] : NULL;
}

struct open_file *fd_get(struct fd_table *t, uint64_t fd)
{
	struct open_file *f = NULL;
	const struct fd *found;

	mutex_lock(&t->lock);
	found = find(t, fd);
	if (found) {
		f = found->file;
		open_file_get(f);
	}
	mutex_unlock(&t->lock);
	return f;
}

int fd_close_on_exec(struct fd_table *t, uint64_t fd, bool *out)
{
	const struct fd *found;

	mutex_lock(&t->lock);
	found = find(t, fd);
	if (found)
		*out = found->close_on_exec;
	mutex_unlock(&t->lock);
	return found ? 0 : -EBADF;
}

int fd_set_close_on_exec(struct fd_table *t, uint64_t fd, bool on)
{
	struct fd *found;

	mutex_lock(&t->lock);
	found = find(t, fd);
	if (found)
		found->close_on_exec = on;
	mutex_unlock(&t->lock);
	return found ? 0 : -EBADF;
}

int fd_close(struct fd_table *t, uint64_t fd)
{
	struct open_file *f = NULL;
	struct fd *found;

	mutex_lock(&t->lock);
	found = find(t, fd);
	if (found) {
		f = found->file;
		found->file = NULL;
	}
	mutex_unlock(&t->lock);
	open_file_put(f);
	return f ? 0 : -EBADF;
}

void fd_table_close_on_exec(struct fd_table *t)
{
	for (unsigned i = 0; i < t->n; i++)
		if (t->fds[i].file && t->fds[i].close_on_exec)
			(void)!fd_close(t, i);
}
