/* Pipes. */
#pragma once

#include "file.h"

/** Make one. @param flags  O_NONBLOCK or 0. @return 0 with one reference of each end; -ENOMEM. Task context. */
int pipe_open(unsigned flags, struct open_file **reader, struct open_file **writer) __must_check;
