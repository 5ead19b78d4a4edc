/*
 * A heart beat: one task computes without end, the other sleeps and prints a line at each beat. The
 * arguments: milliseconds between beats (1000), and how many there are (0: for ever).
 */
#include <caisson/init.h>
#include <caisson/print.h>
#include <caisson/task.h>
#include <caisson/time.h>

static unsigned long rounds; /* atomic */

static void compute(void *arg)
{
	(void)arg;
	for (;;) {
		__atomic_add_fetch(&rounds, 1, __ATOMIC_RELAXED);
		task_yield();
	}
}

/* On one hart the other task works whenever this one sleeps; a beat in which it did not is told. */
static void beat(unsigned long n, unsigned long *before)
{
	unsigned long now = __atomic_load_n(&rounds, __ATOMIC_RELAXED);

	print("beat %lu%s\n", n, now == *before ? ", and nothing was done" : "");
	*before = now;
}

int main(void)
{
	static const struct task_attr attr = { .detached = true };
	uint64_t period = time_from_us(app_arg_number(0, 1000) * 1000), beats = app_arg_number(1, 0);
	uint64_t deadline = time_now();
	unsigned long before = 0;

	if (!task_create("compute", compute, NULL, &attr))
		return 1;
	for (uint64_t n = 1; n <= beats || beats == 0; n++) {
		deadline += period;
		task_sleep_until(deadline);
		beat((unsigned long)n, &before);
	}
	return 0;
}
