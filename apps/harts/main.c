/*
 * Harts that go and come back under load (B8): every hart in turn, the boot hart
 * too, several times, while tasks work, sleep and call other harts. Nothing may be
 * lost: each piece of work is counted twice, by who gave it and by who did it.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include <arch/hart.h>
#include <arch/sbi.h>
#include <caisson/console.h>
#include <caisson/init.h>
#include <caisson/smp.h>
#include <caisson/task.h>
#include <caisson/time.h>

#define ROUNDS 5
#define WORKERS 6
#define CALLERS 2
#define ALONE_US (hart_count() == 1 ? 1000000 : 200000)

static bool over;           /* the load ends */
static bool failed;
static unsigned long worked[WORKERS], slept, given, run;

static void __printf(1, 2) say(const char *fmt, ...)
{
	char line[128];
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	console_write(CONSOLE_MONITOR, line, (size_t)MIN(n, (int)sizeof(line) - 1));
}

static void check(bool good, const char *what)
{
	say("%s %s\n", good ? "OK" : "FAILED", what);
	failed |= !good;
}

static uint64_t after_us(uint64_t us)
{
	return time_now() + time_from_us(us);
}

static bool is_over(void)
{
	return __atomic_load_n(&over, __ATOMIC_ACQUIRE);
}

/* One that computes, some of them on one hart only. */
static void work(void *arg)
{
	while (!is_over())
		++*(volatile unsigned long *)arg;
}

static void sleep_often(void *arg)
{
	(void)arg;
	while (!is_over()) {
		task_sleep_until(after_us(300));
		slept++;
	}
}

static void count_run(void *arg)
{
	(void)arg;
	__atomic_add_fetch(&run, 1, __ATOMIC_RELAXED);
}

static void call_around(void *arg)
{
	(void)arg;
	while (!is_over()) {
		for (unsigned h = 0; h < hart_count(); h++)
			if (smp_call(h, count_run, NULL) == 0)
				__atomic_add_fetch(&given, 1, __ATOMIC_RELAXED);
		task_sleep_until(after_us(100));
	}
}

static unsigned count_online(void)
{
	unsigned n = 0;

	for (unsigned h = 0; h < hart_count(); h++)
		n += harts[h].online;
	return n;
}

/* --- without load --- */

static void here(void *arg)
{
	*(unsigned *)arg = this_hart()->index;
}

/* A hart in wfi runs a function that it is passed, and a task; then it idles again. */
static void idle_harts_take_work(void)
{
	unsigned right = 0;

	for (unsigned h = 0; h < hart_count(); h++) {
		unsigned called = ~0u, ran = ~0u;
		struct task_attr attr = { .hart_mask = BIT(h) };
		struct task *t;

		if (smp_call(h, here, &called))
			continue;
		t = task_create("here", here, &ran, &attr);
		if (!t)
			continue;
		task_join(t);
		right += called == h && ran == h;
	}
	check(right == hart_count(), "idle harts take calls and tasks");
}

static void notes_order(void *arg)
{
	static unsigned next;

	failed |= (uintptr_t)arg != next++;
}

static void calls_keep_their_order(void)
{
	struct smp_call calls[8];
	unsigned last = hart_count() - 1;

	for (unsigned i = 0; i < ARRAY_SIZE(calls); i++) {
		calls[i] = (struct smp_call){ .fn = notes_order, .arg = (void *)(uintptr_t)i };
		failed |= smp_call_async(last, &calls[i]) != 0;
	}
	smp_call_wait(&calls[ARRAY_SIZE(calls) - 1]);
	check(!failed, "queued calls run in order");
}

/* The firmware is asked to start a hart that runs. */
static void running_hart_is_not_started(void)
{
	unsigned last = hart_count() - 1;
	unsigned where = ~0u;
	bool refused = arch_hart_start(&harts[last]) == SBI_ERR_ALREADY_AVAILABLE;

	check(refused && smp_call(last, here, &where) == 0 && where == last, "a running hart is not started again");
	check(smp_online(last) == -EALREADY, "an online hart stays online");
}

static void wrong_numbers(void)
{
	check(smp_offline(hart_count()) == -EINVAL && smp_online(hart_count()) == -EINVAL, "a hart that is not there");
}

/* No tick: with one task that runs and nobody who waits, the timer does not fire. */
static void no_tick_for_one_task(void)
{
	uint64_t before[HART_MAX], end;
	unsigned ticks = 0;

	task_set_mask(task_current(), BIT(0));
	task_sleep_until(after_us(50000)); /* what was programmed and is needed no more has fired */
	for (unsigned h = 0; h < hart_count(); h++)
		before[h] = timer_ticks(h);
	end = after_us(ALONE_US);
	while (time_now() < end)
		;
	for (unsigned h = 0; h < hart_count(); h++)
		ticks += (unsigned)(timer_ticks(h) - before[h]);
	if (ticks)
		say("%u ticks\n", ticks);
	check(ticks == 0, "no tick while one task runs");
	task_set_mask(task_current(), 0);
}

/* --- under load --- */

static struct task *start_one(void (*entry)(void *), void *arg, uint64_t mask)
{
	struct task_attr attr = { .hart_mask = mask };
	struct task *t = task_create("load", entry, arg, &attr);

	failed |= t == NULL;
	return t;
}

static unsigned start_load(struct task **tasks)
{
	unsigned n = 0;

	for (unsigned i = 0; i < WORKERS; i++)
		tasks[n++] = start_one(work, &worked[i], i % 2 ? BIT(i % hart_count()) : 0);
	for (unsigned i = 0; i < CALLERS; i++)
		tasks[n++] = start_one(call_around, NULL, 0);
	tasks[n++] = start_one(sleep_often, NULL, 0);
	return n;
}

static void end_load(struct task **tasks, unsigned n)
{
	__atomic_store_n(&over, true, __ATOMIC_RELEASE);
	for (unsigned i = 0; i < n; i++)
		if (tasks[i])
			task_join(tasks[i]);
}

/* @return whether the hart went, was not to be reached, came back, and is reached. */
static bool cycle(unsigned hart)
{
	unsigned where = ~0u;
	bool good;

	if (smp_offline(hart))
		return false;
	good = smp_offline(hart) == -EALREADY && smp_call(hart, here, &where) == -ENODEV && where == ~0u;
	task_sleep_until(after_us(500));
	if (smp_online(hart))
		return false;
	return good && smp_call(hart, here, &where) == 0 && where == hart;
}

static void all_harts_go_and_come(void)
{
	unsigned good = 0;

	for (unsigned round = 0; round < ROUNDS && hart_count() > 1; round++)
		for (unsigned h = 0; h < hart_count(); h++)
			good += cycle(h);
	check(hart_count() == 1 || good == ROUNDS * hart_count(), "every hart went and came back");
}

/* All but one at the same time; that one must stay. */
static void one_hart_is_enough(void)
{
	unsigned last = hart_count() - 1;
	bool good = true;

	for (unsigned h = 0; h < last; h++)
		good &= smp_offline(h) == 0;
	good &= count_online() == 1 && smp_offline(last) == -EBUSY;
	task_sleep_until(after_us(hart_count() == 1 ? 200000 : 2000));
	for (unsigned h = 0; h < last; h++)
		good &= smp_online(h) == 0;
	check(good && count_online() == hart_count(), "one hart did it all, then the others came back");
}

static void load_made_progress(void)
{
	bool good = slept > 0 && given > 0;

	for (unsigned i = 0; i < WORKERS; i++)
		good &= worked[i] > 0;
	check(good, "all tasks got on");
	check(given == run, "no call was lost");
}

int main(void)
{
	struct task *tasks[WORKERS + CALLERS + 1];
	unsigned n;

	idle_harts_take_work();
	calls_keep_their_order();
	running_hart_is_not_started();
	wrong_numbers();
	no_tick_for_one_task();
	n = start_load(tasks);
	all_harts_go_and_come();
	one_hart_is_enough();
	end_load(tasks, n);
	load_made_progress();
	say("harts: %s\n", failed ? "FAILED" : "done");
	return failed;
}
