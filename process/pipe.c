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
	uint32_t refs;         /* atomic: its two ends */
	char *ring;
};

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

static int64_t broken(void)
{
	signal_send(thread_current()->process, SIGPIPE, &(struct signal_info){ .code = SI_KERNEL });
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
	*st = (struct linux_stat){ .dev = 3, .ino = (uintptr_t)f->data >> 4, .mode = LINUX_S_IFIFO | 0600, .nlink = 1,
				   .blksize = PAGE_SIZE };
	return 0;
}

static unsigned pipe_poll(struct open_file *f)
{
	struct pipe *p = f->data;
	uint32_t used = p->put - p->got;
	bool reads = (f->flags & O_ACCMODE) == O_RDONLY;

	if (reads)
		return (used ? POLL_IN : 0u) | (p->writers ? 0u : POLL_HUP);
	return (RING_SIZE - used >= ATOMIC_MAX ? POLL_OUT : 0u) | (p->readers ? 0u : POLL_ERR);
}

static void free_pipe(struct pipe *p)
{
	__atomic_fetch_sub(&pipes, 1, __ATOMIC_RELAXED);
	kfree(p->ring);
	kfree(p);
}

/* The other end may go at the same time. */
static void put(struct pipe *p)
{
	if (__atomic_fetch_sub(&p->refs, 1, __ATOMIC_ACQ_REL) == 1)
		free_pipe(p);
}

static void pipe_release(struct open_file *f)
{
	struct pipe *p = f->data;
	irqflags_t flags = spin_lock_irqsave(&p->changes.lock);

	if ((f->flags & O_ACCMODE) == O_RDONLY)
		p->readers--;
	else
		p->writers--;
	spin_unlock_irqrestore(&p->changes.lock, flags);
	tell(p);
	put(p);
}

static const struct open_file_ops read_ops = { .read = pipe_read, .stat = pipe_stat, .poll = pipe_poll, .release = pipe_release };
static const struct open_file_ops write_ops = { .write = pipe_write, .stat = pipe_stat, .poll = pipe_poll, .release = pipe_release };

static struct pipe *new_pipe(void)
{
	struct pipe *p = kzalloc(sizeof(*p));

	if (!p)
		return NULL;
	waitq_init(&p->changes);
	watch_list_init(&p->watchers);
	p->readers = p->writers = 1;
	p->refs = 2;
	p->ring = kalloc(RING_SIZE);
	__atomic_fetch_add(&pipes, 1, __ATOMIC_RELAXED);
	if (p->ring)
		return p;
	free_pipe(p);
	return NULL;
}

int pipe_open(unsigned flags, struct open_file **reader, struct open_file **writer)
{
	struct pipe *p;

	if (__atomic_load_n(&pipes, __ATOMIC_RELAXED) >= limit_pipes())
		return -ENFILE;
	p = new_pipe();
	if (!p)
		return -ENOMEM;
	*reader = open_file_new(&read_ops, O_RDONLY | flags, p, "");
	*writer = open_file_new(&write_ops, O_WRONLY | flags, p, "");
	if (*reader && *writer) {
		(*reader)->changes = (*writer)->changes = &p->watchers;
		return 0;
	}
	open_file_free(*reader);
	open_file_free(*writer);
	free_pipe(p);
	return -ENOMEM;
}
