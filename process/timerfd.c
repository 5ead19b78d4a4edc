/* Files that tell how often a time has come: timerfd. */
#include <errno.h>
#include <string.h>

#include <caisson/mm.h>

#include "alarm.h"
#include "syscalls.h"

enum { TFD_TIMER_ABSTIME = 1 };

struct timer_file {
	struct alarm alarm;
	struct watch_list watchers;
	struct waitq readers;
	uint64_t clock;
	uint64_t number;        /* open_file_number() */
	uint64_t due;           /* atomic: times so far that nobody has read */
};

static void count(struct alarm *a, uint64_t n)
{
	struct timer_file *tf = container_of(a, struct timer_file, alarm);

	__atomic_fetch_add(&tf->due, n, __ATOMIC_RELEASE);
	waitq_notify_all(&tf->readers);
	watch_tell(&tf->watchers);
}

static bool was_due(void *arg)
{
	const struct timer_file *tf = arg;

	return __atomic_load_n(&tf->due, __ATOMIC_ACQUIRE) || thread_interrupted(thread_current());
}

static int64_t timer_read(struct open_file *f, void *data, size_t n)
{
	struct timer_file *tf = f->data;
	uint64_t due;

	if (n < sizeof(due))
		return -EINVAL;
	if (!(f->flags & O_NONBLOCK))
		waitq_wait(&tf->readers, was_due, tf, UINT64_MAX);
	due = __atomic_exchange_n(&tf->due, 0, __ATOMIC_ACQ_REL);
	if (!due)
		return f->flags & O_NONBLOCK ? -EAGAIN : -ERESTART;
	memcpy(data, &due, sizeof(due));
	return sizeof(due);
}

static unsigned timer_poll(struct open_file *f)
{
	const struct timer_file *tf = f->data;

	return __atomic_load_n(&tf->due, __ATOMIC_ACQUIRE) ? POLL_IN : 0;
}

static int timer_stat(struct open_file *f, struct linux_stat *st)
{
	const struct timer_file *tf = f->data;

	*st = (struct linux_stat){ .dev = 3, .ino = tf->number, .mode = 0600, .nlink = 1, .blksize = PAGE_SIZE };
	return 0;
}

static void timer_release(struct open_file *f)
{
	struct timer_file *tf = f->data;

	alarm_set(&tf->alarm, 0, 0, NULL);
	kfree(tf);
}

static const struct open_file_ops ops = { .read = timer_read, .poll = timer_poll, .stat = timer_stat, .release = timer_release };

/* @return NULL: out of memory */
static struct open_file *open_timer(uint64_t clock, unsigned flags)
{
	struct timer_file *tf = kzalloc(sizeof(*tf));
	struct open_file *f = tf ? open_file_new(&ops, O_RDONLY | flags, tf, "anon_inode:[timerfd]") : NULL;

	if (!f) {
		kfree(tf);
		return NULL;
	}
	alarm_init(&tf->alarm, count);
	watch_list_init(&tf->watchers);
	waitq_init(&tf->readers);
	tf->clock = clock;
	tf->number = open_file_number();
	f->changes = &tf->watchers;
	return f;
}

int64_t sys_timerfd_create(struct thread *t, const uint64_t *arg)
{
	struct open_file *f;
	uint64_t unused;
	int fd;

	if ((arg[1] & ~(uint64_t)(O_NONBLOCK | O_CLOEXEC)) || clock_left(t, arg[0], 0, &unused))
		return -EINVAL;
	f = open_timer(arg[0], arg[1] & O_NONBLOCK);
	if (!f)
		return -ENOMEM;
	fd = fd_add(t->process->files, f, 0, arg[1] & O_CLOEXEC);
	if (fd < 0)
		open_file_put(f);
	return fd;
}

/* @return with one reference more; NULL and why: no such descriptor, or not one of these */
static struct open_file *get(struct thread *t, uint64_t fd, int *error)
{
	struct open_file *f = fd_get(t->process->files, fd);

	*error = !f ? -EBADF : f->ops == &ops ? 0 : -EINVAL;
	if (!*error)
		return f;
	open_file_put(f);
	return NULL;
}

int64_t sys_timerfd_settime(struct thread *t, const uint64_t *arg)
{
	struct alarm_times due, old;
	struct timer_file *tf;
	int error;
	struct open_file *f = get(t, arg[0], &error);

	if (!f)
		return error;
	tf = f->data;
	error = itimer_from_user(t, arg[2], tf->clock, arg[1] & TFD_TIMER_ABSTIME, &due);
	if (!error) {
		alarm_set(&tf->alarm, 0, 0, &old);
		__atomic_store_n(&tf->due, 0, __ATOMIC_RELEASE);
		alarm_set(&tf->alarm, due.left, due.period, NULL);
	}
	open_file_put(f);
	return error || !arg[3] ? error : itimer_to_user(t, arg[3], &old);
}

int64_t sys_timerfd_gettime(struct thread *t, const uint64_t *arg)
{
	struct alarm_times times;
	int error;
	struct open_file *f = get(t, arg[0], &error);

	if (!f)
		return error;
	times = alarm_get(&((struct timer_file *)f->data)->alarm);
	open_file_put(f);
	return itimer_to_user(t, arg[1], &times);
}
