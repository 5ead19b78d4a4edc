/* The line discipline (tty_line.h). */
#include "tty_line.h"

#include <ctype.h>
#include <string.h>

#include "signal.h"

#define END 0x100 /* entry: here a read ends, with nothing of its own (Ctrl-D) */
#define TAB 8

void tty_line_init(struct tty_line *l, void (*show)(const char *text, size_t n))
{
	*l = (struct tty_line){
		.settings = {
			.iflag = TTY_ICRNL | TTY_IXON | TTY_IUTF8, .oflag = TTY_OPOST | TTY_ONLCR, .cflag = TTY_CS8 | TTY_CREAD | TTY_38400,
			.lflag = TTY_ISIG | TTY_ICANON | TTY_ECHO | TTY_ECHOE | TTY_ECHOK | TTY_ECHOCTL | TTY_ECHOKE | TTY_IEXTEN,
			.cc = { [VINTR] = 3, [VQUIT] = 28, [VERASE] = 0x7f, [VKILL] = 21, [VEOF] = 4, [VMIN] = 1, [VSTART] = 17,
				[VSTOP] = 19, [VSUSP] = 26, [VREPRINT] = 18, [VWERASE] = 23, [VLNEXT] = 22 },
		},
		.show = show,
	};
}

static bool has(const struct tty_line *l, uint32_t lflag)
{
	return l->settings.lflag & lflag;
}

/* Is it this special character? A 0 in the settings: there is none. */
static bool is(const struct tty_line *l, unsigned place, uint8_t c)
{
	return c && l->settings.cc[place] == c;
}

/* --- the screen --- */

static bool is_control(uint8_t c)
{
	return c < ' ' || c == 0x7f;
}

/* The second and further bytes of a UTF-8 character. */
static bool is_rest(const struct tty_line *l, uint16_t c)
{
	return (l->settings.iflag & TTY_IUTF8) && (c & 0x1c0) == 0x80;
}

static unsigned column_after(const struct tty_line *l, unsigned column, uint8_t c)
{
	switch (c) {
	case '\r':
	case '\n':
		return 0;
	case '\b':
		return column ? column - 1 : 0;
	case '\t':
		return (column / TAB + 1) * TAB;
	default:
		return column + (!is_control(c) && !is_rest(l, c));
	}
}

size_t tty_line_output(struct tty_line *l, const char *from, size_t *n, char *to, size_t size)
{
	uint32_t flags = l->settings.oflag;
	size_t made = 0, i = 0;

	for (; i < *n && made + 2 <= size; i++) {
		char c = from[i];

		if ((flags & TTY_OPOST) && (flags & TTY_OCRNL) && c == '\r')
			c = '\n';
		else if ((flags & TTY_OPOST) && (flags & TTY_ONLCR) && c == '\n')
			to[made++] = '\r';
		to[made++] = c;
		l->column = column_after(l, l->column, (uint8_t)c);
	}
	*n = i;
	return made;
}

size_t tty_line_shown(const struct tty_line *l, const char *from, size_t n, size_t shown)
{
	bool pairs = (l->settings.oflag & TTY_OPOST) && (l->settings.oflag & TTY_ONLCR);
	size_t i = 0;

	for (; i < n; i++) {
		size_t len = pairs && from[i] == '\n' ? 2 : 1;

		if (len > shown)
			break;
		shown -= len;
	}
	return i;
}

static void show(struct tty_line *l, const char *text, size_t n)
{
	char out[16];

	while (n > 0) {
		size_t part = n, made = tty_line_output(l, text, &part, out, sizeof(out));

		l->show(out, made);
		text += part;
		n -= part;
	}
}

static bool shown_as_two(const struct tty_line *l, uint8_t c)
{
	return is_control(c) && c != '\n' && c != '\t' && has(l, TTY_ECHOCTL);
}

static void echo(struct tty_line *l, uint8_t c)
{
	char two[2] = { '^', (char)(c ^ 0x40) };

	if (c == '\n' && has(l, TTY_ICANON | TTY_ECHO) && (has(l, TTY_ECHO) || has(l, TTY_ECHONL))) {
		show(l, "\n", 1);
		return;
	}
	if (!has(l, TTY_ECHO))
		return;
	if (shown_as_two(l, c))
		show(l, two, 2);
	else
		show(l, (const char *)&c, 1);
}

/* --- editing --- */

static bool add(struct tty_line *l, uint16_t entry)
{
	if (l->edited - l->got >= TTY_RING)
		return false;
	l->ring[l->edited++ % TTY_RING] = entry;
	return true;
}

/* The column behind what is being edited. */
static unsigned edited_column(const struct tty_line *l)
{
	unsigned column = l->line_column;

	for (uint32_t i = l->ready; i != l->edited; i++) {
		uint8_t c = (uint8_t)l->ring[i % TTY_RING];

		column = shown_as_two(l, c) ? column + 2 : column_after(l, column, c);
	}
	return column;
}

/* Where the last character begins, which may be several bytes, of those before `end`. There is one. */
static uint32_t last_character(const struct tty_line *l, uint32_t end)
{
	do
		end--;
	while (end != l->ready && is_rest(l, l->ring[end % TTY_RING]));
	return end;
}

/* What stands from `to` on goes, on the screen too: once for all of it, since a line may be long and this is an interrupt. */
static void erase_to(struct tty_line *l, uint32_t to)
{
	unsigned before = edited_column(l), after;

	l->edited = to;
	if (!has(l, TTY_ECHO))
		return;
	if (!has(l, TTY_ECHOE)) {
		echo(l, l->settings.cc[VERASE]);
		return;
	}
	for (after = edited_column(l); before > after; before--)
		show(l, "\b \b", 3);
}

static void erase(struct tty_line *l)
{
	erase_to(l, last_character(l, l->edited));
}

static bool is_word(uint16_t c)
{
	return c >= 0x80 || isalnum(c) || c == '_';
}

static void erase_word(struct tty_line *l)
{
	uint32_t to = l->edited;

	while (to != l->ready && !is_word(l->ring[(to - 1) % TTY_RING]))
		to = last_character(l, to);
	while (to != l->ready && is_word(l->ring[(to - 1) % TTY_RING]))
		to = last_character(l, to);
	erase_to(l, to);
}

static void erase_line(struct tty_line *l)
{
	if (has(l, TTY_ECHOK) && !(has(l, TTY_ECHOKE) && has(l, TTY_ECHOE))) {
		echo(l, l->settings.cc[VKILL]);
		l->edited = l->ready;
		if (has(l, TTY_ECHO))
			show(l, "\n", 1);
		return;
	}
	erase_to(l, l->ready);
}

static void reprint(struct tty_line *l)
{
	echo(l, l->settings.cc[VREPRINT]);
	show(l, "\n", 1);
	l->line_column = 0;
	for (uint32_t i = l->ready; i != l->edited; i++)
		echo(l, (uint8_t)l->ring[i % TTY_RING]);
}

/* A byte of the line. The line's end has a place that nothing else takes. */
static void put(struct tty_line *l, uint8_t c, bool ends)
{
	if (l->edited - l->got >= TTY_RING - (ends ? 0 : 1)) {
		if (l->settings.iflag & TTY_IMAXBEL)
			l->show("\a", 1);
		return;
	}
	if (l->edited == l->ready)
		l->line_column = l->column;
	add(l, c);
	echo(l, c);
	if (ends)
		l->ready = l->edited;
}

/* @return was it a character that edits? */
static bool edit(struct tty_line *l, uint8_t c)
{
	bool empty = l->edited == l->ready;

	if (is(l, VERASE, c) || (is(l, VWERASE, c) && has(l, TTY_IEXTEN)) || is(l, VKILL, c)) {
		if (empty)
			return true;
		(is(l, VERASE, c) ? erase : is(l, VKILL, c) ? erase_line : erase_word)(l);
	} else if (is(l, VEOF, c)) {
		(void)add(l, END); /* no room: the line ends anyway when that is taken which is there */
		l->ready = l->edited;
	} else if (is(l, VREPRINT, c) && has(l, TTY_IEXTEN)) {
		reprint(l);
	} else {
		return false;
	}
	return true;
}

static void line_byte(struct tty_line *l, uint8_t c)
{
	if (is(l, VLNEXT, c) && has(l, TTY_IEXTEN)) {
		l->literal = true;
		if (has(l, TTY_ECHO) && has(l, TTY_ECHOCTL))
			show(l, "^\b", 2);
	} else if (!edit(l, c)) {
		put(l, c, c == '\n' || is(l, VEOL, c) || (is(l, VEOL2, c) && has(l, TTY_IEXTEN)));
	}
}

/* --- other characters --- */

static unsigned signal_of(struct tty_line *l, uint8_t c)
{
	unsigned signal = is(l, VINTR, c) ? SIGINT : is(l, VQUIT, c) ? SIGQUIT : is(l, VSUSP, c) ? SIGTSTP : 0;

	if (!signal)
		return 0;
	if (!has(l, TTY_NOFLSH))
		tty_line_flush(l);
	l->stopped = false;
	echo(l, c);
	return signal;
}

/* @return was it one that stops output, or lets it go on? */
static bool flow(struct tty_line *l, uint8_t c)
{
	if (!(l->settings.iflag & TTY_IXON))
		return false;
	if (is(l, VSTART, c) || is(l, VSTOP, c)) {
		l->stopped = is(l, VSTOP, c) && (!is(l, VSTART, c) || !l->stopped);
		return true;
	}
	if (l->settings.iflag & TTY_IXANY)
		l->stopped = false;
	return false;
}

static void plain(struct tty_line *l, uint8_t c)
{
	if (!add(l, c))
		return;
	l->ready = l->edited;
	echo(l, c);
}

/* @return -1: it is dropped */
static int translated(const struct tty_line *l, uint8_t c)
{
	uint32_t flags = l->settings.iflag;

	if (flags & TTY_ISTRIP)
		c &= 0x7f;
	if (c == '\r' && (flags & TTY_IGNCR))
		return -1;
	if (c == '\r' && (flags & TTY_ICRNL))
		return '\n';
	return c == '\n' && (flags & TTY_INLCR) ? '\r' : c;
}

unsigned tty_line_type(struct tty_line *l, uint8_t typed)
{
	int c = translated(l, typed);
	unsigned signal;

	if (l->literal) {
		l->literal = false;
		put(l, typed, false);
		return 0;
	}
	if (c < 0 || flow(l, (uint8_t)c))
		return 0;
	signal = has(l, TTY_ISIG) ? signal_of(l, (uint8_t)c) : 0;
	if (signal)
		return signal;
	if (has(l, TTY_ICANON))
		line_byte(l, (uint8_t)c);
	else
		plain(l, (uint8_t)c);
	return 0;
}

/* --- reading --- */

static bool ends_line(const struct tty_line *l, uint16_t entry)
{
	return entry == '\n' || is(l, VEOL, (uint8_t)entry) || is(l, VEOL2, (uint8_t)entry);
}

size_t tty_line_take(struct tty_line *l, uint8_t *to, size_t n, bool *some)
{
	bool lines = has(l, TTY_ICANON);
	size_t done = 0;

	*some = lines && l->got != l->ready;
	while (l->got != l->ready) {
		uint16_t entry = l->ring[l->got % TTY_RING];

		if (entry == END) {
			l->got++;
			if (lines)
				break;
			continue;
		}
		if (done == n)
			break;
		l->got++;
		to[done++] = (uint8_t)entry;
		if (lines && ends_line(l, entry))
			break;
	}
	*some |= done > 0;
	return done;
}

void tty_line_flush(struct tty_line *l)
{
	l->got = l->ready = l->edited;
}

void tty_line_set(struct tty_line *l, const struct termios *settings)
{
	bool had_lines = has(l, TTY_ICANON);

	l->settings = *settings;
	if (had_lines && !has(l, TTY_ICANON))
		l->ready = l->edited;
	if (!(settings->iflag & TTY_IXON))
		l->stopped = false;
	l->literal = false;
}
