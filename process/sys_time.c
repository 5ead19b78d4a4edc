/* System calls about time. The wall clock is the machine's, if it has one. */
#include <errno.h>

#include <caisson/rtc.h>
#include <caisson/time.h>

#include "syscalls.h"

#define NS UINT64_C(1000000000)
#define LONGEST_NS (UINT64_MAX / 4) /* 146 years: later is never */

enum { CLOCK_REALTIME = 0, CLOCK_MONOTONIC = 1, CLOCK_PROCESS_CPU = 2, CLOCK_THREAD_CPU = 3, CLOCK_REALTIME_COARSE = 5,
       CLOCK_REALTIME_ALARM = 8, CLOCK_TAI = 11, CLOCKS = 12, TIMER_ABSTIME = 1 };

/* --- times of programs --- */

int time_from_user(struct thread *t, uint64_t at, uint64_t *ns)
{
	struct linux_timespec ts;

	if (copy_from_user(t->process->mm, &ts, at, sizeof(ts)))
		return -EFAULT;
	return time_of_spec(&ts, ns);
}

int time_of_spec(const struct linux_timespec *ts, uint64_t *ns)
{
	if (ts->s < 0 || ts->ns < 0 || ts->ns >= (int64_t)NS)
		return -EINVAL;
	*ns = (uint64_t)ts->s < LONGEST_NS / NS ? (uint64_t)ts->s * NS + (uint64_t)ts->ns : LONGEST_NS;
	return 0;
}

struct linux_timespec time_to_spec(uint64_t ns)
{
	return (struct linux_timespec){ (int64_t)(ns / NS), (int64_t)(ns % NS) };
}

int time_to_user(struct thread *t, uint64_t at, uint64_t ns)
{
	struct linux_timespec ts = time_to_spec(ns);

	return copy_to_user(t->process->mm, at, &ts, sizeof(ts));
}

uint64_t time_ticks(uint64_t ns)
{
	return time_from_us(ns / 1000 + (ns % 1000 != 0));
}

/* --- clocks --- */

static bool is_wall(uint64_t clock)
{
	return clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE || clock == CLOCK_REALTIME_ALARM || clock == CLOCK_TAI;
}

static uint64_t clock_ns(const struct thread *t, uint64_t clock)
{
	if (clock == CLOCK_THREAD_CPU)
		return time_to_ns(task_run_time(t->task));
	if (clock == CLOCK_PROCESS_CPU)
		return time_to_ns(usage_now(t->process).run_time);
	return is_wall(clock) ? rtc_wall_ns() : time_to_ns(time_now());
}

int clock_left(const struct thread *t, uint64_t clock, uint64_t until_ns, uint64_t *left_ns)
{
	uint64_t now;

	if (clock >= CLOCKS)
		return -EINVAL;
	if (clock == CLOCK_PROCESS_CPU || clock == CLOCK_THREAD_CPU)
		return -EOPNOTSUPP;
	now = clock_ns(t, clock);
	*left_ns = until_ns > now ? until_ns - now : 0;
	return 0;
}

int64_t sys_clock_gettime(struct thread *t, const uint64_t *arg)
{
	return arg[0] < CLOCKS ? time_to_user(t, arg[1], clock_ns(t, arg[0])) : -EINVAL;
}

int64_t sys_clock_getres(struct thread *t, const uint64_t *arg)
{
	if (arg[0] >= CLOCKS)
		return -EINVAL;
	return arg[1] ? time_to_user(t, arg[1], MAX(time_to_ns(1), UINT64_C(1))) : 0;
}

/* The machine's clock is not ours to set. */
int64_t sys_clock_settime(struct thread *t, const uint64_t *arg)
{
	uint64_t ns;
	int error = time_from_user(t, arg[1], &ns);

	return error ? error : is_wall(arg[0]) ? -EPERM : -EINVAL;
}

int64_t sys_settimeofday(struct thread *t, const uint64_t *arg)
{
	(void)t;
	(void)arg;
	return -EPERM;
}

int64_t sys_gettimeofday(struct thread *t, const uint64_t *arg)
{
	uint64_t ns = clock_ns(t, CLOCK_REALTIME);
	struct linux_timeval tv = { (int64_t)(ns / NS), (int64_t)(ns % NS / 1000) };

	return arg[0] ? copy_to_user(t->process->mm, arg[0], &tv, sizeof(tv)) : 0;
}

/* --- sleeping --- */

static bool wants_out(void *arg)
{
	return thread_interrupted(arg);
}

/* `rest` gets what is left when a signal comes first; 0: nobody wants to know. */
static int sleep_until(struct thread *t, uint64_t deadline, uint64_t rest)
{
	struct waitq nobody = WAITQ_INIT(nobody);
	uint64_t now;

	deadline = thread_deadline(t, deadline);
	if (waitq_wait(&nobody, wants_out, t, deadline) == -ETIMEDOUT)
		return 0;
	now = time_now();
	if (rest && time_to_user(t, rest, deadline > now ? time_to_ns(deadline - now) : 0))
		return -EFAULT;
	return -ERESTART_QUIET;
}

static int64_t sleep(struct thread *t, uint64_t clock, bool absolute, uint64_t wish, uint64_t rest)
{
	uint64_t ns, unused;
	int error = time_from_user(t, wish, &ns);

	if (!error)
		error = absolute ? clock_left(t, clock, ns, &ns) : clock_left(t, clock, 0, &unused);
	return error ? error : sleep_until(t, time_now() + time_ticks(ns), absolute ? 0 : rest);
}

int64_t sys_nanosleep(struct thread *t, const uint64_t *arg)
{
	return sleep(t, CLOCK_MONOTONIC, false, arg[0], arg[1]);
}

int64_t sys_clock_nanosleep(struct thread *t, const uint64_t *arg)
{
	return sleep(t, arg[0], arg[1] & TIMER_ABSTIME, arg[2], arg[3]);
}
