/*
 * Turns: three tasks give way after every step. Under FIFO and RR each has its turn before one has a
 * second; under CFS who gives way goes behind the one with the least virtual run time, no further.
 */
#include <caisson/init.h>
#include <caisson/print.h>
#include <caisson/task.h>

#define STEPS 4

static void take_turns(void *name)
{
	for (unsigned step = 1; step <= STEPS; step++) {
		print("%s %u\n", (const char *)name, step);
		task_yield();
	}
}

int main(void)
{
	static const char *const names[] = { "anna", "bert", "cleo" };
	struct task *tasks[ARRAY_SIZE(names)];

	for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
		tasks[i] = task_create(names[i], take_turns, (void *)(uintptr_t)names[i], NULL);
		if (!tasks[i])
			return 1;
	}
	for (unsigned i = 0; i < ARRAY_SIZE(names); i++)
		task_join(tasks[i]);
	return 0;
}
