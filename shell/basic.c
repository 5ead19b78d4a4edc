/* Commands about the kernel itself: help, version, log, hart, task, mem. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <caisson/hart.h>
#include <caisson/log.h>
#include <caisson/mm.h>
#include <caisson/task.h>
#include <caisson/time.h>
#include <shell/shell.h>

#define TASKS_SHOWN 64
#ifdef CONFIG_DEBUG
#define BUILD_KIND ", debug build"
#else
#define BUILD_KIND ""
#endif

static int do_help(int argc, char **argv)
{
	unsigned n;
	const struct shell_command *table = shell_commands(&n);

	return argc > 2 ? -EINVAL : shell_help(table, n, "", argc == 2 ? argv[1] : NULL);
}

SHELL_COMMAND(help) = { "help", "[COMMAND]", "what commands there are, or how to use one", do_help };

static int do_version(int argc, char **argv)
{
	(void)argv;
	if (argc != 1)
		return -EINVAL;
	shell_printf("Caisson %s, up to %u harts%s\n", CONFIG_VERSION, (unsigned)HART_MAX, BUILD_KIND);
	return 0;
}

SHELL_COMMAND(version) = { "version", "", "version of Caisson", do_version };

static int do_log(int argc, char **argv)
{
	enum log_level level;

	if (argc > 2 || (argc == 2 && log_parse_level(argv[1], &level)))
		return -EINVAL;
	if (argc == 2)
		log_set_level(level);
	shell_printf("log level: %s\n", log_level_name(log_level));
	return 0;
}

SHELL_COMMAND(log) = { "log", "[error|warn|info|debug|trace]", "show or set the log level", do_log };

static int do_hart(int argc, char **argv)
{
	uint64_t now = time_now();

	(void)argv;
	if (argc != 1)
		return -EINVAL;
	shell_printf("hart  id  state    idle  timer interrupts\n");
	for (unsigned i = 0; i < hart_count(); i++) {
		unsigned idle = now ? (unsigned)(sched_idle_time(i) * 100 / now) : 0;

		shell_printf("%4u %3lu  %-7s %3u%%  %lu\n", i, (unsigned long)harts[i].hwid,
			     harts[i].online ? "online" : "offline", idle, (unsigned long)timer_ticks(i));
	}
	return 0;
}

SHELL_COMMAND(hart) = { "hart", "", "harts: state, share of time idle, timer interrupts", do_hart };

/* Copied while the list is locked, printed afterwards. */
struct task_row {
	unsigned id, hart;
	enum task_state state;
	uint64_t run_time;
	char name[sizeof(((struct task *)NULL)->name)];
};

static struct {
	struct task_row rows[TASKS_SHOWN];
	unsigned n, missed;
} tasks;

static void copy_task(const struct task *t, void *arg)
{
	struct task_row *row = &tasks.rows[tasks.n];

	(void)arg;
	if (tasks.n == TASKS_SHOWN) {
		tasks.missed++;
		return;
	}
	*row = (struct task_row){ .id = t->id, .hart = t->hart, .state = t->state, .run_time = t->run_time };
	if (t->state == TASK_RUNNING)
		row->run_time += time_now() - t->switched_in_at;
	memcpy(row->name, t->name, sizeof(row->name));
	tasks.n++;
}

static void print_task(const struct task_row *row)
{
	static const char *const states[] = {
		[TASK_READY] = "ready", [TASK_RUNNING] = "running",
		[TASK_BLOCKED] = "blocked", [TASK_EXITED] = "exited",
	};
	uint64_t ms = time_to_ns(row->run_time) / 1000000;

	shell_printf("%4u  %-23s  %-7s %4u %7lu.%03lu s\n", row->id, row->name, states[row->state], row->hart,
		     (unsigned long)(ms / 1000), (unsigned long)(ms % 1000));
}

static int do_task(int argc, char **argv)
{
	(void)argv;
	if (argc != 1)
		return -EINVAL;
	tasks.n = tasks.missed = 0;
	task_for_each(copy_task, NULL);
	shell_printf("  id  name                     state   hart       run time\n");
	for (unsigned i = 0; i < tasks.n; i++)
		print_task(&tasks.rows[i]);
	if (tasks.missed)
		shell_printf("and %u more\n", tasks.missed);
	return 0;
}

SHELL_COMMAND(task) = { "task", "", "tasks: state, hart, run time", do_task };

static int do_mem(int argc, char **argv)
{
	uint64_t free = frame_free_count(), total = frame_total_count();

	(void)argv;
	if (argc != 1)
		return -EINVAL;
	shell_printf("frames: %lu of %lu KiB free\nheap:   %lu bytes in use\n", (unsigned long)(free * 4),
		     (unsigned long)(total * 4), (unsigned long)heap_in_use());
	return 0;
}

SHELL_COMMAND(mem) = { "mem", "", "memory: free frames, heap in use", do_mem };
