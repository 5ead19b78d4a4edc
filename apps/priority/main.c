/*
 * Priority: under CFS tasks share a hart by the weights of their nice values, within 10 %. One that
 * slept meanwhile neither makes up for it at the cost of the others nor is left behind.
 */
#include <caisson/init.h>
#include <caisson/print.h>
#include <caisson/task.h>
#include <caisson/time.h>

#define PERIOD_MS 1000

static bool over;

static uint64_t after_ms(uint64_t ms)
{
	return time_now() + time_from_us(ms * 1000);
}

static void compute(void *arg)
{
	(void)arg;
	while (!__atomic_load_n(&over, __ATOMIC_RELAXED))
		;
}

static void sleep_then_compute(void *deadline)
{
	task_sleep_until(*(uint64_t *)deadline);
	compute(NULL);
}

static struct task *start(void (*entry)(void *), void *arg, int nice)
{
	struct task *t = task_create("share", entry, arg, &(struct task_attr){ .nice = nice });

	if (!t)
		print("no memory\n");
	return t;
}

static void stop(struct task **tasks, unsigned n)
{
	__atomic_store_n(&over, true, __ATOMIC_RELAXED);
	for (unsigned i = 0; i < n; i++)
		if (tasks[i])
			task_join(tasks[i]);
	__atomic_store_n(&over, false, __ATOMIC_RELAXED);
}

/* @return whether a value is within 10 % of what it should be. */
static bool near(uint64_t value, uint64_t wanted)
{
	return value * 10 >= wanted * 9 && value * 10 <= wanted * 11;
}

static void shares_follow_nice(void)
{
	static const int nice[] = { -5, 0, 5 };
	static const unsigned weight[] = { 3121, 1024, 335 }; /* Linux's */
	const unsigned all = 3121 + 1024 + 335;
	struct task *tasks[3];
	uint64_t ran[3], sum = 0;

	for (unsigned i = 0; i < 3; i++)
		tasks[i] = start(compute, NULL, nice[i]);
	task_sleep_until(after_ms(PERIOD_MS));
	for (unsigned i = 0; i < 3; i++)
		sum += ran[i] = tasks[i] ? tasks[i]->run_time : 0; /* we have the one hart, so they stand still */
	stop(tasks, 3);
	for (unsigned i = 0; i < 3; i++)
		print("nice %d: %lu %% of the time, by weight %u %%: %s\n", nice[i],
		      (unsigned long)((ran[i] * 100 + sum / 2) / sum), (weight[i] * 100 + all / 2) / all,
		      near(ran[i] * all, sum * weight[i]) ? "near" : "NOT NEAR");
}

static void sleeper_gets_its_share(void)
{
	uint64_t deadline = after_ms(200);
	struct task *tasks[2] = { start(compute, NULL, 0), start(sleep_then_compute, &deadline, 0) };
	uint64_t ran[2] = { 0 };

	task_sleep_until(deadline);
	task_sleep_until(after_ms(10)); /* now it has been woken */
	for (unsigned i = 0; i < 2 && tasks[i]; i++)
		ran[i] = tasks[i]->run_time;
	task_sleep_until(after_ms(200));
	for (unsigned i = 0; i < 2 && tasks[i]; i++)
		ran[i] = tasks[i]->run_time - ran[i];
	stop(tasks, 2);
	print("after a sleep, half of the time for each: %s\n", near(ran[1], ran[0]) ? "yes" : "no");
}

int main(void)
{
	shares_follow_nice();
	sleeper_gets_its_share();
	return 0;
}
