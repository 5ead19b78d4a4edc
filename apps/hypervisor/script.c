/*
 * The monitor's script. Its lines run as if typed, one after the other, beside the
 * prompt; the first that fails ends it, unless it begins with "-".
 */
#include "script.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <caisson/console.h>
#include <caisson/fs.h>
#include <caisson/log.h>
#include <caisson/task.h>
#include <caisson/time.h>
#include <shell/shell.h>

#include "monitor.h"
#include "manager/vms.h"
#include "report.h"

#define LOG_NAME "script"
#define TEXT_FILE "script"
#define LABEL_FILE "script-label" /* its name as the user typed it */
#define LABEL_MAX 128
#define OUT_MAX 512
#define SLICE_US 20000 /* how often a wait looks whether the machine ends */

static struct {
	struct shell shell;
	struct file text;
	char label[LABEL_MAX];
	unsigned line;
	bool batch;
	char out[OUT_MAX];    /* an unfinished line: lines are printed whole */
	size_t n_out;
} script;

/* --- what it prints --- */

static void flush(void)
{
	if (script.batch)
		console_write(CONSOLE_ERROR, script.out, script.n_out);
	else
		monitor_print(script.out, script.n_out);
	script.n_out = 0;
}

static void script_write(struct shell *sh, const char *buf, size_t n)
{
	(void)sh;
	for (size_t i = 0; i < n; i++) {
		script.out[script.n_out++] = buf[i];
		if (buf[i] == '\n' || script.n_out == sizeof(script.out))
			flush();
	}
}

static int script_wait(struct shell *sh, uint64_t deadline, bool any_key)
{
	(void)sh;
	(void)any_key;
	shell_unlock();
	while (time_now() < deadline && !monitor_is_over())
		task_sleep_until(MIN(deadline, time_now() + time_from_us(SLICE_US)));
	shell_lock();
	return monitor_is_over() ? -EINTR : 0;
}

/* --- its lines --- */

/* Copy the next line without its end. @return its length, -ENOENT: there is none, -E2BIG: no line is so long. */
static int next_line(size_t *at, char *out, size_t size)
{
	const char *text = script.text.data, *from = text + *at, *end;
	size_t left = script.text.size - *at, n;

	if (left == 0)
		return -ENOENT;
	end = memchr(from, '\n', left);
	n = end ? (size_t)(end - from) : left;
	*at += n + (end != NULL);
	script.line++;
	if (n && from[n - 1] == '\r')
		n--;
	if (n >= size)
		return -E2BIG;
	for (size_t i = 0; i < n; i++)
		out[i] = from[i] == '\t' ? ' ' : from[i];
	out[n] = '\0';
	return (int)n;
}

static void say_failed(const char *text)
{
	shell_printf(&script.shell, "%s:%u: '%.200s' failed; the script ends here\n", script.label, script.line, text);
}

/* @return 0, or the error of a line that must not fail. */
static int run_line(const char *text)
{
	char line[SHELL_LINE_MAX];
	bool may_fail;
	int error;

	text += strspn(text, " ");
	may_fail = *text == '-';
	if (*text == '#')
		return 0;
	snprintf(line, sizeof(line), "%s", text + may_fail);
	shell_lock();
	error = shell_run(&script.shell, line);
	if (error && !may_fail && !monitor_is_over())
		say_failed(text);
	shell_unlock();
	return may_fail ? 0 : error;
}

/* @return 0, or what went wrong, having said it. */
static int run_all(void)
{
	char line[SHELL_LINE_MAX];
	size_t at = 0;
	int error;

	while ((error = next_line(&at, line, sizeof(line))) >= 0) {
		error = run_line(line);
		if (error)
			return error;
	}
	if (error == -ENOENT)
		return 0;
	shell_printf(&script.shell, "%s:%u: the line has more than %d bytes; the script ends here\n", script.label,
		     script.line, SHELL_LINE_MAX - 1);
	return error;
}

static void script_task(void *arg)
{
	int error = run_all();

	(void)arg;
	log_info("%s: %s after line %u", script.label, error ? "failed" : "done", script.line);
	vms_script_ended(error && !monitor_is_over());
	task_exit(0);
}

static void read_label(void)
{
	struct file label;
	size_t n = 0;

	if (initrd_open(LABEL_FILE, &label) == 0)
		n = MIN((size_t)label.size, sizeof(script.label) - 1);
	memcpy(script.label, n ? label.data : TEXT_FILE, n ? n : sizeof(TEXT_FILE));
}

void script_start(bool batch)
{
	static const struct task_attr attr = { .detached = true };

	if (initrd_open(TEXT_FILE, &script.text))
		script.text.size = 0;
	script.shell = (struct shell){ .write = script_write, .wait = script_wait };
	script.batch = batch;
	read_label();
	vms_script_begins();
	if (!task_create("script", script_task, NULL, &attr)) {
		report_error("%s: no memory to run it", script.label);
		vms_script_ended(true);
	}
}
