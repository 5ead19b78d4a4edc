/* System calls about the machine. */
#include <errno.h>

#include <caisson/random.h>

#include "syscalls.h"

#define PIECE 64

int64_t sys_uname(struct thread *t, const uint64_t *arg)
{
	static const struct linux_utsname name = {
		.sysname = "Linux", .nodename = "caisson", .release = "6.12.0-caisson", .version = "#1 Caisson",
		.machine = "riscv64", .domain = "(none)",
	};

	return copy_to_user(t->process->mm, arg[0], &name, sizeof(name));
}

int64_t sys_getrandom(struct thread *t, const uint64_t *arg)
{
	uint64_t n = MIN(arg[1], (uint64_t)INT32_MAX), done = 0;
	unsigned char piece[PIECE];

	while (done < n && !thread_interrupted(t)) {
		size_t len = MIN(n - done, sizeof(piece));

		random_bytes(piece, len);
		if (copy_to_user(t->process->mm, arg[0] + done, piece, len))
			return -EFAULT;
		done += len;
	}
	return (int64_t)done;
}
