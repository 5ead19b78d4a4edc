/* A parallel sum: eight tasks add up a part of the numbers each; main joins them and adds what they return. */
#include <caisson/init.h>
#include <caisson/print.h>
#include <caisson/task.h>

#define TASKS 8
#define NUMBERS 40000 /* 1, 2, 3, ...; a multiple of TASKS */

static unsigned numbers[NUMBERS];

static void add_part(void *arg)
{
	const unsigned *part = arg;
	unsigned sum = 0;

	for (unsigned i = 0; i < NUMBERS / TASKS; i++)
		sum += part[i];
	task_exit((int)sum);
}

int main(void)
{
	struct task *tasks[TASKS];
	unsigned sum = 0;

	for (unsigned i = 0; i < NUMBERS; i++)
		numbers[i] = i + 1;
	for (unsigned i = 0; i < TASKS; i++) {
		tasks[i] = task_create("adder", add_part, &numbers[i * (NUMBERS / TASKS)], NULL);
		if (!tasks[i])
			return 1;
	}
	for (unsigned i = 0; i < TASKS; i++) {
		int part = task_join(tasks[i]);

		print("part %u: %d\n", i, part);
		sum += (unsigned)part;
	}
	print("sum: %u\n", sum);
	return 0;
}
