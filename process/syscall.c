/* System calls: Linux's numbers and results for riscv64, as far as a flat program needs them. */
#include <errno.h>

#include <caisson/console.h>

#include "private.h"

#define PIECE 256 /* bytes copied at a time */

enum { REG_A0 = 10, REG_A7 = 17 };

/** @return the result, or negative errno. */
typedef int64_t (*syscall_t)(struct process *p, const uint64_t *arg);

static int64_t sys_exit(struct process *p, const uint64_t *arg)
{
	process_end(p, (int)(arg[0] & 0xff));
	return 0;
}

static unsigned channel_of(uint64_t fd)
{
	return fd == 2 ? CONSOLE_ERROR : CONSOLE_MONITOR;
}

/* As write(2): what was written before the bad address counts. */
static int64_t sys_write(struct process *p, const uint64_t *arg)
{
	uint64_t from = arg[1], n = MIN(arg[2], (uint64_t)INT32_MAX), done = 0;
	char piece[PIECE];

	if (arg[0] != 1 && arg[0] != 2)
		return -EBADF;
	while (done < n && !__atomic_load_n(&p->signal, __ATOMIC_RELAXED)) {
		size_t len = MIN(n - done, sizeof(piece) - (from + done) % sizeof(piece));

		if (copy_from_user(p, piece, from + done, len))
			return done ? (int64_t)done : -EFAULT;
		console_write(channel_of(arg[0]), piece, len);
		done += len;
	}
	return (int64_t)done;
}

static int64_t sys_getpid(struct process *p, const uint64_t *arg)
{
	(void)arg;
	return p->pid;
}

static int64_t sys_sched_yield(struct process *p, const uint64_t *arg)
{
	(void)p;
	(void)arg;
	task_yield();
	return 0;
}

static const struct {
	unsigned number;
	syscall_t call;
} calls[] = {
	{ 64, sys_write },
	{ 93, sys_exit },
	{ 94, sys_exit }, /* exit_group: there is one thread */
	{ 124, sys_sched_yield },
	{ 172, sys_getpid },
};

static syscall_t find(uint64_t number)
{
	for (unsigned i = 0; i < ARRAY_SIZE(calls); i++)
		if (calls[i].number == number)
			return calls[i].call;
	return NULL;
}

/* Beyond the oldest 34, Linux's error numbers are not those of our C library. */
static int64_t linux_result(int64_t result)
{
	static const struct { int ours, linux_number; } numbers[] = {
		{ ENOSYS, 38 },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(numbers); i++)
		if (result == -numbers[i].ours)
			return -numbers[i].linux_number;
	return result;
}

void syscall_handle(struct process *p)
{
	syscall_t call = find(p->ctx.x[REG_A7]);
	int64_t result = call ? call(p, &p->ctx.x[REG_A0]) : -ENOSYS;

	p->ctx.x[REG_A0] = (uint64_t)linux_result(result);
}
