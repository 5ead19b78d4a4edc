/* System calls about time. The wall clock is the machine's, if it has one. */
#include <errno.h>

#include <caisson/rtc.h>
#include <caisson/time.h>

#include "syscalls.h"

#define NS UINT64_C(1000000000)

enum { CLOCK_REALTIME = 0, CLOCK_REALTIME_COARSE = 5, CLOCKS = 12, TIMER_ABSTIME = 1 };

static uint64_t clock_ns(uint64_t clock)
{
	return clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE ? rtc_wall_ns() : time_to_ns(time_now());
}

int64_t sys_clock_gettime(struct thread *t, const uint64_t *arg)
{
	uint64_t ns = clock_ns(arg[0]);
	struct linux_timespec ts = { (int64_t)(ns / NS), (int64_t)(ns % NS) };

	if (arg[0] >= CLOCKS)
		return -EINVAL;
	return copy_to_user(t->process->mm, arg[1], &ts, sizeof(ts));
}

int64_t sys_gettimeofday(struct thread *t, const uint64_t *arg)
{
	uint64_t ns = clock_ns(CLOCK_REALTIME);
	struct linux_timeval tv = { (int64_t)(ns / NS), (int64_t)(ns % NS / 1000) };

	return arg[0] ? copy_to_user(t->process->mm, arg[0], &tv, sizeof(tv)) : 0;
}

static bool wants_out(void *arg)
{
	return thread_interrupted(arg);
}

/* @return 0, or -ERESTART_QUIET: a signal came first */
static int sleep_until(struct thread *t, uint64_t ns)
{
	struct waitq nobody = WAITQ_INIT(nobody);
	uint64_t deadline = thread_deadline(t, time_from_us(ns / 1000 + 1));

	return waitq_wait(&nobody, wants_out, t, deadline) == -ETIMEDOUT ? 0 : -ERESTART_QUIET;
}

static int64_t sleep(struct thread *t, uint64_t clock, uint64_t flags, uint64_t wish, uint64_t rest)
{
	struct linux_timespec ts;
	uint64_t start = clock_ns(clock);
	int error;

	if (copy_from_user(t->process->mm, &ts, wish, sizeof(ts)))
		return -EFAULT;
	if (ts.s < 0 || ts.ns < 0 || ts.ns >= (int64_t)NS || clock >= CLOCKS)
		return -EINVAL;
	/* The deadline is one of the machine's time, which no clock that is set moves. */
	error = sleep_until(t, (flags & TIMER_ABSTIME ? clock_ns(CLOCKS) - start : clock_ns(CLOCKS)) + (uint64_t)ts.s * NS +
			       (uint64_t)ts.ns);
	if (error && rest && !(flags & TIMER_ABSTIME)) {
		uint64_t slept = clock_ns(clock) - start, all = (uint64_t)ts.s * NS + (uint64_t)ts.ns;
		uint64_t left = slept < all ? all - slept : 0;

		ts = (struct linux_timespec){ (int64_t)(left / NS), (int64_t)(left % NS) };
		if (copy_to_user(t->process->mm, rest, &ts, sizeof(ts)))
			return -EFAULT;
	}
	return error;
}

int64_t sys_nanosleep(struct thread *t, const uint64_t *arg)
{
	return sleep(t, CLOCK_REALTIME, 0, arg[0], arg[1]);
}

int64_t sys_clock_nanosleep(struct thread *t, const uint64_t *arg)
{
	return sleep(t, arg[0], arg[1], arg[2], arg[3]);
}
