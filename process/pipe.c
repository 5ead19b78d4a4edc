/* Pipes: a ring of bytes between two ends. */
#include <errno.h>
#include <string.h>

#include <caisson/mm.h>

#include "limits.h"
#include "linux_abi.h"
#include "pipe.h"
#include "thread.h"

#define RING_SIZE (16 * KiB)   /* a power of two */
#define ATOMIC_MAX PAGE_SIZE   /* a write up to this is not mixed with others (PIPE_BUF) */

static unsigned pipes; /* atomic: how many there are */

struct pipe {
	struct waitq changes;  /* its lock guards the rest */
	struct watch_list watchers;
	uint32_t put, got;
	unsigned readers, writers;
	unsigned reads, writes; /* how often it was opened so */
	uint32_t refs;         /* atomic: its ends */
	uint64_t ino;          /* open_file_number(), or of the file that it is: */
	bool named;            /* a FIFO, */
	uint64_t mount;        /* here, */
	struct list node;      /* in fifos; its refs are under that lock when they go */
	char *ring;
};

/* The FIFOs that somebody has open. The lock is innermost. */
static spinlock_t fifos_lock = SPINLOCK_INIT;
static struct list fifos = LIST_INIT(fifos);

static void tell(struct pipe *p)
{
	waitq_notify_all(&p->changes);
	watch_tell(&p->watchers);
}

/* What somebody waits for. */
struct wish {
	struct pipe *pipe;
	struct thread *thread;
	size_t room;
};

static bool can_read(void *arg)
{
	const struct wish *w = arg;

	return w->pipe->put != w->pipe->got || !w->pipe->writers || thread_interrupted(w->thread);
}

static bool can_write(void *arg)
{
	const struct wish *w = arg;

	return RING_SIZE - (w->pipe->put - w->pipe->got) >= w->room || !w->pipe->readers || thread_interrupted(w->thread);
}

/* The lock is held. @return bytes */
static size_t take(struct pipe *p, char *to, size_t n)
{
	size_t done = 0;

	n = MIN(n, p->put - p->got);
	while (done < n) {
		size_t at = p->got % RING_SIZE, piece = MIN(n - done, RING_SIZE - at);

		memcpy(to + done, p->ring + at, piece);
		p->got += (uint32_t)piece;
		done += piece;
	}
	return done;
}

static size_t give(struct pipe *p, const char *from, size_t n)
{
	size_t done = 0;

	n = MIN(n, RING_SIZE - (p->put - p->got));
	while (done < n) {
		size_t at = p->put % RING_SIZE, piece = MIN(n - done, RING_SIZE - at);

		memcpy(p->ring + at, from + done, piece);
		p->put += (uint32_t)piece;
		done += piece;
	}
	return done;
}

static int64_t pipe_read(struct open_file *f, void *data, size_t n)
{
	struct pipe *p = f->data;
	struct wish w = { p, thread_current(), 0 };
	irqflags_t flags;
	size_t done;
	bool ended;

	if (!(f->flags & O_NONBLOCK))
		waitq_wait(&p->changes, can_read, &w, UINT64_MAX);
	flags = spin_lock_irqsave(&p->changes.lock);
	done = take(p, data, n);
	ended = !p->writers;
	spin_unlock_irqrestore(&p->changes.lock, flags);
	if (done)
		tell(p);
	return done || ended || n == 0 ? (int64_t)done : f->flags & O_NONBLOCK ? -EAGAIN : -ERESTART;
}

/* It is the thread's that writes, and nobody else's. */
static int64_t broken(void)
{
	signal_send_thread(thread_current(), SIGPIPE, &(struct signal_info){ .code = SI_KERNEL });
	return -EPIPE;
}

/* n is a page at most, and so goes in one piece. */
static int64_t pipe_write(struct open_file *f, const void *data, size_t n)
{
	struct pipe *p = f->data;
	struct wish w = { p, thread_current(), MIN(n, ATOMIC_MAX) };
	irqflags_t flags;
	size_t done = 0;
	bool nobody;

	if (!(f->flags & O_NONBLOCK))
		waitq_wait(&p->changes, can_write, &w, UINT64_MAX);
	flags = spin_lock_irqsave(&p->changes.lock);
	nobody = !p->readers;
	if (!nobody && RING_SIZE - (p->put - p->got) >= w.room)
		done = give(p, data, n);
	spin_unlock_irqrestore(&p->changes.lock, flags);
	if (nobody)
		return broken();
	if (done)
		tell(p);
	return done || n == 0 ? (int64_t)done : f->flags & O_NONBLOCK ? -EAGAIN : -ERESTART;
}

static int pipe_stat(struct open_file *f, struct linux_stat *st)
{
	const struct pipe *p = f->data;
	struct vfs_stat node;

	if (*f->path && vfs_stat(f->path, &node) == 0 && node.kind == VFS_FIFO)
		stat_from_vfs(&node, f->path, st);
	else
		*st = (struct linux_stat){ .dev = 3, .ino = p->ino, .mode = LINUX_S_IFIFO | 0600, .nlink = 1, .blksize = PAGE_SIZE };
	return 0;
}

static void free_pipe(struct pipe *p)
{
	__atomic_fetch_sub(&pipes, 1, __ATOMIC_RELAXED);
	kfree(p->ring);
	kfree(p);
}

/* The other end may go at the same time; and while it goes, a FIFO may be looked for. */
static void put(struct pipe *p)
{
	irqflags_t flags;
	bool last;

	if (!p->named) {
		if (__atomic_fetch_sub(&p->refs, 1, __ATOMIC_ACQ_REL) == 1)
			free_pipe(p);
		return;
	}
	flags = spin_lock_irqsave(&fifos_lock);
	last = __atomic_sub_fetch(&p->refs, 1, __ATOMIC_ACQ_REL) == 0;
	if (last)
		list_del(&p->node);
	spin_unlock_irqrestore(&fifos_lock, flags);
	if (last)
		free_pipe(p);
}

static bool reads(const struct open_file *f)
{
	return (f->flags & O_ACCMODE) != O_WRONLY;
}

static bool writes(const struct open_file *f)
{
	return (f->flags & O_ACCMODE) != O_RDONLY;
}

static void pipe_release(struct open_file *f)
{
	struct pipe *p = f->data;
	irqflags_t flags = spin_lock_irqsave(&p->changes.lock);

	p->readers -= reads(f);
	p->writers -= writes(f);
	spin_unlock_irqrestore(&p->changes.lock, flags);
	tell(p);
	put(p);
}

static unsigned pipe_poll(struct open_file *f)
{
	struct pipe *p = f->data;
	uint32_t used = p->put - p->got;
	unsigned found = 0;

	if (reads(f))
		found |= (used ? POLL_IN : 0u) | (p->writers ? 0u : POLL_HUP);
	if (writes(f))
		found |= (RING_SIZE - used >= ATOMIC_MAX ? POLL_OUT : 0u) | (p->readers ? 0u : POLL_ERR);
	return found;
}

static int64_t pipe_ioctl(struct open_file *f, struct thread *t, uint64_t request, uint64_t arg)
{
	enum { FIONREAD = 0x541b };
	const struct pipe *p = f->data;
	uint32_t n = p->put - p->got;

	return request == FIONREAD ? copy_to_user(t->process->mm, arg, &n, sizeof(n)) : -ENOTTY;
}

static const struct open_file_ops ops = {
	.read = pipe_read, .write = pipe_write, .stat = pipe_stat, .poll = pipe_poll, .ioctl = pipe_ioctl, .release = pipe_release,
};

uint32_t pipe_room(const struct open_file *f)
{
	return f->ops == &ops ? RING_SIZE : 0;
}

/* --- making --- */

/* One without ends, and one reference. @return 0, -ENFILE, -ENOMEM */
static int new_pipe(struct pipe **out)
{
	struct pipe *p;

	if (__atomic_load_n(&pipes, __ATOMIC_RELAXED) >= limit_pipes())
		return -ENFILE;
	p = kzalloc(sizeof(*p));
	if (!p)
		return -ENOMEM;
	waitq_init(&p->changes);
	watch_list_init(&p->watchers);
	list_init(&p->node);
	p->refs = 1;
	p->ino = open_file_number();
	p->ring = kalloc(RING_SIZE);
	__atomic_fetch_add(&pipes, 1, __ATOMIC_RELAXED);
	*out = p;
	if (p->ring)
		return 0;
	free_pipe(p);
	return -ENOMEM;
}

/* As it was when a FIFO got one more end: the other side may come, and have gone again, before anybody looks. */
struct opening {
	struct pipe *pipe;
	const struct open_file *file;
	bool met;               /* the other side was there */
	unsigned reads, writes; /* how often it had been opened */
};

/* An end of it, with a reference of its own. @return NULL: out of memory */
static struct open_file *new_end(struct pipe *p, unsigned flags, const char *path, struct opening *o)
{
	struct open_file *f = open_file_new(&ops, flags, p, path);
	irqflags_t irq;

	if (!f)
		return NULL;
	f->changes = &p->watchers;
	__atomic_fetch_add(&p->refs, 1, __ATOMIC_RELAXED);
	irq = spin_lock_irqsave(&p->changes.lock);
	*o = (struct opening){ p, f, reads(f) ? p->writers : p->readers, p->reads, p->writes };
	p->readers += reads(f);
	p->reads += reads(f);
	p->writers += writes(f);
	p->writes += writes(f);
	spin_unlock_irqrestore(&p->changes.lock, irq);
	tell(p);
	return f;
}

int pipe_open(unsigned flags, struct open_file **reader, struct open_file **writer)
{
	struct opening unused;
	struct pipe *p;
	int error = new_pipe(&p);

	if (error)
		return error;
	*reader = new_end(p, O_RDONLY | flags, "", &unused);
	*writer = *reader ? new_end(p, O_WRONLY | flags, "", &unused) : NULL;
	put(p);
	if (*writer)
		return 0;
	open_file_put(*reader);
	return -ENOMEM;
}

/* --- with a name --- */

/* With one reference more. fifos_lock is held. */
static struct pipe *find_fifo(const struct vfs_stat *st)
{
	list_for_each(p, &fifos, struct pipe, node) {
		if (p->mount != st->mount || p->ino != st->ino)
			continue;
		__atomic_fetch_add(&p->refs, 1, __ATOMIC_RELAXED);
		return p;
	}
	return NULL;
}

static int get_fifo(const struct vfs_stat *st, struct pipe **out)
{
	struct pipe *new, *found;
	irqflags_t flags;
	int error = new_pipe(&new);

	if (error)
		return error;
	flags = spin_lock_irqsave(&fifos_lock);
	found = find_fifo(st);
	if (!found) {
		new->mount = st->mount;
		new->ino = st->ino;
		new->named = true;
		list_push_back(&fifos, &new->node);
	}
	spin_unlock_irqrestore(&fifos_lock, flags);
	if (found)
		put(new);
	*out = found ? found : new;
	return 0;
}

/* The other side is there, or has been meanwhile. */
static bool is_met(const struct opening *o)
{
	const struct pipe *p = o->pipe;

	return o->met || (reads(o->file) ? p->writers || p->writes != o->writes : p->readers || p->reads != o->reads);
}

static bool has_other_side(void *arg)
{
	return is_met(arg) || thread_interrupted(thread_current());
}

/* @return 0; -ERESTART */
static int wait_for_other_side(struct opening *o)
{
	if ((o->file->flags & O_NONBLOCK) || (reads(o->file) && writes(o->file)))
		return 0;
	waitq_wait(&o->pipe->changes, has_other_side, o, UINT64_MAX);
	return is_met(o) ? 0 : -ERESTART;
}

int fifo_open(const struct vfs_stat *st, unsigned flags, const char *path, struct open_file **out)
{
	struct opening o;
	struct pipe *p;
	int error = get_fifo(st, &p);

	if (error)
		return error;
	flags &= O_ACCMODE | O_NONBLOCK | O_APPEND;
	if ((flags & O_ACCMODE) == O_WRONLY && (flags & O_NONBLOCK) && !p->readers) {
		put(p);
		return -ENXIO;
	}
	*out = new_end(p, flags, path, &o);
	error = *out ? wait_for_other_side(&o) : -ENOMEM;
	if (error) {
		open_file_put(*out);
		*out = NULL;
	}
	put(p);
	return error;
}
