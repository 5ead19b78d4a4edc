/* Error numbers: beyond the oldest 34, Linux's are not those of our C library. */
#include <errno.h>

#include "linux_abi.h"

#define RESTART_INTERNALLY 512 /* Linux's own codes begin here: none of them leaves the kernel */

static const struct { int ours, linux_number; } numbers[] = {
	{ EDEADLK, 35 }, { ENAMETOOLONG, 36 }, { ENOLCK, 37 }, { ENOSYS, 38 }, { ENOTEMPTY, 39 }, { ELOOP, 40 },
	{ ENODATA, 61 }, { ETIME, 62 }, { EOVERFLOW, 75 }, { EILSEQ, 84 }, { ENOTSOCK, 88 }, { ENOTSUP, 95 },
	{ EOPNOTSUPP, 95 }, { EAFNOSUPPORT, 97 }, { EADDRINUSE, 98 }, { ENOTCONN, 107 }, { ETIMEDOUT, 110 }, { EALREADY, 114 },
	{ EINPROGRESS, 115 },
};

int64_t linux_result(int64_t result)
{
	if (result >= 0 || result < -(int64_t)RESTART_INTERNALLY)
		return result;
	for (unsigned i = 0; i < ARRAY_SIZE(numbers); i++)
		if (result == -numbers[i].ours)
			return -numbers[i].linux_number;
	return result;
}
