/* System calls about the machine. */
#include <errno.h>

#include <caisson/mm.h>
#include <caisson/random.h>
#include <caisson/time.h>

#include "syscalls.h"

#define PIECE 256 /* bytes that getrandom gives in any case */

int64_t sys_uname(struct thread *t, const uint64_t *arg)
{
	static const struct linux_utsname name = {
		.sysname = "Linux", .nodename = LINUX_NODE, .release = LINUX_RELEASE, .version = "#1 Caisson",
		.machine = "riscv64", .domain = "(none)",
	};

	return copy_to_user(t->process->mm, arg[0], &name, sizeof(name));
}

static bool count_process(struct process *p, void *arg)
{
	(void)p;
	++*(uint16_t *)arg;
	return true;
}

int64_t sys_sysinfo(struct thread *t, const uint64_t *arg)
{
	struct {
		uint64_t uptime, loads[3], total, free, unused[4];
		uint16_t processes, pad[3]; /* no byte without a name: all of it goes to the program */
		uint64_t high[2];
		uint32_t unit, rest;
	} info = {
		.uptime = time_to_ns(time_now()) / 1000000000, .total = frame_total_count() * PAGE_SIZE,
		.free = frame_free_count() * PAGE_SIZE, .unit = 1,
	};

	process_for_each(count_process, &info.processes);
	return copy_to_user(t->process->mm, arg[0], &info, sizeof(info));
}

int64_t sys_getrandom(struct thread *t, const uint64_t *arg)
{
	uint64_t n = MIN(arg[1], (uint64_t)INT32_MAX), done = 0;
	unsigned char piece[PIECE];

	while (done < n && !(done && thread_interrupted(t))) { /* a piece is never interrupted */
		size_t len = MIN(n - done, sizeof(piece));

		random_bytes(piece, len);
		if (copy_to_user(t->process->mm, arg[0] + done, piece, len))
			return -EFAULT;
		done += len;
	}
	return (int64_t)done;
}
