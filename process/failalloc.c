/* A device for tests (CONFIG_DEBUG_FAIL_ALLOC): a program lets an allocation of the kernel's fail on purpose. */
#include <caisson/fail.h>

#include <errno.h>

#include "device.h"

enum { FAIL_AT = 1, IS_PENDING = 2 };

/* An ioctl, since that allocates nothing itself. */
static int64_t fail_ioctl(struct open_file *f, struct thread *t, uint64_t request, uint64_t arg)
{
	bool pending = alloc_fail_pending();

	(void)f;
	(void)t;
	switch (request) {
	case FAIL_AT: /* the arg-th from now; 0: none */
		alloc_fail_at(arg);
		return 0;
	case IS_PENDING:
		return pending;
	default:
		return -EINVAL;
	}
}

const struct open_file_ops failalloc_ops = { .ioctl = fail_ioctl };
