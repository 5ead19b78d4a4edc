/*
 * The line editor: keys, history, completion.
 *
 * A line longer than the terminal is wide is edited right, but shown right only
 * while typing at its end.
 */
#include <shell/shell.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define CTRL(c) ((c) & 0x1f)
#define KEY_ESC 0x1b
#define KEY_DEL 0x7f

enum { ESCAPE_NONE, ESCAPE_BEGUN, ESCAPE_CSI, ESCAPE_SS3 };

static void put(struct line *l, const char *s)
{
	l->write(l->arg, s, strlen(s));
}

void line_redraw(struct line *l)
{
	char back[16];

	put(l, "\r");
	put(l, l->prompt);
	l->write(l->arg, l->text, l->len);
	put(l, "\x1b[K");
	if (l->cursor < l->len) {
		snprintf(back, sizeof(back), "\x1b[%uD", (unsigned)(l->len - l->cursor));
		put(l, back);
	}
}

void line_init(struct line *l, const char *prompt, void (*write)(void *arg, const char *buf, size_t n),
	       void *arg, shell_word_fn word)
{
	memset(l, 0, sizeof(*l));
	l->prompt = prompt;
	l->write = write;
	l->arg = arg;
	l->word = word;
}

void line_start(struct line *l)
{
	l->len = l->cursor = 0;
	l->text[0] = '\0';
	l->escape = ESCAPE_NONE;
	l->browsing = 0;
	put(l, l->prompt);
}

static void move_to(struct line *l, size_t cursor)
{
	if (cursor == l->cursor)
		return;
	l->cursor = cursor;
	line_redraw(l);
}

static void insert(struct line *l, const char *s, size_t n)
{
	bool at_end = l->cursor == l->len;

	n = MIN(n, SHELL_LINE_MAX - 1 - l->len);
	if (n == 0)
		return;
	memmove(l->text + l->cursor + n, l->text + l->cursor, l->len - l->cursor + 1);
	memcpy(l->text + l->cursor, s, n);
	l->len += n;
	l->cursor += n;
	if (at_end)
		l->write(l->arg, l->text + l->len - n, n);
	else
		line_redraw(l);
}

/* Take out the bytes from `from` up to `to`; the cursor goes there. */
static void cut(struct line *l, size_t from, size_t to)
{
	if (from == to)
		return;
	memmove(l->text + from, l->text + to, l->len - to + 1);
	l->len -= to - from;
	l->cursor = from;
	line_redraw(l);
}

static void replace(struct line *l, const char *text)
{
	l->len = l->cursor = strnlen(text, SHELL_LINE_MAX - 1);
	memcpy(l->text, text, l->len);
	l->text[l->len] = '\0';
	line_redraw(l);
}

static size_t word_start(const struct line *l)
{
	size_t at = l->cursor;

	while (at > 0 && l->text[at - 1] == ' ')
		at--;
	while (at > 0 && l->text[at - 1] != ' ')
		at--;
	return at;
}

/* History: a ring; `browsing` counts back from the newest. */

static char *history_slot(struct line *l, unsigned n)
{
	return l->history[n % SHELL_HISTORY];
}

static void remember(struct line *l)
{
	if (l->len == 0 || (l->n_history && strcmp(history_slot(l, l->n_history - 1), l->text) == 0))
		return;
	memcpy(history_slot(l, l->n_history), l->text, l->len + 1);
	l->n_history++;
}

static void history_older(struct line *l)
{
	if (l->browsing == MIN(l->n_history, SHELL_HISTORY))
		return;
	if (l->browsing == 0)
		memcpy(l->draft, l->text, l->len + 1);
	l->browsing++;
	replace(l, history_slot(l, l->n_history - l->browsing));
}

static void history_newer(struct line *l)
{
	if (l->browsing == 0)
		return;
	l->browsing--;
	replace(l, l->browsing ? history_slot(l, l->n_history - l->browsing) : l->draft);
}

/* Completion of the word before the cursor. */

struct found {
	char first[SHELL_WORD_MAX];
	size_t common; /* bytes that all of them begin with */
	unsigned n;
};

static size_t common_length(const char *a, const char *b, size_t most)
{
	size_t n = 0;

	while (n < most && a[n] && a[n] == b[n])
		n++;
	return n;
}

static size_t completed_from(const struct line *l)
{
	size_t at = l->cursor;

	while (at > 0 && l->text[at - 1] != ' ')
		at--;
	return at;
}

/* Call fn for each word that could stand at `from` and begins as what is typed there. */
static void each_candidate(struct line *l, size_t from,
			   void (*fn)(struct line *l, const char *word, struct found *f), struct found *f)
{
	char word[SHELL_WORD_MAX];
	int error;

	for (unsigned i = 0; (error = l->word(l->text, from, i, word, sizeof(word))) != -ENOENT; i++)
		if (!error && strncmp(word, l->text + from, l->cursor - from) == 0)
			fn(l, word, f);
}

static void note_candidate(struct line *l, const char *word, struct found *f)
{
	(void)l;
	if (f->n++) {
		f->common = common_length(f->first, word, f->common);
		return;
	}
	f->common = strlen(word);
	memcpy(f->first, word, f->common + 1);
}

static void put_candidate(struct line *l, const char *word, struct found *f)
{
	(void)f;
	put(l, word);
	put(l, "  ");
}

static void list_candidates(struct line *l, size_t from)
{
	put(l, "\r\n");
	each_candidate(l, from, put_candidate, NULL);
	put(l, "\r\n");
	line_redraw(l);
}

static void complete(struct line *l)
{
	size_t from = completed_from(l), typed = l->cursor - from;
	struct found f = { .n = 0 };

	if (!l->word)
		return;
	each_candidate(l, from, note_candidate, &f);
	if (f.n > 1 && f.common == typed)
		list_candidates(l, from);
	if (f.n > 0)
		insert(l, f.first + typed, f.common - typed);
	if (f.n == 1)
		insert(l, " ", 1);
}

static void clear_screen(struct line *l)
{
	put(l, "\x1b[H\x1b[2J");
	line_redraw(l);
}

static enum line_event finish(struct line *l, enum line_event event)
{
	put(l, event == LINE_CANCELLED ? "^C\r\n" : "\r\n");
	if (event == LINE_DONE)
		remember(l);
	return event;
}

static void delete_here(struct line *l)
{
	if (l->cursor < l->len)
		cut(l, l->cursor, l->cursor + 1);
}

static void delete_before(struct line *l)
{
	if (l->cursor == l->len && l->len > 0) {
		l->text[--l->len] = '\0';
		l->cursor--;
		put(l, "\b \b");
	} else if (l->cursor > 0) {
		cut(l, l->cursor - 1, l->cursor);
	}
}

static void control_key(struct line *l, char c)
{
	switch (c) {
	case CTRL('A'): move_to(l, 0); break;
	case CTRL('B'): move_to(l, l->cursor - (l->cursor > 0)); break;
	case CTRL('D'): delete_here(l); break;
	case CTRL('E'): move_to(l, l->len); break;
	case CTRL('F'): move_to(l, l->cursor + (l->cursor < l->len)); break;
	case CTRL('H'):
	case KEY_DEL: delete_before(l); break;
	case CTRL('I'): complete(l); break;
	case CTRL('K'): cut(l, l->cursor, l->len); break;
	case CTRL('L'): clear_screen(l); break;
	case CTRL('N'): history_newer(l); break;
	case CTRL('P'): history_older(l); break;
	case CTRL('U'): cut(l, 0, l->cursor); break;
	case CTRL('W'): cut(l, word_start(l), l->cursor); break;
	case KEY_ESC: l->escape = ESCAPE_BEGUN; break;
	}
}

/* The keys that send "ESC [ n ~". */
static char numbered_key(char n)
{
	switch (n) {
	case '1':
	case '7': return CTRL('A');
	case '3': return CTRL('D');
	case '4':
	case '8': return CTRL('E');
	default: return 0;
	}
}

/* The control key that does what the last byte of "ESC [ ..." or "ESC O ..." asks for, 0 for none. */
static char escape_key(const struct line *l, char c)
{
	switch (c) {
	case 'A': return CTRL('P');
	case 'B': return CTRL('N');
	case 'C': return CTRL('F');
	case 'D': return CTRL('B');
	case 'F': return CTRL('E');
	case 'H': return CTRL('A');
	case '~': return numbered_key(l->escape_param);
	default: return 0;
	}
}

static void escape_byte(struct line *l, char c)
{
	if (l->escape == ESCAPE_BEGUN) {
		l->escape = c == '[' ? ESCAPE_CSI : c == 'O' ? ESCAPE_SS3 : ESCAPE_NONE;
		l->escape_param = 0;
	} else if (c >= 0x20 && c < 0x40) {
		/* Parameters; two digits are a function key, which we have no use for. */
		l->escape_param = l->escape_param ? '?' : c;
	} else {
		l->escape = ESCAPE_NONE;
		control_key(l, escape_key(l, c));
	}
}

enum line_event line_feed(struct line *l, char c)
{
	bool after_cr = l->after_cr;

	l->after_cr = c == '\r';
	if (c == CTRL('C')) {
		return finish(l, LINE_CANCELLED);
	} else if (c == '\r' || c == '\n') {
		return c == '\n' && after_cr ? LINE_MORE : finish(l, LINE_DONE);
	} else if (l->escape != ESCAPE_NONE) {
		escape_byte(l, c);
	} else if (c >= ' ' && c < KEY_DEL) {
		insert(l, &c, 1);
	} else {
		control_key(l, c);
	}
	return LINE_MORE;
}
