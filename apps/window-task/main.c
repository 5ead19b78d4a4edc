/*
 * A device read through a window by another task: main maps the flash memory, a task
 * adds up its first bytes, and main takes the sum as the task's exit status.
 */
#include <caisson/dt.h>
#include <caisson/init.h>
#include <caisson/kspace.h>
#include <caisson/print.h>
#include <caisson/task.h>

#define BANK 1
#define BYTES 16

static void add_up(void *window)
{
	const volatile unsigned char *flash = window;
	int sum = 0;

	for (unsigned i = 0; i < BYTES; i++)
		sum += flash[i];
	print("the task reads '%c%c%c'\n", flash[0], flash[1], flash[2]);
	task_exit(sum);
}

int main(void)
{
	const void *fdt = dt_blob();
	int node = fdt_node_offset_by_compatible(fdt, -1, "cfi-flash");
	uint64_t base, size;
	struct task *t;
	void *window;

	if (node < 0 || dt_reg(fdt, node, BANK, &base, &size))
		return 1;
	window = io_map(HPA(base), size);
	t = window ? task_create("reader", add_up, window, NULL) : NULL;
	if (!t)
		return 1;
	print("sum of the first %u bytes: %d\n", BYTES, task_join(t));
	return 0;
}
