/* core/task/cfs.c against a model: every runnable task gets its share of the hart in every instant. */
// sources: core/task/sched.c core/task/place.c core/task/cfs.c core/lib/rbtree.c core/task/task.c core/task/waitq.c core/task/gc.c core/time/time.c core/time/timer.c core/irq/irq.c core/smp/call.c core/smp/alone.c core/smp/power.c
#include <math.h>

#include <tasks.h>

#define MOST 8
#define TOLERANCE 0.10

/* What a task does: compute for so long, sleep for so long, again and again. No sleep: it always computes. */
struct job {
	int nice;
	double burst, pause;       /* ticks */
	/* the model */
	double left, wakes_at, got;
	/* the real thing */
	struct task *task;
	uint64_t last_seen, longest_wait;
};

static struct job jobs[MOST];
static unsigned n_jobs;
static bool stop;

/* --- the model: of each small step a runnable task gets its weight's part --- */

static double weight(int nice)
{
	return 1024 / pow(1.25, nice);
}

static void model_step(double now, double step)
{
	double sum = 0;

	for (unsigned i = 0; i < n_jobs; i++)
		if (now >= jobs[i].wakes_at)
			sum += weight(jobs[i].nice);
	for (unsigned i = 0; i < n_jobs; i++) {
		struct job *j = &jobs[i];
		double part = step * weight(j->nice) / sum;

		if (now < j->wakes_at)
			continue;
		j->got += part;
		j->left -= part;
		if (j->pause && j->left <= 0) {
			j->left += j->burst;
			j->wakes_at = now + step + j->pause;
		}
	}
}

static void model_run(double from, double to)
{
	for (double now = from; now < to; now += MACHINE_STEP)
		model_step(now, MACHINE_STEP);
}

/* --- the real thing, on hart 1 --- */

static uint64_t ran(const struct task *t)
{
	return t->run_time + (t->on_hart ? time_now() - t->switched_in_at : 0);
}

static void works(void *arg)
{
	const struct job *j = arg;

	while (!stop) {
		uint64_t end = ran(task_current()) + (uint64_t)j->burst;

		while (!stop && ran(task_current()) < end)
			machine_busy(MACHINE_STEP);
		if (j->pause && !stop)
			task_sleep_until(time_now() + (uint64_t)j->pause);
	}
}

static void start_jobs(void)
{
	stop = false;
	for (unsigned i = 0; i < n_jobs; i++) {
		struct job *j = &jobs[i];

		j->left = j->burst;
		j->got = 0;
		j->wakes_at = 0;
		j->task = spawn_nice(works, j, BIT(1), j->nice);
	}
}

static void end_jobs(void)
{
	stop = true;
	for (unsigned i = 0; i < n_jobs; i++)
		task_join(jobs[i].task);
}

/* @return the largest deviation, as a part of what the model gives. */
static double worst_deviation(void)
{
	double worst = 0;

	for (unsigned i = 0; i < n_jobs; i++) {
		double off = fabs((double)ran(jobs[i].task) / jobs[i].got - 1);

		if (off > TOLERANCE)
			print_message("job %u of %u: nice %d, %.0f/%.0f ms: has %.1f ms, model %.1f ms\n", i, n_jobs,
				      jobs[i].nice, jobs[i].burst / MS, jobs[i].pause / MS,
				      (double)ran(jobs[i].task) / MS, jobs[i].got / MS);
		worst = fmax(worst, off);
	}
	return worst;
}

static void run_for(uint64_t ticks)
{
	uint64_t start = time_now();

	task_sleep_until(start + ticks);
	model_run((double)start, (double)(start + ticks));
}

static void random_jobs(uint64_t *seed, int nice_span, bool sleepers)
{
	n_jobs = 2 + (unsigned)(mock_random(seed) % (MOST - 1));
	for (unsigned i = 0; i < n_jobs; i++) {
		struct job *j = &jobs[i];

		j->nice = (int)(mock_random(seed) % (unsigned)(2 * nice_span + 1)) - nice_span;
		/* Long enough that a sleeper's credit (10 ms of virtual time) counts for little. */
		j->burst = (double)(400 + mock_random(seed) % 400) * MS;
		j->pause = sleepers && mock_random(seed) % 2 ? (double)(400 + mock_random(seed) % 1600) * MS : 0;
	}
}

static void T3_shares_are_as_the_weights(void **state)
{
	uint64_t seed = 1;

	(void)state;
	for (unsigned round = 0; round < 12; round++) {
		random_jobs(&seed, round < 6 ? 5 : 10, false);
		start_jobs();
		run_for(60000 * MS);
		assert_true(worst_deviation() <= TOLERANCE);
		end_jobs();
	}
}

static void T3_shares_of_tasks_that_sleep(void **state)
{
	uint64_t seed = 2;

	(void)state;
	for (unsigned round = 0; round < 12; round++) {
		random_jobs(&seed, 5, true);
		start_jobs();
		run_for(60000 * MS);
		assert_true(worst_deviation() <= TOLERANCE);
		end_jobs();
	}
}

static void T3_shares_follow_changes_of_nice(void **state)
{
	uint64_t seed = 3;

	(void)state;
	for (unsigned round = 0; round < 6; round++) {
		random_jobs(&seed, 5, false);
		start_jobs();
		for (unsigned i = 0; i < 40; i++) {
			struct job *j = &jobs[mock_random(&seed) % n_jobs];

			run_for(2000 * MS);
			j->nice = (int)(mock_random(&seed) % 11) - 5;
			assert_int_equal(task_set_nice(j->task, j->nice), 0);
		}
		assert_true(worst_deviation() <= TOLERANCE);
		end_jobs();
	}
}

/* Who waits longest: everybody has a turn in a period, but a light task waits as long as its share demands. */
static void watch_waits(uint64_t ticks)
{
	uint64_t end = time_now() + ticks;

	for (unsigned i = 0; i < n_jobs; i++)
		jobs[i].last_seen = time_now();
	while (time_now() < end) {
		machine_busy(MACHINE_STEP);
		for (unsigned i = 0; i < n_jobs; i++) {
			struct job *j = &jobs[i];

			j->longest_wait = MAX(j->longest_wait, time_now() - j->last_seen);
			if (harts[1].current == j->task)
				j->last_seen = time_now();
		}
	}
}

static void T3_nobody_starves(void **state)
{
	uint64_t seed = 4;

	(void)state;
	for (unsigned round = 0; round < 10; round++) {
		double sum = 0;

		random_jobs(&seed, 19, false);
		for (unsigned i = 0; i < n_jobs; i++) {
			jobs[i].longest_wait = 0;
			sum += weight(jobs[i].nice);
		}
		start_jobs();
		machine_busy(2000 * MS); /* the first one's first slice was for a hart with few tasks */
		watch_waits(20000 * MS);
		for (unsigned i = 0; i < n_jobs; i++) {
			/* A stretch of 2 ms at least, whose price the others then run; and a round of theirs. */
			double most = 2 * (2 * MS * sum / weight(jobs[i].nice) + 20 * MS);

			assert_true((double)jobs[i].longest_wait <= most);
		}
		end_jobs();
	}
}

static int start(void **state)
{
	(void)state;
	machine_start(2);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(T3_shares_are_as_the_weights, tasks_fresh),
		cmocka_unit_test_setup(T3_shares_of_tasks_that_sleep, tasks_fresh),
		cmocka_unit_test_setup(T3_shares_follow_changes_of_nice, tasks_fresh),
		cmocka_unit_test_setup(T3_nobody_starves, tasks_fresh),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
