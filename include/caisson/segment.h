/* A piece of memory that a device reads or writes, and arrays of them (scatter and gather). */
#pragma once

#include <caisson/types.h>

struct segment {
	void *data;        /* kernel pointer, any alignment */
	uint32_t len;      /* bytes */
};
