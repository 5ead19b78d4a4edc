/*
 * The console as programs see it: a terminal with a line discipline (process/tty.c, tty_line.h), or, if what is behind it is
 * none, a stream of bytes with an end (process/console_file.c).
 */
#pragma once

#include "file.h"

/** Is there a terminal? */
bool tty_is_there(void);
/** It is the controlling terminal of a session, and this group reads. */
void tty_own(unsigned session, unsigned group);
/** The leader of a session ends, or gives the terminal up: if it is its own, the foreground gets SIGHUP and SIGCONT. */
void tty_leave(unsigned session);
/** The terminal as a file. own: as /dev/tty, which is there only for the session that it controls. @return 0, -ENXIO, -ENOMEM */
int tty_open(unsigned flags, bool own, struct open_file **out) __must_check;

/* Between tty.c and console_file.c. */

/**
 * Write to the host, waiting for room unless the file says otherwise.
 * @return bytes, fewer than n only if a signal came or nothing more goes without waiting; -ERESTART, -EAGAIN
 */
int64_t console_send(const struct open_file *f, unsigned channel, const char *text, size_t n);
