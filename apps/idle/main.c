/*
 * The tasks that are always there: idle runs when everybody waits, and gc gives back what
 * ended tasks had. Ten thousand tasks come and go, and no memory with them.
 */
#include <caisson/init.h>
#include <caisson/mm.h>
#include <caisson/print.h>
#include <caisson/task.h>
#include <caisson/time.h>

#define TASKS 10000
#define AT_ONCE 20
#define WARM_UP 500

static unsigned ended;

static void sleep_ms(uint64_t ms)
{
	task_sleep_until(time_now() + time_from_us(ms * 1000));
}

static void show_name(const struct task *t, void *arg)
{
	(void)arg;
	print("task %s\n", t->name);
}

static void idle_runs(void)
{
	uint64_t idle = sched_idle_time(0), start = time_now();

	sleep_ms(50);
	idle = sched_idle_time(0) - idle;
	print("all asleep: idle runs %s of the time\n", idle * 100 / (time_now() - start) >= 99 ? "99 %" : "less");
}

static void end_at_once(void *arg)
{
	(void)arg;
	ended++;
}

static bool spawn(unsigned n)
{
	static const struct task_attr attr = { .detached = true };

	for (unsigned i = 0; i < n; i++)
		if (!task_create("brief", end_at_once, NULL, &attr))
			return false;
	sleep_ms(1); /* they run and end, and gc runs */
	return true;
}

static bool spawn_all(unsigned n)
{
	for (ended = 0; ended < n;)
		if (!spawn(AT_ONCE))
			return false;
	return true;
}

static bool many_come_and_go(void)
{
	uint64_t frames;
	size_t heap;

	/* Stacks are kept for the next tasks, and a debug build keeps freed memory for a while. */
	if (!spawn_all(WARM_UP))
		return false;
	frames = frame_free_count();
	heap = heap_in_use();
	if (!spawn_all(TASKS))
		return false;
	print("%u tasks ended; frames: %+ld, heap: %+ld bytes\n", ended, (long)(frame_free_count() - frames),
	      (long)(heap_in_use() - heap));
	return true;
}

int main(void)
{
	task_for_each(show_name, NULL);
	idle_runs();
	return !many_come_and_go();
}
