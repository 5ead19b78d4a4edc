/* The console as a file: the terminal if there is one, else a stream; and the way out of what is written (tty.h). */
#include <errno.h>
#include <string.h>

#include <caisson/console.h>
#include <caisson/task.h>

#include "linux_abi.h"
#include "thread.h"
#include "tty.h"

#define RING_SIZE 16384 /* a power of two */

static struct {
	spinlock_t lock;        /* of the ring; then: nothing */
	struct waitq readers, writers;
	struct watch_list watchers;
	bool ended, held;       /* there is no more to come; there is more, but no room */
	uint32_t rooms;         /* atomic: how often there was room again */
	uint32_t put, got;
	char ring[RING_SIZE];
} stream = {
	.lock = SPINLOCK_INIT,
	.readers = WAITQ_INIT(stream.readers),
	.writers = WAITQ_INIT(stream.writers),
	.watchers = WATCH_LIST_INIT(stream.watchers),
};

/* --- output --- */

struct writer {
	struct thread *thread;
	uint32_t rooms;
};

static void room(void)
{
	__atomic_fetch_add(&stream.rooms, 1, __ATOMIC_RELEASE);
	waitq_notify_all(&stream.writers);
}

static bool has_room(void *arg)
{
	const struct writer *w = arg;

	return __atomic_load_n(&stream.rooms, __ATOMIC_ACQUIRE) != w->rooms || thread_interrupted(w->thread);
}

int64_t console_send(const struct open_file *f, unsigned channel, const char *text, size_t n)
{
	struct writer w = { .thread = thread_current() };
	size_t done = 0;

	for (;;) {
		w.rooms = __atomic_load_n(&stream.rooms, __ATOMIC_ACQUIRE);
		done += console_try_write(channel, text + done, n - done);
		if (done == n)
			return (int64_t)n;
		if (f->flags & O_NONBLOCK)
			return done ? (int64_t)done : -EAGAIN;
		waitq_wait(&stream.writers, has_room, &w, UINT64_MAX);
		if (thread_interrupted(w.thread))
			return done ? (int64_t)done : -ERESTART;
	}
}

/* --- a stream --- */

/* From the serial driver. The sender waits while there is no room. */
static size_t receive(const char *buf, size_t n)
{
	size_t taken = 0;

	spin_lock(&stream.lock);
	while (taken < n && stream.put - stream.got < RING_SIZE) {
		uint32_t at = stream.put % RING_SIZE, free = RING_SIZE - (stream.put - stream.got);
		size_t piece = MIN(n - taken, (size_t)MIN(free, RING_SIZE - at));

		memcpy(stream.ring + at, buf + taken, piece);
		stream.put += (uint32_t)piece;
		taken += piece;
	}
	stream.held = taken < n;
	spin_unlock(&stream.lock);
	waitq_notify_all(&stream.readers);
	watch_tell(&stream.watchers);
	return taken;
}

static void input_ended(void)
{
	__atomic_store_n(&stream.ended, true, __ATOMIC_RELEASE);
	waitq_notify_all(&stream.readers);
	watch_tell(&stream.watchers);
}

static bool is_readable(void)
{
	return __atomic_load_n(&stream.put, __ATOMIC_RELAXED) != stream.got || __atomic_load_n(&stream.ended, __ATOMIC_ACQUIRE);
}

static bool may_read(void *arg)
{
	return is_readable() || thread_interrupted(arg);
}

static size_t take(char *to, size_t n)
{
	irqflags_t flags = spin_lock_irqsave(&stream.lock);
	size_t done = 0;
	bool held;

	n = MIN(n, (size_t)(stream.put - stream.got));
	while (done < n) {
		uint32_t at = stream.got % RING_SIZE;
		size_t piece = MIN(n - done, (size_t)(RING_SIZE - at));

		memcpy(to + done, stream.ring + at, piece);
		stream.got += (uint32_t)piece;
		done += piece;
	}
	held = stream.held;
	stream.held = false;
	spin_unlock_irqrestore(&stream.lock, flags);
	if (held)
		console_rx_resume();
	return done;
}

static int64_t stream_read(struct open_file *f, void *data, size_t n)
{
	struct thread *t = thread_current();
	bool ended;
	size_t done;

	do {
		if (!(f->flags & O_NONBLOCK))
			waitq_wait(&stream.readers, may_read, t, UINT64_MAX);
		ended = __atomic_load_n(&stream.ended, __ATOMIC_ACQUIRE); /* before the last look */
		done = take(data, n);
		if (done || ended || n == 0)
			return (int64_t)done;
		if (f->flags & O_NONBLOCK)
			return -EAGAIN;
	} while (!thread_interrupted(t));
	return -ERESTART;
}

static int64_t stream_write(struct open_file *f, const void *data, size_t n)
{
	return console_send(f, CONSOLE_MONITOR, data, n);
}

static int64_t error_write(struct open_file *f, const void *data, size_t n)
{
	return console_send(f, CONSOLE_ERROR, data, n);
}

static unsigned stream_poll(struct open_file *f)
{
	(void)f;
	return POLL_OUT | (is_readable() ? POLL_IN : 0u);
}

static int stream_stat(struct open_file *f, struct linux_stat *st)
{
	(void)f;
	*st = (struct linux_stat){ .dev = 2, .ino = 1, .mode = LINUX_S_IFIFO | 0600, .nlink = 1, .blksize = 4096 };
	return 0;
}

static int64_t stream_ioctl(struct open_file *f, struct thread *t, uint64_t request, uint64_t arg)
{
	enum { FIONREAD = 0x541b };
	uint32_t n = __atomic_load_n(&stream.put, __ATOMIC_RELAXED) - stream.got;

	(void)f;
	return request == FIONREAD ? copy_to_user(t->process->mm, arg, &n, sizeof(n)) : -ENOTTY;
}

static const struct open_file_ops ops = {
	.read = stream_read, .write = stream_write, .stat = stream_stat, .poll = stream_poll, .ioctl = stream_ioctl,
};
static const struct open_file_ops error_ops = {
	.read = stream_read, .write = error_write, .stat = stream_stat, .poll = stream_poll, .ioctl = stream_ioctl,
};

int console_open(unsigned flags, bool errors, struct open_file **out)
{
	console_set_room(room);
	if (tty_is_there())
		return tty_open(flags, false, out);
	console_set_ended(input_ended); /* first: as soon as there is who takes input, its end may come, too */
	console_set_input(receive);
	*out = open_file_new(errors ? &error_ops : &ops, flags, NULL, "/dev/console");
	if (!*out)
		return -ENOMEM;
	(*out)->changes = &stream.watchers;
	return 0;
}
