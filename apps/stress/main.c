/*
 * Everything at once: tasks that move themselves, tasks that are moved by others, calls to other harts,
 * wake-ups across harts, tasks that come and go. Whatever is done is counted by who asked for it
 * and by who did it: nothing may be lost. The argument is the number of rounds.
 */
#include <caisson/hart.h>
#include <caisson/init.h>
#include <caisson/print.h>
#include <caisson/smp.h>
#include <caisson/task.h>
#include <caisson/time.h>

#define ROUNDS 200
#define MOVERS 4   /* move themselves */
#define MOVED 4    /* are moved */
#define CALLERS 3
#define RUNNERS 4  /* hand a token around */
#define PARENTS 2

static unsigned long rounds;
static bool over;
static unsigned misplaced, moves, pushes, calls, called, failed_calls, hops, born, ended, failures;
static struct task *moved[MOVED];
static struct waitq ring = WAITQ_INIT(ring);
static unsigned token;

static void add(unsigned *counter)
{
	__atomic_add_fetch(counter, 1, __ATOMIC_RELAXED);
}

/* Each task has a sequence of its own. */
static unsigned next_random(unsigned *state)
{
	*state = *state * 1664525u + 1013904223u;
	return *state >> 16;
}

static void move_myself(void *seed)
{
	unsigned random = (unsigned)(uintptr_t)seed;

	for (unsigned long i = 0; i < rounds; i++) {
		unsigned hart = next_random(&random) % hart_count();

		task_set_mask(task_current(), BIT(hart));
		if (this_hart()->index != hart)
			add(&misplaced);
		add(&moves);
		if (i % 8 == 0)
			task_sleep_until(time_now() + time_from_us(20));
	}
}

/* Computes, yields and sleeps in turns, so that a new mask finds it in each state. */
static void be_moved(void *arg)
{
	(void)arg;
	for (unsigned i = 0; !__atomic_load_n(&over, __ATOMIC_ACQUIRE); i++) {
		if (i % 3 == 0)
			task_sleep_until(time_now() + time_from_us(10));
		else if (i % 3 == 1)
			task_yield();
	}
}

static void push_around(void *seed)
{
	unsigned random = (unsigned)(uintptr_t)seed;

	for (unsigned long i = 0; i < rounds; i++) {
		unsigned mask = next_random(&random) & (unsigned)(BIT(hart_count()) - 1);

		task_set_mask(moved[next_random(&random) % MOVED], mask); /* 0: all */
		add(&pushes);
		task_yield();
	}
}

static void note_call(void *arg)
{
	(void)arg;
	add(&called);
}

static void call_around(void *seed)
{
	unsigned random = (unsigned)(uintptr_t)seed;

	for (unsigned long i = 0; i < rounds; i++) {
		add(smp_call(next_random(&random) % hart_count(), note_call, NULL) ? &failed_calls : &calls);
		if (i % 4 == 0)
			task_yield();
	}
}

static bool is_mine(void *number)
{
	return __atomic_load_n(&token, __ATOMIC_ACQUIRE) % RUNNERS == (uintptr_t)number;
}

static void pass_token(void *number)
{
	for (unsigned long i = 0; i < rounds; i++) {
		waitq_wait(&ring, is_mine, number, UINT64_MAX);
		add(&hops);
		__atomic_add_fetch(&token, 1, __ATOMIC_RELEASE);
		waitq_notify_all(&ring);
	}
}

static void end_at_once(void *arg)
{
	(void)arg;
	add(&ended);
	task_exit(7);
}

static void have_children(void *seed)
{
	unsigned random = (unsigned)(uintptr_t)seed;

	for (unsigned long i = 0; i < rounds; i++) {
		const struct task_attr attr = { .hart_mask = BIT(next_random(&random) % hart_count()) };
		struct task *child = task_create("child", end_at_once, NULL, &attr);

		if (!child || task_join(child) != 7)
			add(&failures);
		add(&born);
	}
}

static struct task *start(void (*entry)(void *), unsigned number)
{
	struct task *t = task_create("stress", entry, (void *)(uintptr_t)number, NULL);

	if (!t)
		add(&failures);
	return t;
}

static unsigned start_all(struct task **tasks)
{
	static const struct {
		void (*entry)(void *);
		unsigned n;
	} kinds[] = {
		{ move_myself, MOVERS }, { push_around, 1 }, { call_around, CALLERS }, { pass_token, RUNNERS },
		{ have_children, PARENTS },
	};
	unsigned n = 0;

	for (unsigned k = 0; k < ARRAY_SIZE(kinds); k++)
		for (unsigned i = 0; i < kinds[k].n; i++)
			tasks[n++] = start(kinds[k].entry, i);
	return n;
}

static void join_all(struct task **tasks, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (tasks[i])
			task_join(tasks[i]);
}

/* Each counter beside what it has to be. */
static bool all_there(void)
{
	const struct {
		const char *what;
		unsigned long have, want;
	} sums[] = {
		{ "moves", moves, MOVERS * rounds },   { "on a wrong hart", misplaced, 0 },
		{ "pushes", pushes, rounds },          { "calls asked for", calls, CALLERS * rounds },
		{ "calls done", called, calls },       { "calls refused", failed_calls, 0 },
		{ "hops of the token", hops, RUNNERS * rounds },
		{ "children", born, PARENTS * rounds }, { "children that ended", ended, born },
		{ "failures", failures, 0 },
	};
	bool good = true;

	for (unsigned i = 0; i < ARRAY_SIZE(sums); i++) {
		print("%s: %lu of %lu\n", sums[i].what, sums[i].have, sums[i].want);
		good &= sums[i].have == sums[i].want;
	}
	return good;
}

int main(void)
{
	struct task *tasks[MOVERS + 1 + CALLERS + RUNNERS + PARENTS];
	unsigned n;

	rounds = app_arg_number(0, ROUNDS);
	for (unsigned i = 0; i < MOVED; i++) {
		moved[i] = start(be_moved, i);
		if (!moved[i])
			return 1;
	}
	n = start_all(tasks);
	join_all(tasks, n);
	__atomic_store_n(&over, true, __ATOMIC_RELEASE);
	join_all(moved, MOVED);
	return !all_there();
}
