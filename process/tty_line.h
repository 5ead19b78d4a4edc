/*
 * A terminal's line discipline (termios(3)): what is typed becomes lines that may be edited, or bytes; some characters
 * send signals, stop output, or are echoed in another shape. It knows no process and no console: what it shows goes to a
 * function. Whoever calls holds a lock that guards it.
 */
#pragma once

#include <caisson/types.h>

#define TTY_RING 4096 /* entries, a power of two; the longest line has one less, and its end */
#define TTY_CHARS 19

/** Linux's flags and the places of characters, those that mean something here. */
enum { TTY_BRKINT = 02, TTY_ISTRIP = 040, TTY_INLCR = 0100, TTY_IGNCR = 0200, TTY_ICRNL = 0400, TTY_IXON = 02000,
       TTY_IXANY = 04000, TTY_IMAXBEL = 020000, TTY_IUTF8 = 040000 };
enum { TTY_OPOST = 1, TTY_ONLCR = 4, TTY_OCRNL = 010, TTY_CS8 = 060, TTY_CREAD = 0200, TTY_38400 = 017 };
enum { TTY_ISIG = 1, TTY_ICANON = 2, TTY_ECHO = 010, TTY_ECHOE = 020, TTY_ECHOK = 040, TTY_ECHONL = 0100, TTY_NOFLSH = 0200,
       TTY_TOSTOP = 0400, TTY_ECHOCTL = 01000, TTY_ECHOKE = 04000, TTY_IEXTEN = 0100000 };
enum { VINTR = 0, VQUIT = 1, VERASE = 2, VKILL = 3, VEOF = 4, VTIME = 5, VMIN = 6, VSTART = 8, VSTOP = 9, VSUSP = 10,
       VEOL = 11, VREPRINT = 12, VWERASE = 14, VLNEXT = 15, VEOL2 = 16 };

/** As TCGETS and TCSETS have it. */
struct termios {
	uint32_t iflag, oflag, cflag, lflag;
	uint8_t line, cc[TTY_CHARS];
};

struct tty_line {
	struct termios settings;
	uint16_t ring[TTY_RING];     /* bytes, and ends of lines that are no byte (Ctrl-D) */
	uint32_t got, ready, edited; /* taken so far; up to here whole lines; up to here something was typed */
	unsigned column;             /* where the next character is shown */
	unsigned line_column;        /* where the line that is edited begins */
	bool literal;                /* the next character is data, whatever it means (Ctrl-V) */
	bool stopped;                /* output is (Ctrl-S) */
	/** Show bytes that are ready for the screen. */
	void (*show)(const char *text, size_t n);
};

/** Settings as a terminal has them at first. */
void tty_line_init(struct tty_line *l, void (*show)(const char *text, size_t n));
/** A character was typed. @return the signal that it sends to the foreground, 0: none */
unsigned tty_line_type(struct tty_line *l, uint8_t c);
/** Bytes that may be taken now. */
static inline uint32_t tty_line_ready(const struct tty_line *l)
{
	return l->ready - l->got;
}
/** Take bytes; of lines at most one. @return how many; *some: is that an answer, even if it is none? */
size_t tty_line_take(struct tty_line *l, uint8_t *to, size_t n, bool *some);
/** Forget what was typed and not taken. */
void tty_line_flush(struct tty_line *l);
/** New settings. What was typed of a line becomes readable when there are no lines any more. */
void tty_line_set(struct tty_line *l, const struct termios *settings);
/**
 * What a program writes, as the screen gets it.
 * @param[in,out] n  bytes of `from`; then: how many of them stand in `to`
 * @return bytes in `to`, at most `size` (2 or more)
 */
size_t tty_line_output(struct tty_line *l, const char *from, size_t *n, char *to, size_t size);
/** Of what tty_line_output made, only `shown` bytes went out. @return how many of `from` those are, whole ones */
size_t tty_line_shown(const struct tty_line *l, const char *from, size_t n, size_t shown);
