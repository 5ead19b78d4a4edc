/*
 * The monolith's first task. Where the initrd has .caisson/argv, that program is run with it (./caisson exec): strings,
 * each ended by a NUL; likewise .caisson/env. The system ends with its status.
 *
 * Otherwise it runs the flat programs of the initrd that its arguments name, all at once, and ends with the status of the
 * last. A word starting with `-` kills: `-9` sends signal 9 to the program before it.
 */
#include <caisson/console.h>
#include <caisson/fs.h>
#include <caisson/init.h>
#include <caisson/log.h>
#include <caisson/mm.h>
#include <caisson/print.h>
#include <caisson/process.h>
#include <caisson/task.h>
#include <caisson/time.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "root.h"

#define LOG_NAME "init"
#define PROGRAMS_MAX 16
#define STRINGS_MAX 1024
#define GRACE_US 20000 /* a program's time before its signal */
#define STATUS_NO_PROGRAM 127
#define STATUS_CANNOT_RUN 126

/* To the log and, as far as somebody has it apart, to standard error. */
static int report(const char *path, int error, const char *why)
{
	char text[192];

	if (error == -ENOENT)
		why = "no such program";
	else if (error == -ENOMEM)
		why = "out of memory";
	if (why)
		snprintf(text, sizeof(text), "%s: %s", path, why);
	else
		snprintf(text, sizeof(text), "%s: cannot be run (error %d)", path, error);
	log_error("%s", text);
	if (console_framed()) { /* else it would be there twice */
		console_write(CONSOLE_ERROR, "caisson: ", 9);
		console_write(CONSOLE_ERROR, text, strlen(text));
		console_write(CONSOLE_ERROR, "\n", 1);
	}
	return error == -ENOENT ? STATUS_NO_PROGRAM : STATUS_CANNOT_RUN;
}

/* --- one program of the initrd's file tree --- */

/* The strings of a file, as an array that NULL ends. @return NULL: out of memory */
static const char **strings_of(const struct file *f)
{
	const char **strings = kalloc((STRINGS_MAX + 1) * sizeof(*strings));
	const char *at = f->data, *end = at + f->size;
	unsigned n = 0;

	if (!strings)
		return NULL;
	while (at < end && n < STRINGS_MAX && memchr(at, '\0', (size_t)(end - at))) {
		strings[n++] = at;
		at += strlen(at) + 1;
	}
	strings[n] = NULL;
	return strings;
}

static int run_argv(const char *const *argv, const char *const *envp)
{
	struct process *p;
	const char *why = NULL;
	int error = process_create(argv[0], argv, envp, &p, &why);

	if (error)
		return report(argv[0], error, why);
	process_start(p);
	return process_join(p);
}

static int run_program(const struct file *args)
{
	struct file env = { .data = "", .size = 0 }, terminal;
	const char **argv, **envp;
	int status = STATUS_CANNOT_RUN;
	int error = root_mount();

	if (error)
		return report("the root", error, "it cannot be made");
	(void)!initrd_open(".caisson/env", &env);
	process_set_terminal(initrd_open(".caisson/terminal", &terminal) == 0);
	argv = strings_of(args);
	envp = strings_of(&env);
	if (argv && envp && argv[0])
		status = run_argv(argv, envp);
	kfree(argv);
	kfree(envp);
	return status;
}

/* --- flat programs --- */

/** @return 0 with *out running, or the status that a shell would give. */
static int start(const char *path, struct process **out)
{
	struct file file;
	int error = initrd_open(path, &file);

	if (!error)
		error = process_create_flat(path, file.data, file.size, out);
	if (error)
		return report(path, error, error == -ENOEXEC ? "not a program" : NULL);
	process_start(*out);
	return 0;
}

static void signal_last(struct process *const *running, unsigned n, const char *word)
{
	if (n == 0)
		return;
	task_sleep_until(time_now() + time_from_us(GRACE_US));
	process_kill(running[n - 1], (unsigned)atoi(word));
}

static int run_flat(void)
{
	struct process *running[PROGRAMS_MAX];
	unsigned n = 0;
	char word[64];
	int status = 0;

	for (unsigned i = 0; n < PROGRAMS_MAX && app_arg(i, word, sizeof(word)) >= 0; i++) {
		if (word[0] == '-')
			signal_last(running, n, word + 1);
		else if ((status = start(word, &running[n])) == 0)
			n++;
		else
			break;
	}
	for (unsigned i = 0; i < n; i++) {
		int ended = process_join(running[i]);

		log_info("%u of %u ended with status %d", i + 1, n, ended);
		status = status ? status : i == n - 1 ? ended : 0;
	}
	heap_trim();
	log_info("%lu frames free", (unsigned long)frame_free_count());
	return status;
}

int main(void)
{
	struct file args;

	if (process_init()) {
		log_error("out of memory");
		return STATUS_CANNOT_RUN;
	}
	return initrd_open(".caisson/argv", &args) == 0 ? run_program(&args) : run_flat();
}
