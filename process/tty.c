/* The terminal: lines that are edited, characters that send signals, and its settings (tty.h). */
#include "tty.h"

#include <errno.h>
#include <string.h>

#include <caisson/console.h>
#include <caisson/process.h>
#include <caisson/task.h>

#include "linux_abi.h"
#include "thread.h"

#define RING_SIZE 4096 /* entries, a power of two */
#define END 0x100      /* entry: here a read ends with nothing (Ctrl-D) */

enum { TCGETS = 0x5401, TCSETS = 0x5402, TCSETSW = 0x5403, TCSETSF = 0x5404, TIOCSCTTY = 0x540e, TIOCGPGRP = 0x540f,
       TIOCSPGRP = 0x5410, TIOCGWINSZ = 0x5413, TIOCSWINSZ = 0x5414, FIONREAD = 0x541b };
enum { ICRNL = 0400, INLCR = 0100, IGNCR = 0200, OPOST = 1, ONLCR = 4, ISIG = 1, ICANON = 2, ECHO = 010, ECHOE = 020,
       ECHOK = 040, NOFLSH = 0200, ECHOCTL = 01000, ECHOKE = 04000, IEXTEN = 0100000, IXON = 02000, CS8 = 060,
       CREAD = 0200, B38400 = 017 };
enum { VINTR = 0, VQUIT = 1, VERASE = 2, VKILL = 3, VEOF = 4, VTIME = 5, VMIN = 6, VSUSP = 10, VWERASE = 14, N_CC = 19 };

struct termios {
	uint32_t iflag, oflag, cflag, lflag;
	uint8_t line, cc[N_CC];
};

static struct {
	spinlock_t lock;            /* of all this; then: console, the tree of processes */
	struct waitq readers;
	struct watch_list watchers;
	bool is_terminal, ended, held;
	unsigned foreground;        /* process group */
	struct termios settings;
	uint16_t ring[RING_SIZE];
	uint32_t got, ready, edited; /* read so far; up to here lines are whole; up to here something was typed */
} tty = {
	.lock = SPINLOCK_INIT,
	.readers = WAITQ_INIT(tty.readers),
	.watchers = WATCH_LIST_INIT(tty.watchers),
	.settings = {
		.iflag = ICRNL | IXON, .oflag = OPOST | ONLCR, .cflag = CS8 | CREAD | B38400,
		.lflag = ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN,
		.cc = { [VINTR] = 3, [VQUIT] = 28, [VERASE] = 0x7f, [VKILL] = 21, [VEOF] = 4, [VMIN] = 1, [VSUSP] = 26, [VWERASE] = 23 },
	},
};

void process_set_terminal(bool is_one)
{
	tty.is_terminal = is_one;
}

static void tell_readers(void)
{
	waitq_notify_all(&tty.readers);
	watch_tell(&tty.watchers);
}

void tty_set_foreground(unsigned group)
{
	__atomic_store_n(&tty.foreground, group, __ATOMIC_RELAXED);
}

/* --- output --- */

static void put_text(const char *text, size_t n)
{
	while (n > 0) {
		const char *end = tty.is_terminal && (tty.settings.oflag & OPOST) && (tty.settings.oflag & ONLCR) ?
				  memchr(text, '\n', n) : NULL;
		size_t part = end ? (size_t)(end - text) : n;

		console_write(CONSOLE_MONITOR, text, part);
		if (end)
			console_write(CONSOLE_MONITOR, "\r\n", 2);
		part += end != NULL;
		text += part;
		n -= part;
	}
}

static void echo(uint8_t c)
{
	char text[2] = { '^', (char)(c ^ 0x40) };

	if (!(tty.settings.lflag & ECHO))
		return;
	if (c == '\n' || c == '\t' || (c >= ' ' && c != 0x7f) || !(tty.settings.lflag & ECHOCTL))
		put_text((char *)&c, 1);
	else
		put_text(text, 2);
}

/* --- input; the lock is held --- */

static void add(uint16_t entry)
{
	if (tty.edited - tty.got < RING_SIZE)
		tty.ring[tty.edited++ % RING_SIZE] = entry;
}

static void erase(void)
{
	uint16_t last;

	if (tty.edited == tty.ready)
		return;
	last = tty.ring[--tty.edited % RING_SIZE];
	if (!(tty.settings.lflag & ECHO))
		return;
	put_text("\b \b", 3);
	if (last < ' ' && last != '\t') /* it was shown as two */
		put_text("\b \b", 3);
}

static void erase_word(void)
{
	while (tty.edited != tty.ready && tty.ring[(tty.edited - 1) % RING_SIZE] == ' ')
		erase();
	while (tty.edited != tty.ready && tty.ring[(tty.edited - 1) % RING_SIZE] != ' ')
		erase();
}

static bool send_to_group(struct process *p, void *signal)
{
	if (p->group == tty.foreground && !p->zombie)
		signal_send(p, *(unsigned *)signal, &(struct signal_info){ .code = SI_KERNEL });
	return true;
}

/* @return was it a character that sends a signal? */
static bool signal_byte(uint8_t c)
{
	static const struct { unsigned cc, signal; } table[] = { { VINTR, SIGINT }, { VQUIT, SIGQUIT }, { VSUSP, SIGTSTP } };

	for (unsigned i = 0; i < ARRAY_SIZE(table); i++) {
		unsigned signal = table[i].signal;

		if (!c || c != tty.settings.cc[table[i].cc])
			continue;
		echo(c);
		if (!(tty.settings.lflag & NOFLSH))
			tty.got = tty.ready = tty.edited;
		process_for_each(send_to_group, &signal);
		return true;
	}
	return false;
}

static void line_byte(uint8_t c)
{
	const uint8_t *cc = tty.settings.cc;

	if (c == cc[VERASE] || c == '\b') {
		erase();
	} else if (c == cc[VWERASE]) {
		erase_word();
	} else if (c == cc[VKILL]) {
		while (tty.edited != tty.ready)
			erase();
	} else if (c == cc[VEOF]) {
		if (tty.edited == tty.ready)
			add(END);
		tty.ready = tty.edited;
	} else if (tty.edited - tty.got < RING_SIZE - 1 || c == '\n') { /* the line's end has a place */
		echo(c);
		add(c);
		if (c == '\n')
			tty.ready = tty.edited;
	}
}

static void terminal_byte(uint8_t c)
{
	if (c == '\r' && (tty.settings.iflag & IGNCR))
		return;
	if (c == '\r' && (tty.settings.iflag & ICRNL))
		c = '\n';
	else if (c == '\n' && (tty.settings.iflag & INLCR))
		c = '\r';
	if ((tty.settings.lflag & ISIG) && signal_byte(c))
		return;
	if (tty.settings.lflag & ICANON) {
		line_byte(c);
		return;
	}
	echo(c);
	add(c);
	tty.ready = tty.edited;
}

/* From the serial driver. A terminal takes everything: what has no room in the line is lost; a stream waits. */
static size_t receive(const char *buf, size_t n)
{
	size_t taken = 0;

	spin_lock(&tty.lock);
	for (; taken < n && (tty.is_terminal || tty.edited - tty.got < RING_SIZE); taken++) {
		if (tty.is_terminal) {
			terminal_byte((uint8_t)buf[taken]);
			continue;
		}
		add((uint8_t)buf[taken]);
		tty.ready = tty.edited;
	}
	tty.held = taken < n;
	spin_unlock(&tty.lock);
	tell_readers();
	return taken;
}

static void input_ended(void)
{
	__atomic_store_n(&tty.ended, true, __ATOMIC_RELEASE);
	tell_readers();
}

/* --- reading --- */

static bool may_read(void *arg)
{
	return __atomic_load_n(&tty.ready, __ATOMIC_RELAXED) != tty.got || tty.ended || thread_interrupted(arg);
}

/* One line at most where there are lines. The lock is held. @return bytes; *some: is that an answer, even if it is 0? */
static size_t take(uint8_t *to, size_t n, bool *some)
{
	bool lines = tty.is_terminal && (tty.settings.lflag & ICANON);
	size_t done = 0;

	*some = tty.got != tty.ready || tty.ended;
	while (done < n && tty.got != tty.ready) {
		uint16_t entry = tty.ring[tty.got % RING_SIZE];

		if (entry == END && done)
			break;
		tty.got++;
		if (entry == END)
			break;
		to[done++] = (uint8_t)entry;
		if (lines && entry == '\n')
			break;
	}
	return done;
}

/* Only the foreground reads. */
static bool is_in_background(const struct process *p)
{
	return tty.is_terminal && tty.foreground && p->group != tty.foreground;
}

static bool stop_group(struct process *p, void *arg)
{
	if (p->group == *(unsigned *)arg && !p->zombie)
		signal_send(p, SIGTTIN, &(struct signal_info){ .code = SI_KERNEL });
	return true;
}

static int64_t tty_read(struct open_file *f, void *data, size_t n)
{
	struct thread *t = thread_current();
	unsigned group = t->process->group;
	bool some, held;
	irqflags_t flags;
	size_t done;

	if (is_in_background(t->process)) {
		process_for_each(stop_group, &group);
		return -ERESTART;
	}
	if (!(f->flags & O_NONBLOCK) && ((tty.settings.lflag & ICANON) || tty.settings.cc[VMIN]))
		waitq_wait(&tty.readers, may_read, t, UINT64_MAX);
	flags = spin_lock_irqsave(&tty.lock);
	done = take(data, n, &some);
	held = tty.held;
	tty.held = false;
	spin_unlock_irqrestore(&tty.lock, flags);
	if (held)
		console_rx_resume();
	if (done || some || n == 0)
		return (int64_t)done;
	if (thread_interrupted(t))
		return -ERESTART;
	return f->flags & O_NONBLOCK ? -EAGAIN : 0;
}

static int64_t tty_write(struct open_file *f, const void *data, size_t n)
{
	(void)f;
	put_text(data, n);
	return (int64_t)n;
}

static unsigned tty_poll(struct open_file *f)
{
	(void)f;
	return POLL_OUT | (tty.ready != tty.got || tty.ended ? POLL_IN : 0u);
}

static int tty_stat(struct open_file *f, struct linux_stat *st)
{
	(void)f;
	*st = (struct linux_stat){
		.dev = 2, .ino = 1, .mode = (tty.is_terminal ? LINUX_S_IFCHR : LINUX_S_IFIFO) | 0600, .nlink = 1,
		.rdev = tty.is_terminal ? 5 << 8 | 1 : 0, .blksize = 1024,
	};
	return 0;
}

/* --- settings --- */

static int64_t set(struct thread *t, uint64_t from, bool flush)
{
	struct termios new;
	irqflags_t flags;

	if (copy_from_user(t->process->mm, &new, from, sizeof(new)))
		return -EFAULT;
	flags = spin_lock_irqsave(&tty.lock);
	tty.settings = new;
	if (flush)
		tty.got = tty.ready = tty.edited;
	if (!(new.lflag & ICANON)) /* what was typed of a line can be read now */
		tty.ready = tty.edited;
	spin_unlock_irqrestore(&tty.lock, flags);
	tell_readers();
	return 0;
}

static int64_t put_word(struct thread *t, uint64_t to, uint32_t value)
{
	return copy_to_user(t->process->mm, to, &value, sizeof(value));
}

static int64_t set_group(struct thread *t, uint64_t from)
{
	uint32_t group;

	if (copy_from_user(t->process->mm, &group, from, sizeof(group)))
		return -EFAULT;
	if (group == 0 || group > INT32_MAX)
		return -EINVAL;
	tty_set_foreground(group);
	return 0;
}

static int64_t get_size(struct thread *t, uint64_t to)
{
	struct console_size now = console_size();
	struct linux_winsize size = { .rows = now.rows, .columns = now.columns };

	return copy_to_user(t->process->mm, to, &size, sizeof(size));
}

static int64_t tty_ioctl(struct open_file *f, struct thread *t, uint64_t request, uint64_t arg)
{
	(void)f;
	if (request == FIONREAD)
		return put_word(t, arg, tty.ready - tty.got);
	if (!tty.is_terminal)
		return -ENOTTY;
	switch (request) {
	case TCGETS:
		return copy_to_user(t->process->mm, arg, &tty.settings, sizeof(tty.settings));
	case TCSETS:
	case TCSETSW:
	case TCSETSF:
		return set(t, arg, request == TCSETSF);
	case TIOCGPGRP:
		return put_word(t, arg, tty.foreground);
	case TIOCSPGRP:
		return set_group(t, arg);
	case TIOCGWINSZ:
		return get_size(t, arg);
	case TIOCSCTTY:
		return 0;
	default:
		return -ENOTTY;
	}
}

static const struct open_file_ops ops = {
	.read = tty_read, .write = tty_write, .stat = tty_stat, .poll = tty_poll, .ioctl = tty_ioctl,
};

static int64_t error_write(struct open_file *f, const void *data, size_t n)
{
	(void)f;
	console_write(CONSOLE_ERROR, data, n);
	return (int64_t)n;
}

static const struct open_file_ops error_ops = { .write = error_write, .read = tty_read, .stat = tty_stat, .poll = tty_poll };

/* Who has the terminal learns of its new size. Interrupt context. */
static void resized(void)
{
	unsigned signal = SIGWINCH;

	process_for_each(send_to_group, &signal);
}

struct open_file *console_open(unsigned flags, bool errors)
{
	struct open_file *f;

	console_set_input(receive);
	console_set_ended(input_ended);
	console_set_resized(resized);
	f = open_file_new(errors && !tty.is_terminal ? &error_ops : &ops, flags, NULL, "/dev/console");
	if (f)
		f->changes = &tty.watchers;
	return f;
}
