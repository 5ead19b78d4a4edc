/* Pipes, and those that have a name (FIFOs). */
#pragma once

#include "file.h"

/** Make one. @param flags  O_NONBLOCK or 0. @return 0 with one reference of each end; -ENOMEM. Task context. */
int pipe_open(unsigned flags, struct open_file **reader, struct open_file **writer) __must_check;
/**
 * Open the FIFO that a path stands for; st is what is known of it. Without O_NONBLOCK it waits for the other side.
 * @return 0, -ENOMEM, -ENFILE; -ENXIO: O_NONBLOCK, to write, and nobody reads; -ERESTART. Task context.
 */
int fifo_open(const struct vfs_stat *st, unsigned flags, const char *path, struct open_file **out) __must_check;
/** Bytes that a pipe holds at most; 0: the file is none. */
uint32_t pipe_room(const struct open_file *f);
