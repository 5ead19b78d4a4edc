/* The terminal: who may read and write, and its settings (tty.h); the line discipline is in tty_line.c. */
#include "tty.h"

#include <errno.h>
#include <string.h>

#include <caisson/console.h>
#include <caisson/process.h>
#include <caisson/task.h>
#include <caisson/time.h>

#include "jobs.h"
#include "linux_abi.h"
#include "thread.h"
#include "tty_line.h"

#define TENTH_US 100000 /* VTIME's unit */
#define OUT_SIZE 512

enum { TCGETS = 0x5401, TCSETS = 0x5402, TCSETSW = 0x5403, TCSETSF = 0x5404, TCSBRK = 0x5409, TCXONC = 0x540a, TCFLSH = 0x540b,
       TIOCSCTTY = 0x540e, TIOCGPGRP = 0x540f, TIOCSPGRP = 0x5410, TIOCOUTQ = 0x5411, TIOCGWINSZ = 0x5413, TIOCSWINSZ = 0x5414,
       FIONREAD = 0x541b, TIOCNOTTY = 0x5422, TIOCGSID = 0x5429 };
enum { TCIFLUSH = 0, TCOFLUSH = 1, TCIOFLUSH = 2 };
enum { TCOOFF = 0, TCOON = 1, TCION = 3 };

static struct {
	spinlock_t lock;            /* of the line and what follows; then: console, the tree of processes */
	struct waitq changes;       /* something was typed, or output goes on */
	struct watch_list watchers;
	struct tty_line line;
	bool there;                 /* otherwise the console is a stream */
	bool held;                  /* the sender waits until there is room */
	unsigned session;           /* whose controlling terminal it is; 0: nobody's */
	unsigned foreground;        /* process group */
} tty = {
	.lock = SPINLOCK_INIT,
	.changes = WAITQ_INIT(tty.changes),
	.watchers = WATCH_LIST_INIT(tty.watchers),
};

static void tell(void)
{
	waitq_notify_all(&tty.changes);
	watch_tell(&tty.watchers);
}

bool tty_is_there(void)
{
	return tty.there;
}

void tty_own(unsigned session, unsigned group)
{
	irqflags_t flags = spin_lock_irqsave(&tty.lock);

	tty.session = session;
	tty.foreground = group;
	spin_unlock_irqrestore(&tty.lock, flags);
}

void tty_leave(unsigned session)
{
	irqflags_t flags = spin_lock_irqsave(&tty.lock);
	unsigned group = tty.foreground;
	bool own = tty.session == session;

	if (own)
		tty.session = tty.foreground = 0;
	spin_unlock_irqrestore(&tty.lock, flags);
	if (!own || !group)
		return;
	group_signal(group, SIGHUP);
	group_signal(group, SIGCONT);
}

/* --- what is typed --- */

/* Echo that has no room is lost: this is an interrupt, and the lock is held. */
static void show(const char *text, size_t n)
{
	(void)console_try_write(CONSOLE_MONITOR, text, n);
}

/* Whole lines keep what follows waiting; a line that is too long loses its end. */
static bool is_full(void)
{
	return tty.line.edited - tty.line.got >= TTY_RING && tty_line_ready(&tty.line);
}

/* From the serial driver, in interrupt context. */
static size_t receive(const char *buf, size_t n)
{
	size_t taken = 0;

	spin_lock(&tty.lock);
	for (; taken < n && !is_full(); taken++) {
		unsigned signal = tty_line_type(&tty.line, (uint8_t)buf[taken]);

		if (signal && tty.foreground)
			group_signal(tty.foreground, signal);
	}
	tty.held = taken < n;
	spin_unlock(&tty.lock);
	tell();
	return taken;
}

static void resized(void)
{
	unsigned group = __atomic_load_n(&tty.foreground, __ATOMIC_RELAXED);

	if (group)
		group_signal(group, SIGWINCH);
}

void process_set_terminal(bool is_one)
{
	tty.there = is_one;
	if (!is_one)
		return;
	tty_line_init(&tty.line, show);
	console_set_resized(resized);
	console_set_input(receive);
}

/* --- jobs --- */

/* May a process of this group go on, which is perhaps in the background? @return 0, -EIO, -ERESTART */
static int job_control(struct thread *t, unsigned signal)
{
	const struct process *p = t->process;
	unsigned group = p->group;

	if (p->session != tty.session || !tty.foreground || group == tty.foreground)
		return 0;
	if (signal_is_refused(t, signal))
		return signal == SIGTTIN ? -EIO : 0;
	if (group_is_orphaned(group))
		return -EIO;
	group_signal(group, signal);
	return -ERESTART;
}

/* --- reading --- */

struct reader {
	struct thread *thread;
	uint32_t wanted;        /* bytes */
};

static bool may_read(void *arg)
{
	const struct reader *r = arg;

	return __atomic_load_n(&tty.line.ready, __ATOMIC_RELAXED) - tty.line.got >= r->wanted || thread_interrupted(r->thread);
}

static int wait_for(struct reader *r, uint32_t bytes, uint64_t deadline)
{
	r->wanted = bytes;
	return waitq_wait(&tty.changes, may_read, r, deadline);
}

/* Without lines: VMIN bytes or n; with VTIME not longer than that, which begins anew with each byte if some are wanted. */
static void wait_for_bytes(struct reader *r, size_t n)
{
	uint32_t least = (uint32_t)MIN((size_t)tty.line.settings.cc[VMIN], n);
	uint64_t time = time_from_us(tty.line.settings.cc[VTIME] * UINT64_C(TENTH_US));

	if (!time || least <= 1) {
		(void)wait_for(r, MAX(least, time ? 1u : 0u), time && !least ? time_now() + time : UINT64_MAX);
		return;
	}
	(void)wait_for(r, 1, UINT64_MAX);
	for (uint32_t some = 1; some < least; some++)
		if (wait_for(r, some + 1, time_now() + time))
			return;
}

static int64_t read_now(struct open_file *f, struct thread *t, void *data, size_t n)
{
	irqflags_t flags = spin_lock_irqsave(&tty.lock);
	bool waits = (tty.line.settings.lflag & TTY_ICANON) || tty.line.settings.cc[VMIN], some, held;
	size_t done = tty_line_take(&tty.line, data, n, &some);

	held = tty.held;
	tty.held = false;
	spin_unlock_irqrestore(&tty.lock, flags);
	if (held)
		console_rx_resume();
	if (some)
		return (int64_t)done;
	if (thread_interrupted(t))
		return -ERESTART;
	return f->flags & O_NONBLOCK ? -EAGAIN : waits ? -ERESTART : 0;
}

static int64_t tty_read(struct open_file *f, void *data, size_t n)
{
	struct reader r = { .thread = thread_current() };
	int64_t result = job_control(r.thread, SIGTTIN);

	if (result || n == 0)
		return result;
	do {
		if (f->flags & O_NONBLOCK)
			;
		else if (tty.line.settings.lflag & TTY_ICANON)
			(void)wait_for(&r, 1, UINT64_MAX);
		else
			wait_for_bytes(&r, n);
		result = read_now(f, r.thread, data, n);
	} while (result == -ERESTART && !thread_interrupted(r.thread)); /* another reader was faster */
	return result;
}

/* --- writing --- */

static bool may_write(void *arg)
{
	return !__atomic_load_n(&tty.line.stopped, __ATOMIC_RELAXED) || thread_interrupted(arg);
}

/* As much as fits into a buffer. @return bytes of `from` */
static int64_t write_some(struct open_file *f, const char *from, size_t n)
{
	char out[OUT_SIZE];
	irqflags_t flags = spin_lock_irqsave(&tty.lock);
	size_t made = tty_line_output(&tty.line, from, &n, out, sizeof(out));
	int64_t sent;

	spin_unlock_irqrestore(&tty.lock, flags);
	sent = console_send(f, CONSOLE_MONITOR, out, made);
	return sent < 0 || (size_t)sent == made ? (sent < 0 ? sent : (int64_t)n) : (int64_t)tty_line_shown(&tty.line, from, n, (size_t)sent);
}

static int64_t tty_write(struct open_file *f, const void *data, size_t n)
{
	struct thread *t = thread_current();
	int error = tty.line.settings.lflag & TTY_TOSTOP ? job_control(t, SIGTTOU) : 0;
	int64_t done = 0;

	if (error)
		return error;
	while ((size_t)done < n) {
		int64_t some;

		if (tty.line.stopped && (f->flags & O_NONBLOCK))
			return done ? done : -EAGAIN;
		waitq_wait(&tty.changes, may_write, t, UINT64_MAX);
		some = tty.line.stopped ? -ERESTART : write_some(f, (const char *)data + done, n - (size_t)done);
		if (some <= 0)
			return done ? done : some ? some : -ERESTART;
		done += some;
	}
	return done;
}

/* --- settings --- */

static int64_t set(struct thread *t, uint64_t from, bool flush)
{
	struct termios new;
	irqflags_t flags;

	if (copy_from_user(t->process->mm, &new, from, sizeof(new)))
		return -EFAULT;
	flags = spin_lock_irqsave(&tty.lock);
	if (flush)
		tty_line_flush(&tty.line);
	tty_line_set(&tty.line, &new);
	spin_unlock_irqrestore(&tty.lock, flags);
	tell();
	return 0;
}

static int64_t get(struct thread *t, uint64_t to)
{
	irqflags_t flags = spin_lock_irqsave(&tty.lock);
	struct termios now = tty.line.settings;

	spin_unlock_irqrestore(&tty.lock, flags);
	return copy_to_user(t->process->mm, to, &now, sizeof(now));
}

static int64_t put_word(struct thread *t, uint64_t to, uint32_t value)
{
	return copy_to_user(t->process->mm, to, &value, sizeof(value));
}

static int64_t flush(uint64_t what)
{
	irqflags_t flags;

	if (what > TCIOFLUSH)
		return -EINVAL;
	if (what == TCOFLUSH)
		return 0;
	flags = spin_lock_irqsave(&tty.lock);
	tty_line_flush(&tty.line);
	spin_unlock_irqrestore(&tty.lock, flags);
	console_rx_resume();
	return 0;
}

static int64_t control_flow(uint64_t what)
{
	irqflags_t flags;

	if (what > TCION)
		return -EINVAL;
	if (what > TCOON)
		return 0; /* to the other side, which has no such characters */
	flags = spin_lock_irqsave(&tty.lock);
	tty.line.stopped = what == TCOOFF;
	spin_unlock_irqrestore(&tty.lock, flags);
	tell();
	return 0;
}

static int64_t get_size(struct thread *t, uint64_t to)
{
	struct console_size now = console_size();
	struct linux_winsize size = { .rows = now.rows, .columns = now.columns };

	return copy_to_user(t->process->mm, to, &size, sizeof(size));
}

static int64_t set_size(struct thread *t, uint64_t from)
{
	struct linux_winsize size;

	if (copy_from_user(t->process->mm, &size, from, sizeof(size)))
		return -EFAULT;
	console_resize((struct console_size){ .columns = size.columns, .rows = size.rows });
	return 0;
}

/* --- whose it is --- */

static int64_t set_group(struct thread *t, uint64_t from)
{
	const struct process *p = t->process;
	uint32_t group;
	int error;

	if (copy_from_user(p->mm, &group, from, sizeof(group)))
		return -EFAULT;
	if (p->session != tty.session)
		return -ENOTTY;
	if ((int32_t)group < 0)
		return -EINVAL;
	if (!group_is_in(group, p->session))
		return -EPERM;
	error = job_control(t, SIGTTOU);
	if (!error)
		tty_own(p->session, group);
	return error;
}

static int64_t take_over(const struct process *p)
{
	if (p->session == tty.session)
		return 0;
	if (p->session != p->pid || tty.session)
		return -EPERM;
	tty_own(p->session, p->group);
	return 0;
}

static int64_t give_up(const struct process *p)
{
	if (p->session != tty.session)
		return -ENOTTY;
	if (p->session == p->pid)
		tty_leave(p->session);
	return 0;
}

static int64_t ask_owner(struct thread *t, uint64_t to, unsigned value)
{
	return t->process->session == tty.session ? put_word(t, to, value) : -ENOTTY;
}

static int64_t tty_ioctl(struct open_file *f, struct thread *t, uint64_t request, uint64_t arg)
{
	bool changes = (request >= TCSETS && request <= TCSETSF) || request == TCFLSH || request == TCXONC || request == TCSBRK;
	int error = changes ? job_control(t, SIGTTOU) : 0;

	(void)f;
	if (error)
		return error;
	switch (request) {
	case TCGETS:
		return get(t, arg);
	case TCSETS:
	case TCSETSW:
	case TCSETSF:
		return set(t, arg, request == TCSETSF);
	case TCSBRK:
		return 0;
	case TCXONC:
		return control_flow(arg);
	case TCFLSH:
		return flush(arg);
	case FIONREAD:
		return put_word(t, arg, tty_line_ready(&tty.line));
	case TIOCOUTQ:
		return put_word(t, arg, 0);
	case TIOCGWINSZ:
		return get_size(t, arg);
	case TIOCSWINSZ:
		return set_size(t, arg);
	case TIOCGPGRP:
		return ask_owner(t, arg, tty.foreground);
	case TIOCGSID:
		return ask_owner(t, arg, tty.session);
	case TIOCSPGRP:
		return set_group(t, arg);
	case TIOCSCTTY:
		return take_over(t->process);
	case TIOCNOTTY:
		return give_up(t->process);
	default:
		return -ENOTTY;
	}
}

/* --- the file --- */

static unsigned tty_poll(struct open_file *f)
{
	(void)f;
	return (tty.line.stopped ? 0u : POLL_OUT) | (tty_line_ready(&tty.line) ? POLL_IN : 0u);
}

static int tty_stat(struct open_file *f, struct linux_stat *st)
{
	struct vfs_stat node;

	if (vfs_stat(f->path, &node) == 0 && node.kind == VFS_DEVICE) /* the same file that its name says: ttyname looks */
		stat_from_vfs(&node, f->path, st);
	else
		*st = (struct linux_stat){ .dev = 2, .ino = 1, .mode = LINUX_S_IFCHR | 0620, .nlink = 1, .rdev = 5 << 8 | 1, .blksize = 1024 };
	return 0;
}

static const struct open_file_ops ops = {
	.read = tty_read, .write = tty_write, .stat = tty_stat, .poll = tty_poll, .ioctl = tty_ioctl,
	.reads_once = true,
};

int tty_open(unsigned flags, bool own, struct open_file **out)
{
	if (!tty.there || (own && thread_current()->process->session != tty.session))
		return -ENXIO;
	*out = open_file_new(&ops, flags, NULL, own ? "/dev/tty" : "/dev/console");
	if (!*out)
		return -ENOMEM;
	(*out)->changes = &tty.watchers;
	return 0;
}
