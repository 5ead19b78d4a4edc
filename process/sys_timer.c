/* Timers that send signals: alarm and setitimer, and those that timer_create makes. */
#include <errno.h>

#include <caisson/mm.h>

#include "alarm.h"
#include "syscalls.h"

#define TIMERS_MAX 32 /* of a process */
#define US UINT64_C(1000)

enum { ITIMER_REAL = 0, SIGEV_SIGNAL = 0, SIGEV_NONE = 1, SIGEV_THREAD_ID = 4, TIMER_ABSTIME = 1 };

struct process_timer {
	struct alarm alarm;
	struct process *process;
	uint64_t clock;
	unsigned signal;        /* 0: none is sent */
	unsigned tid;           /* to this thread; 0: to the process */
	int32_t code;           /* SI_* */
	uint32_t id;
	uint64_t value;         /* the program's */
	uint64_t overrun;       /* atomic: times it was due, beyond the one that the last signal told */
};

/** All of a process. */
struct process_timers {
	struct mutex lock;
	struct process_timer real;
	struct process_timer *created[TIMERS_MAX];
};

static void send(struct alarm *a, uint64_t n)
{
	struct process_timer *timer = container_of(a, struct process_timer, alarm);
	struct signal_info info = { .code = timer->code, .value = timer->value };

	__atomic_store_n(&timer->overrun, n - 1, __ATOMIC_RELAXED);
	if (timer->code == SI_TIMER) {
		info.pid = timer->id;
		info.status = (int32_t)MIN(n - 1, (uint64_t)INT32_MAX);
	}
	if (timer->signal && timer->tid)
		(void)signal_send_tid(timer->process, timer->tid, timer->signal, &info);
	else if (timer->signal)
		signal_send(timer->process, timer->signal, &info);
}

/* @return NULL: out of memory */
static struct process_timers *timers_of(struct process *p)
{
	struct process_timers *all = __atomic_load_n(&p->timers, __ATOMIC_ACQUIRE), *none = NULL;

	if (all)
		return all;
	all = kzalloc(sizeof(*all));
	if (!all)
		return NULL;
	mutex_init(&all->lock);
	alarm_init(&all->real.alarm, send);
	all->real.process = p;
	all->real.signal = SIGALRM;
	all->real.code = SI_KERNEL;
	if (__atomic_compare_exchange_n(&p->timers, &none, all, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		return all;
	kfree(all); /* another thread was faster */
	return none;
}

static void delete(struct process_timers *all, unsigned id)
{
	if (!all->created[id])
		return;
	alarm_set(&all->created[id]->alarm, 0, 0, NULL);
	kfree(all->created[id]);
	all->created[id] = NULL;
}

void timers_delete_all(struct process *p)
{
	struct process_timers *all = p->timers;

	if (!all)
		return;
	mutex_lock(&all->lock);
	for (unsigned i = 0; i < TIMERS_MAX; i++)
		delete(all, i);
	mutex_unlock(&all->lock);
}

void timers_release(struct process *p)
{
	if (!p->timers)
		return;
	timers_delete_all(p);
	alarm_set(&p->timers->real.alarm, 0, 0, NULL);
	kfree(p->timers);
	p->timers = NULL;
}

/* --- setitimer: in microseconds --- */

struct linux_itimerval { struct linux_timeval period, left; };

static int interval_of(const struct linux_timeval *tv, uint64_t *ns)
{
	if (tv->us < 0 || tv->us >= 1000000)
		return -EINVAL;
	return time_of_spec(&(struct linux_timespec){ tv->s, tv->us * (int64_t)US }, ns);
}

static struct linux_timeval to_interval(uint64_t ticks)
{
	struct linux_timespec ts = time_to_spec(time_to_ns(ticks));

	return (struct linux_timeval){ ts.s, (ts.ns + (int64_t)US - 1) / (int64_t)US };
}

static int put_interval(struct thread *t, uint64_t at, const struct alarm_times *times)
{
	struct linux_itimerval v = { to_interval(times->period), to_interval(times->left) };

	return copy_to_user(t->process->mm, at, &v, sizeof(v));
}

int64_t sys_getitimer(struct thread *t, const uint64_t *arg)
{
	struct alarm_times times = { 0, 0 };

	if (arg[0] != ITIMER_REAL)
		return -EINVAL;
	if (t->process->timers)
		times = alarm_get(&t->process->timers->real.alarm);
	return put_interval(t, arg[1], &times);
}

int64_t sys_setitimer(struct thread *t, const uint64_t *arg)
{
	struct process_timers *all;
	struct linux_itimerval v = { 0 };
	struct alarm_times old;
	uint64_t left, period;

	if (arg[0] != ITIMER_REAL)
		return -EINVAL;
	if (arg[1] && copy_from_user(t->process->mm, &v, arg[1], sizeof(v)))
		return -EFAULT;
	if (interval_of(&v.left, &left) || interval_of(&v.period, &period))
		return -EINVAL;
	all = timers_of(t->process);
	if (!all)
		return -ENOMEM;
	alarm_set(&all->real.alarm, left ? time_now() + time_ticks(left) : 0, time_ticks(period), &old);
	return arg[2] ? put_interval(t, arg[2], &old) : 0;
}

/* --- timer_create and what belongs to it --- */

struct linux_sigevent { uint64_t value; int32_t signal, how, tid; uint8_t rest[44]; };

static int add(struct process_timers *all, struct process_timer *timer)
{
	int error = -EAGAIN;

	mutex_lock(&all->lock);
	for (unsigned i = 0; i < TIMERS_MAX && error; i++) {
		if (all->created[i])
			continue;
		timer->id = i;
		all->created[i] = timer;
		error = 0;
	}
	mutex_unlock(&all->lock);
	return error;
}

static int create(struct process *p, uint64_t clock, const struct linux_sigevent *event, uint32_t *id)
{
	struct process_timers *all = timers_of(p);
	struct process_timer *timer = all ? kzalloc(sizeof(*timer)) : NULL;
	int error;

	if (!timer)
		return -ENOMEM;
	alarm_init(&timer->alarm, send);
	timer->process = p;
	timer->clock = clock;
	timer->signal = event->how == SIGEV_NONE ? 0 : (unsigned)event->signal;
	timer->code = SI_TIMER;
	timer->tid = event->how == SIGEV_THREAD_ID ? (unsigned)event->tid : 0;
	timer->value = event->value;
	error = add(all, timer);
	*id = timer->id;
	if (error)
		kfree(timer);
	return error;
}

static bool has_thread(struct process *p, int32_t tid)
{
	irqflags_t flags = tree_lock();
	bool found = false;

	list_for_each(t, &p->threads, struct thread, node)
		found |= t->tid == (unsigned)tid;
	tree_unlock(flags);
	return found;
}

static bool is_possible(struct process *p, const struct linux_sigevent *event)
{
	if (event->how == SIGEV_NONE)
		return true;
	if (event->signal < 1 || event->signal > SIGNALS)
		return false;
	return event->how == SIGEV_SIGNAL || (event->how == SIGEV_THREAD_ID && has_thread(p, event->tid));
}

int64_t sys_timer_create(struct thread *t, const uint64_t *arg)
{
	struct linux_sigevent event = { .signal = SIGALRM, .how = SIGEV_SIGNAL };
	uint64_t unused;
	uint32_t id;
	int error = clock_left(t, arg[0], 0, &unused);

	if (error)
		return error;
	if (arg[1] && copy_from_user(t->process->mm, &event, arg[1], sizeof(event)))
		return -EFAULT;
	if (!is_possible(t->process, &event))
		return -EINVAL;
	error = create(t->process, arg[0], &event, &id);
	if (!error && copy_to_user(t->process->mm, arg[2], &id, sizeof(id))) {
		(void)sys_timer_delete(t, (uint64_t[]){ id });
		error = -EFAULT;
	}
	return error;
}

int itimer_to_user(struct thread *t, uint64_t at, const struct alarm_times *times)
{
	struct linux_itimerspec v = { time_to_spec(time_to_ns(times->period)), time_to_spec(time_to_ns(times->left)) };

	return copy_to_user(t->process->mm, at, &v, sizeof(v));
}

/* The timer of this number, with the lock held; or NULL, without. */
static struct process_timer *find(struct process *p, uint64_t id)
{
	struct process_timers *all = __atomic_load_n(&p->timers, __ATOMIC_ACQUIRE);

	if (!all || id >= TIMERS_MAX)
		return NULL;
	mutex_lock(&all->lock);
	if (all->created[id])
		return all->created[id];
	mutex_unlock(&all->lock);
	return NULL;
}

int64_t sys_timer_gettime(struct thread *t, const uint64_t *arg)
{
	struct process_timer *timer = find(t->process, arg[0]);
	struct alarm_times times;

	if (!timer)
		return -EINVAL;
	times = alarm_get(&timer->alarm);
	mutex_unlock(&t->process->timers->lock);
	return itimer_to_user(t, arg[1], &times);
}

int64_t sys_timer_getoverrun(struct thread *t, const uint64_t *arg)
{
	struct process_timer *timer = find(t->process, arg[0]);
	uint64_t n;

	if (!timer)
		return -EINVAL;
	n = __atomic_load_n(&timer->overrun, __ATOMIC_RELAXED);
	mutex_unlock(&t->process->timers->lock);
	return (int64_t)MIN(n, (uint64_t)INT32_MAX);
}

int itimer_from_user(struct thread *t, uint64_t at, uint64_t clock, bool absolute, struct alarm_times *due)
{
	struct linux_itimerspec v;
	uint64_t left, period;

	if (copy_from_user(t->process->mm, &v, at, sizeof(v)))
		return -EFAULT;
	if (time_of_spec(&v.left, &left) || time_of_spec(&v.period, &period))
		return -EINVAL;
	*due = (struct alarm_times){ 0, time_ticks(period) };
	if (left == 0)
		return 0;
	if (absolute && clock_left(t, clock, left, &left))
		return -EINVAL;
	due->left = time_now() + time_ticks(left);
	return 0;
}

int64_t sys_timer_settime(struct thread *t, const uint64_t *arg)
{
	struct process_timer *timer = find(t->process, arg[0]);
	struct alarm_times due, old;
	int error;

	if (!timer)
		return -EINVAL;
	error = itimer_from_user(t, arg[2], timer->clock, arg[1] & TIMER_ABSTIME, &due);
	if (!error) {
		timer->overrun = 0;
		alarm_set(&timer->alarm, due.left, due.period, &old);
	}
	mutex_unlock(&t->process->timers->lock);
	return error || !arg[3] ? error : itimer_to_user(t, arg[3], &old);
}

int64_t sys_timer_delete(struct thread *t, const uint64_t *arg)
{
	struct process_timer *timer = find(t->process, arg[0]);

	if (!timer)
		return -EINVAL;
	delete(t->process->timers, (unsigned)arg[0]);
	mutex_unlock(&t->process->timers->lock);
	return 0;
}
