/* Processes: making, starting, ending. */
#include <errno.h>

#include <arch/layout.h>
#include <caisson/kspace.h>
#include <caisson/log.h>
#include <caisson/mm.h>

#include "run.h"
#include "thread.h"
#include "tty.h"

#define LOG_NAME "process"

int process_init(void)
{
	uint64_t *tables = &kernel_space.tables;
	int error = pt_keep_tables(kernel_space.format, kernel_space.root, KSTACK_BASE, KSTACK_SIZE, tables);

	if (!error)
		error = pt_keep_tables(kernel_space.format, kernel_space.root, IO_BASE, IO_SIZE, tables);
	mm_init();
	if (!error)
		error = aspace_user_init();
	limits_init();
	if (!error)
		error = signal_init();
	if (!error)
		error = process_start_reaper();
	if (IS_ENABLED(CONFIG_DEBUG_HEAP))
		heap_leak_mark(); /* what was made here stays for good */
	return error;
}

/* --- making --- */

static int open_console(struct fd_table *files)
{
	int error = 0;

	for (unsigned fd = 0; fd < 3 && !error; fd++) {
		struct open_file *console;

		error = console_open(O_RDWR, fd == 2, &console);
		if (error)
			break;
		error = fd_place(files, fd, console, false);
		if (error)
			open_file_put(console);
	}
	return error;
}

/* A process with nothing to run. */
static struct process *new_process(const char *path)
{
	struct process *p = process_new(path);

	if (!p)
		return NULL;
	p->files = fd_table_new();
	p->signals = signal_table_new();
	if (p->files && p->signals && open_console(p->files) == 0)
		return p;
	process_free(p);
	return NULL;
}

static int finish(struct process *p, const struct program *program, struct process **out)
{
	struct thread *t;
	int error;

	p->mm = program->mm;
	t = thread_new(p);
	error = t ? process_enter(p, t, NULL) : -ENOMEM;
	if (error) {
		thread_free(t);
		process_free(p);
		return error;
	}
	t->ctx.pc = program->entry;
	t->ctx.x[REG_SP] = program->sp;
	error = thread_create_task(t, p->name);
	if (error) {
		process_cancel(p);
		return error;
	}
	tty_own(p->session, p->group);
	*out = p;
	return 0;
}

static int collect(struct exec_args *args, const char *const *strings, unsigned *n)
{
	int error = 0;

	for (*n = 0; strings[*n] && !error; (*n)++)
		error = exec_args_add(args, strings[*n]);
	return error;
}

int process_create(const char *path, const char *const *argv, const char *const *envp, struct process **out,
		   const char **why)
{
	struct process *p = new_process(path);
	struct exec_args args = { .strings = NULL };
	struct program program;
	int error = p ? 0 : -ENOMEM;

	*why = NULL;
	if (!error)
		error = collect(&args, argv, &args.argc);
	if (!error)
		error = collect(&args, envp, &args.envc);
	if (!error)
		error = exec_load(path, &args, &program, why);
	kfree(args.strings);
	if (!error)
		return finish(p, &program, out);
	if (p)
		process_free(p);
	return error;
}

int process_create_flat(const char *name, const void *image, size_t size, struct process **out)
{
	struct process *p = new_process(name);
	struct program program;
	int error = p ? exec_load_flat(image, size, &program) : -ENOMEM;

	if (!error)
		return finish(p, &program, out);
	if (p)
		process_free(p);
	return error;
}

/* --- ending --- */

void process_start(struct process *p)
{
	thread_start(list_first(&p->threads, struct thread, node));
}

void process_kill(struct process *p, unsigned signal)
{
	if (signal > 0 && signal <= SIGNALS)
		signal_send(p, signal, &(struct signal_info){ .code = SI_KERNEL });
}
