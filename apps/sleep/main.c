/*
 * Sleeping: tasks wake in the order of their deadlines and on time, and the timer interrupts
 * only for them: there is no tick. With an argument: sleep so many milliseconds first.
 */
#include <caisson/init.h>
#include <caisson/print.h>
#include <caisson/task.h>
#include <caisson/time.h>

#define LATE_US 50 /* a wake-up costs a few hundred instructions */

static const unsigned wishes_ms[] = { 30, 10, 50, 20, 40 };
static uint64_t start;
static unsigned punctual;

static uint64_t ms_later(uint64_t from, uint64_t ms)
{
	return from + time_from_us(ms * 1000);
}

static void sleep_once(void *wish)
{
	unsigned ms = *(const unsigned *)wish;
	uint64_t deadline = ms_later(start, ms);
	uint64_t now;

	task_sleep_until(deadline);
	now = time_now();
	punctual += now >= deadline && now - deadline <= time_from_us(LATE_US);
	print("awake after %u ms\n", ms);
}

static bool all_sleep(void)
{
	struct task *tasks[ARRAY_SIZE(wishes_ms)];

	start = time_now();
	for (unsigned i = 0; i < ARRAY_SIZE(tasks); i++) {
		tasks[i] = task_create("sleeper", sleep_once, (void *)(uintptr_t)&wishes_ms[i], NULL);
		if (!tasks[i])
			return false;
	}
	for (unsigned i = 0; i < ARRAY_SIZE(tasks); i++)
		task_join(tasks[i]);
	return true;
}

static void compute_until(uint64_t end)
{
	while (time_now() < end)
		;
}

int main(void)
{
	uint64_t ticks;

	task_sleep_until(ms_later(time_now(), app_arg_number(0, 0)));
	ticks = timer_ticks(0);
	if (!all_sleep())
		return 1;
	print("%u of %zu on time, %lu timer interrupts\n", punctual, ARRAY_SIZE(wishes_ms),
	      (unsigned long)(timer_ticks(0) - ticks));
	task_sleep_until(ms_later(time_now(), 20)); /* the end of a slice that was set and is needed no more passes */
	ticks = timer_ticks(0);
	compute_until(ms_later(time_now(), 100));
	print("100 ms alone, %lu timer interrupts\n", (unsigned long)(timer_ticks(0) - ticks));
	return 0;
}
