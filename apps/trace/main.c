/*
 * Three schedulers, three traces: A, B and C compute, d sleeps and wakes, and each leaves its letter
 * after every step. Under FIFO nobody is interrupted; under RR each has the hart for 10 ms and d waits
 * for its turn; under CFS A has the larger share, by its nice value, and d runs as soon as it wakes.
 */
#include <caisson/init.h>
#include <caisson/print.h>
#include <caisson/task.h>
#include <caisson/time.h>

#define STEPS 8
#define STEP_US 3000
#define NAPS 6
#define NAP_US 8000

static char trace[3 * STEPS + NAPS + 1];
static unsigned length;
static unsigned long rounds_of_a_step;

static void note(char letter)
{
	trace[__atomic_fetch_add(&length, 1, __ATOMIC_RELAXED)] = letter;
}

static void go_round(unsigned long n)
{
	for (volatile unsigned long i = 0; i < n; i++)
		;
}

static void calibrate(void)
{
	const unsigned long rounds = 100000;
	uint64_t start = time_now();

	go_round(rounds);
	rounds_of_a_step = rounds * time_from_us(STEP_US) / (time_now() - start);
}

static void compute(void *name)
{
	for (unsigned i = 0; i < STEPS; i++) {
		go_round(rounds_of_a_step);
		note(*(const char *)name);
	}
}

static void nap(void *name)
{
	uint64_t now = time_now();

	for (unsigned i = 1; i <= NAPS; i++) {
		task_sleep_until(now + i * time_from_us(NAP_US));
		note(*(const char *)name);
	}
}

int main(void)
{
	static char names[] = "ABCd";
	struct task *tasks[4];

	calibrate();
	for (unsigned i = 0; i < 4; i++) {
		const struct task_attr attr = { .nice = i == 0 ? -3 : 0 };

		tasks[i] = task_create("traced", i < 3 ? compute : nap, &names[i], &attr);
		if (!tasks[i])
			return 1;
	}
	for (unsigned i = 0; i < 4; i++)
		task_join(tasks[i]);
	print("%s: %s\n", sched_class_name(), trace);
	return 0;
}
