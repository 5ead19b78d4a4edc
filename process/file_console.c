/* The console as an open file. What is read comes as it is typed. */
#include <errno.h>

#include <caisson/console.h>
#include <caisson/task.h>

#include "file.h"
#include "linux_abi.h"
#include "thread.h"

#define INPUT_SIZE 1024 /* a power of two */

static struct {
	spinlock_t lock;
	struct waitq readers;
	char bytes[INPUT_SIZE];
	uint32_t put, got;
	bool held;              /* the line was told to wait */
} input = { .lock = SPINLOCK_INIT, .readers = WAITQ_INIT(input.readers) };

/* From the serial driver. */
static size_t receive(const char *buf, size_t n)
{
	size_t taken = 0;

	spin_lock(&input.lock);
	while (taken < n && input.put - input.got < INPUT_SIZE)
		input.bytes[input.put++ % INPUT_SIZE] = buf[taken++];
	input.held = taken < n;
	spin_unlock(&input.lock);
	waitq_notify_all(&input.readers);
	return taken;
}

static bool may_read(void *arg)
{
	return __atomic_load_n(&input.put, __ATOMIC_RELAXED) != __atomic_load_n(&input.got, __ATOMIC_RELAXED) ||
	       thread_interrupted(arg);
}

static int64_t console_read(struct open_file *f, void *data, size_t n)
{
	char *to = data;
	size_t done = 0;
	irqflags_t flags;
	bool held;

	(void)f;
	waitq_wait(&input.readers, may_read, thread_current(), UINT64_MAX);
	flags = spin_lock_irqsave(&input.lock);
	while (done < n && input.got != input.put)
		to[done++] = input.bytes[input.got++ % INPUT_SIZE];
	held = input.held;
	input.held = false;
	spin_unlock_irqrestore(&input.lock, flags);
	if (held)
		console_rx_resume();
	return done || n == 0 ? (int64_t)done : -ERESTART;
}

static int64_t console_file_write(struct open_file *f, const void *data, size_t n)
{
	(void)f;
	console_write(CONSOLE_MONITOR, data, n);
	return (int64_t)n;
}

static int console_stat(struct open_file *f, struct linux_stat *st)
{
	(void)f;
	*st = (struct linux_stat){ .dev = 2, .ino = 1, .mode = LINUX_S_IFCHR | 0600, .nlink = 1, .rdev = 5 << 8 | 1, .blksize = 1024 };
	return 0;
}

static unsigned console_poll(struct open_file *f, struct waitq **wq)
{
	(void)f;
	*wq = &input.readers;
	return POLL_OUT | (input.put != input.got ? POLL_IN : 0u);
}

static const struct open_file_ops ops = { .poll = console_poll, .read = console_read, .write = console_file_write, .stat = console_stat };

struct open_file *console_open(unsigned flags)
{
	console_set_input(receive);
	return open_file_new(&ops, flags, NULL, "/dev/console");
}
