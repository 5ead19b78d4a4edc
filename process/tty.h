/*
 * The console as programs see it: a terminal with a line discipline (termios(3)), or, if what is behind it is none, a stream
 * of bytes with an end.
 */
#pragma once

#include "file.h"

/** Which process group reads; 0: none so far. Any context. */
void tty_set_foreground(unsigned group);
