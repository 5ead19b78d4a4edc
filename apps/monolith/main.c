/*
 * The monolith's first task: runs the programs of the initrd that its arguments
 * name, all at once, and ends with the status of the last.
 *
 * A word starting with `-` kills: `-9` sends signal 9 to the program before it.
 */
#include <caisson/fs.h>
#include <caisson/init.h>
#include <caisson/log.h>
#include <caisson/mm.h>
#include <caisson/print.h>
#include <caisson/process.h>
#include <caisson/time.h>

#include <errno.h>
#include <stdlib.h>

#define LOG_NAME "init"
#define PROGRAMS_MAX 16
#define GRACE_US 20000 /* a program's time before its signal */
#define STATUS_NO_PROGRAM 127
#define STATUS_CANNOT_RUN 126

/** @return 0 with *out running, or the status that a shell would give. */
static int start(const char *path, struct process **out)
{
	struct file file;
	int error = initrd_open(path, &file);

	if (error) {
		log_error("%s: no such program", path);
		return STATUS_NO_PROGRAM;
	}
	error = process_create(path, file.data, file.size, out);
	if (error) {
		log_error("%s: %s", path, error == -ENOMEM ? "out of memory" : "not a program");
		return STATUS_CANNOT_RUN;
	}
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

int main(void)
{
	struct process *running[PROGRAMS_MAX];
	unsigned n = 0;
	char word[64];
	int status = 0;

	if (process_init()) {
		log_error("out of memory");
		return STATUS_CANNOT_RUN;
	}
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
