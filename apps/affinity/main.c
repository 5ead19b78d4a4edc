/*
 * Affinity: where tasks may run. One that is limited to a hart never runs elsewhere, two harts
 * in the mask are both used, and a new mask moves a task that waits as well as one that runs.
 * Wants four harts.
 */
#include <caisson/hart.h>
#include <caisson/init.h>
#include <caisson/print.h>
#include <caisson/task.h>
#include <caisson/time.h>

#define WAKES 100

static bool over;

static uint64_t after_us(uint64_t us)
{
	return time_now() + time_from_us(us);
}

/* The hart that this task runs on, as a mask. Wrong as soon as it is told, unless the task is bound to one. */
static uint64_t here(void)
{
	return BIT(this_hart()->index);
}

static void sleep_often(void *seen)
{
	for (unsigned i = 0; i < WAKES; i++) {
		*(uint64_t *)seen |= here();
		task_sleep_until(after_us(50));
	}
}

static void compute(void *seen)
{
	for (uint64_t end = after_us(30000); time_now() < end;)
		*(uint64_t *)seen |= here();
}

static void compute_on(void *seen)
{
	while (!__atomic_load_n(&over, __ATOMIC_ACQUIRE))
		__atomic_store_n((uint64_t *)seen, here(), __ATOMIC_RELEASE);
}

/* @return the harts that n tasks of this mask ran on. */
static uint64_t harts_used(void (*entry)(void *), uint64_t mask, unsigned n)
{
	const struct task_attr attr = { .hart_mask = mask };
	struct task *tasks[4];
	uint64_t seen[4] = { 0 }, used = 0;

	for (unsigned i = 0; i < n; i++)
		tasks[i] = task_create("bound", entry, &seen[i], &attr);
	for (unsigned i = 0; i < n; i++)
		if (tasks[i])
			task_join(tasks[i]);
	for (unsigned i = 0; i < n; i++)
		used |= seen[i];
	return used;
}

/* Give main one hart after the other. @return whether it was there each time. */
static bool move_myself(void)
{
	bool good = true;

	for (unsigned h = 0; h < hart_count(); h++) {
		task_set_mask(task_current(), BIT(h));
		good &= here() == BIT(h);
	}
	task_set_mask(task_current(), 0);
	return good;
}

static bool move_a_running_one(void)
{
	const struct task_attr attr = { .hart_mask = BIT(1) };
	uint64_t seen = 0, end = after_us(2000000);
	struct task *t = task_create("mover", compute_on, &seen, &attr);
	bool moved;

	if (!t)
		return false;
	task_set_mask(task_current(), BIT(0)); /* not on the way: under FIFO nobody would take us the hart */
	task_sleep_until(after_us(1000));
	task_set_mask(t, BIT(3));
	do
		moved = __atomic_load_n(&seen, __ATOMIC_ACQUIRE) == BIT(3);
	while (!moved && time_now() < end);
	__atomic_store_n(&over, true, __ATOMIC_RELEASE);
	task_join(t);
	return moved;
}

int main(void)
{
	if (hart_count() < 4) {
		print("four harts are wanted (--harts 4)\n");
		return 1;
	}
	print("limited to hart 2, sleeping often: ran on %lx\n", (unsigned long)harts_used(sleep_often, BIT(2), 3));
	print("limited to hart 2, computing: ran on %lx\n", (unsigned long)harts_used(compute, BIT(2), 2));
	print("limited to harts 1 and 3: ran on %lx\n", (unsigned long)harts_used(compute, BIT(1) | BIT(3), 4));
	print("main goes around: %s\n", move_myself() ? "yes" : "no");
	print("a running task moves: %s\n", move_a_running_one() ? "yes" : "no");
	return 0;
}
