/*
 * Fairness, measured: tasks that only compute, with the nice values of the arguments, and the share of
 * the machine that each got beside the share of its weight. The first argument says for how many
 * milliseconds; the second whether the tasks are "free" or a set is "bound" to each hart.
 */
#include <caisson/hart.h>
#include <caisson/init.h>
#include <caisson/print.h>
#include <caisson/task.h>
#include <caisson/time.h>
#include <stdlib.h>
#include <string.h>

#define TASKS_MAX 64

struct runner {
	struct task *task;
	int nice;
	uint64_t weight;
	uint64_t ran; /* ticks */
};

static struct runner runners[TASKS_MAX];
static unsigned n_runners;
static bool over;

static void compute(void *arg)
{
	(void)arg;
	while (!__atomic_load_n(&over, __ATOMIC_RELAXED))
		;
}

static bool add(int nice, uint64_t mask)
{
	const struct task_attr attr = { .hart_mask = mask, .nice = nice, .suspended = true };
	struct runner *r = &runners[n_runners];

	if (n_runners == TASKS_MAX)
		return false;
	r->nice = nice;
	r->task = task_create("runner", compute, NULL, &attr);
	n_runners += r->task != NULL;
	return r->task;
}

/* A set of tasks for each hart. @return false: a nice value is none, or there is no room. */
static bool make_sets(bool bound)
{
	char word[8];

	for (unsigned h = 0; h < hart_count(); h++)
		for (unsigned i = 2; app_arg(i, word, sizeof(word)) >= 0; i++)
			if (!add((int)strtol(word, NULL, 10), bound ? BIT(h) : 0))
				return false;
	return n_runners > 0;
}

/* What it takes them to see that it is over is nobody's share. Where nice has no effect, all weigh the same. */
static void measure(uint64_t ms)
{
	for (unsigned i = 0; i < n_runners; i++)
		task_wake(runners[i].task);
	task_sleep_until(time_now() + time_from_us(ms * 1000));
	for (unsigned i = 0; i < n_runners; i++)
		runners[i].ran = task_run_time(runners[i].task);
	__atomic_store_n(&over, true, __ATOMIC_RELAXED);
	for (unsigned i = 0; i < n_runners; i++) {
		runners[i].weight = runners[i].task->weight ? runners[i].task->weight : 1;
		task_join(runners[i].task);
	}
}

/* The set's i-th task has copies at i, i + size, i + 2 size, ... In thousandths of a hart. */
static void show(unsigned i, unsigned size, uint64_t weight_sum, uint64_t sum)
{
	uint64_t wanted = runners[i].weight * 1000 * hart_count() / weight_sum, least = UINT64_MAX, most = 0;

	for (unsigned n = i; n < n_runners; n += size) {
		uint64_t got = runners[n].ran * 1000 * hart_count() / sum;

		least = MIN(least, got);
		most = MAX(most, got);
	}
	print("%s, %u harts, nice %3d: by weight %3lu.%lu %%, got %3lu.%lu to %3lu.%lu %% of a hart\n",
	      sched_class_name(), hart_count(), runners[i].nice, (unsigned long)(wanted / 10),
	      (unsigned long)(wanted % 10), (unsigned long)(least / 10), (unsigned long)(least % 10),
	      (unsigned long)(most / 10), (unsigned long)(most % 10));
}

int main(void)
{
	uint64_t weight_sum = 0, sum = 0;
	char how[8] = "";

	app_arg(1, how, sizeof(how));
	if (!make_sets(strcmp(how, "bound") == 0)) {
		print("usage: fairness MILLISECONDS free|bound NICE...\n");
		return 2;
	}
	measure(app_arg_number(0, 1000));
	for (unsigned i = 0; i < n_runners; i++) {
		weight_sum += runners[i].weight;
		sum += runners[i].ran;
	}
	for (unsigned i = 0; i < n_runners / hart_count(); i++)
		show(i, n_runners / hart_count(), weight_sum, sum);
	return 0;
}
