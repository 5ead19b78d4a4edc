/*
 * A stack that overflows: the page below a task's stack is not mapped, so that the task
 * is stopped and named before it writes over anything else.
 */
#include <caisson/init.h>
#include <caisson/print.h>
#include <caisson/task.h>

static unsigned long descend(volatile unsigned long depth)
{
	volatile char room[256];

	room[0] = (char)depth;
	return depth == 0 ? 0 : descend(depth - 1) + (unsigned long)room[0];
}

static void dive(void *arg)
{
	(void)arg;
	print("down 10: %lu\n", descend(10));
	print("down a million: %lu\n", descend(1000000));
}

int main(void)
{
	struct task *t = task_create("diver", dive, NULL, NULL);

	return t ? task_join(t) : 1;
}
