/*
 * The monitor's task. Either a VM is attached, and only the escape key comes
 * here, or the prompt is shown and every byte goes to the line editor.
 */
#include "monitor.h"

#include <errno.h>
#include <string.h>

#include <caisson/console.h>
#include <caisson/log.h>
#include <caisson/spinlock.h>
#include <caisson/task.h>
#include <caisson/time.h>
#include <shell/shell.h>
#include <vmm/console_mux.h>
#include <vmm/vm.h>

#include "commands/vm_commands.h"

#define LOG_NAME "monitor"
#define NO_VM (~0u)
#define STOP_TIMEOUT_US 100000
#define WAIT_SLICE_US 20000 /* a waiting command looks so often whether the machine ends */
#define TYPED_AHEAD 128
#define CTRL_C 3

/* Guards the editor, so that news of a VM's end comes between two keys.
 * Lock order: this -> mux lock, console lock. */
static spinlock_t lock;
static struct line editor;
static bool busy;              /* a command runs: there is no prompt to restore */
static volatile bool over;            /* the machine is about to end */
static unsigned last_vm = NO_VM; /* id of the VM attached last */

/* Typed while a command waited, for afterwards. Only the monitor's task. */
static char kept[TYPED_AHEAD];
static unsigned n_kept;

static void editor_write(void *arg, const char *buf, size_t n)
{
	(void)arg;
	console_write(CONSOLE_MONITOR, buf, n);
}

/* Lines for a terminal end in \r\n. */
static void prompt_write(struct shell *sh, const char *buf, size_t n)
{
	const char *end;

	(void)sh;
	while ((end = memchr(buf, '\n', n)) != NULL) {
		size_t part = (size_t)(end - buf);

		console_write(CONSOLE_MONITOR, buf, part);
		console_write(CONSOLE_MONITOR, "\r\n", 2);
		buf += part + 1;
		n -= part + 1;
	}
	console_write(CONSOLE_MONITOR, buf, n);
}

/* @return whether the byte ends the wait; else it is kept. */
static bool is_end_of_wait(int c, bool any_key)
{
	if (c == CTRL_C || any_key)
		return true;
	kept[n_kept++] = (char)c;
	return false;
}

/* A key within a slice of time, or -ETIMEDOUT. What cannot be kept is left where it is. */
static int next_key(uint64_t deadline)
{
	uint64_t slice = MIN(deadline, time_now() + time_from_us(WAIT_SLICE_US));

	if (n_kept < sizeof(kept))
		return console_mux_getc(slice);
	task_sleep_until(slice);
	return -ETIMEDOUT;
}

static int prompt_wait(struct shell *sh, uint64_t deadline, bool any_key)
{
	int error = 0;

	(void)sh;
	shell_unlock();
	while (!error && time_now() < deadline) {
		int c = next_key(deadline);

		if (over || (c >= 0 && is_end_of_wait(c, any_key)))
			error = -EINTR;
	}
	shell_lock();
	return error;
}

static struct shell prompt = { .write = prompt_write, .wait = prompt_wait, .person = true };

static void attach_quietly(struct vm *vm)
{
	last_vm = vm->id;
	console_mux_attach(vm);
}

/* One that has ended has nothing more to say or to hear: what it said is shown, and that was it. */
static void show_ended(struct vm *vm)
{
	shell_printf(&prompt, "[console of %s, which is %s]\n", vm->config->name, vm_state_name(vm));
	console_mux_attach(vm);
	console_mux_settle(vm);
	console_mux_attach(NULL);
	shell_printf(&prompt, "\n[that was %s: %s]\n", vm->config->name, vm->reason);
}

void monitor_attach(struct vm *vm)
{
	const char *name = vm->config->name;

	if (vm->state == VM_ENDED && vm->plan.step != VM_STEP_RESTART) {
		show_ended(vm);
		return;
	}
	if (vm->state == VM_RUNNING && !vm->paused)
		shell_printf(&prompt, "[console of %s; Ctrl-] comes back to the monitor]\n", name);
	else
		shell_printf(&prompt, "[console of %s, which is %s: what you type waits; Ctrl-] comes back to the monitor]\n",
			     name, vm_state_name(vm));
	attach_quietly(vm);
}

static bool has_not_ended(struct vm *vm, void *arg)
{
	struct vm **found = arg;

	if (vm->state == VM_ENDED)
		return true;
	*found = vm;
	return false;
}

/* The VM to go back to: the one attached last, or else the first that runs. */
static struct vm *vm_to_show(void)
{
	struct vm *vm = last_vm == NO_VM ? NULL : vm_by_id(last_vm);

	if (!vm || vm->state == VM_ENDED) {
		vm = NULL;
		vm_for_each(has_not_ended, &vm);
	}
	return vm;
}

static void show_prompt(void)
{
	irqflags_t flags = spin_lock_irqsave(&lock);

	busy = false;
	/* A command may have attached a VM: then the prompt comes with the escape key. */
	if (!console_mux_attached() && !over)
		line_start(&editor);
	spin_unlock_irqrestore(&lock, flags);
}

static bool count_vm(struct vm *vm, void *arg)
{
	(void)vm;
	++*(unsigned *)arg;
	return true;
}

static unsigned vm_count(void)
{
	unsigned n = 0;

	vm_for_each(count_vm, &n);
	return n;
}

static void leave_vm(void)
{
	struct vm *vm = console_mux_attached();

	console_mux_attach(NULL);
	if (vm)
		shell_printf(&prompt, "\n[monitor: type help; Ctrl-] goes back to %s%s]\n", vm->config->name,
			     vm_count() > 1 ? ", ] to the next VM" : "");
	show_prompt();
}

static void back_to_vm(void)
{
	struct vm *vm = vm_to_show();

	shell_printf(&prompt, "\n");
	if (vm) {
		monitor_attach(vm);
	} else {
		shell_printf(&prompt, "[no VM runs]\n");
		show_prompt();
	}
}

struct neighbours {
	unsigned id;
	struct vm *first, *last, *before, *after;
};

static bool look_for_neighbours(struct vm *vm, void *arg)
{
	struct neighbours *n = arg;

	if (vm->state == VM_ENDED)
		return true;
	n->first = n->first ? n->first : vm;
	n->last = vm;
	if (vm->id < n->id)
		n->before = vm;
	if (vm->id > n->id && !n->after)
		n->after = vm;
	return true;
}

/* The VM that a key at an empty prompt goes to: ] and [ the next and previous that has not ended, a digit one by id. */
static struct vm *vm_of_key(char c)
{
	struct neighbours n = { .id = last_vm };

	if (editor.len || editor.escape)
		return NULL;
	if (c >= '0' && c <= '9')
		return vm_by_id((unsigned)(c - '0'));
	if (c != ']' && c != '[')
		return NULL;
	vm_for_each(look_for_neighbours, &n);
	if (c == ']')
		return n.after ? n.after : n.first;
	return n.before ? n.before : n.last;
}

static void go_to(struct vm *vm)
{
	shell_printf(&prompt, "\n");
	monitor_attach(vm);
	show_prompt();
}

static void run_line(void)
{
	static char text[SHELL_LINE_MAX];

	memcpy(text, editor.text, sizeof(text));
	(void)shell_run(&prompt, text); /* has said what was wrong */
	show_prompt();
}

static void prompt_byte(char c)
{
	irqflags_t flags = spin_lock_irqsave(&lock);
	enum line_event event = line_feed(&editor, c);

	busy = event != LINE_MORE;
	spin_unlock_irqrestore(&lock, flags);
	if (event == LINE_DONE)
		run_line();
	else if (event == LINE_CANCELLED)
		show_prompt();
}

static void handle(char c)
{
	bool attached = console_mux_attached() != NULL;
	struct vm *vm = attached ? NULL : vm_of_key(c);

	if (c == CONSOLE_ESCAPE && attached)
		leave_vm();
	else if (c == CONSOLE_ESCAPE)
		back_to_vm();
	else if (attached)
		console_mux_forward(c);
	else if (vm)
		go_to(vm);
	else
		prompt_byte(c);
}

static char next_byte(void)
{
	char c = kept[0];

	if (n_kept == 0)
		return (char)console_mux_getc(UINT64_MAX);
	memmove(kept, kept + 1, --n_kept);
	return c;
}

/* With the shell's lock, which the end of the machine takes for good: then it is too late for anything. */
static void monitor_task(void *arg)
{
	(void)arg;
	for (;;) {
		char c = next_byte();

		shell_lock();
		handle(c);
		shell_unlock();
	}
}

struct nth_vm {
	unsigned left;
	const char *name;
};

static bool count_down(struct vm *vm, void *arg)
{
	struct nth_vm *nth = arg;

	if (nth->left-- == 0)
		nth->name = vm->config->name;
	return nth->name == NULL;
}

/* No VM goes away meanwhile: only this task's orders, or the end of the machine, take one away. */
static const char *vm_name(unsigned i)
{
	struct nth_vm nth = { .left = i };

	vm_for_each(count_down, &nth);
	return nth.name;
}

static bool was_started(struct vm *vm, void *arg)
{
	struct vm **found = arg;

	*found = vm->state == VM_BOOTED ? NULL : vm;
	return *found == NULL;
}

void monitor_start(void)
{
	static const struct task_attr attr = { .detached = true };
	struct vm *vm = NULL;

	vm_for_each(was_started, &vm);

	line_init(&editor, "caisson> ", editor_write, NULL, shell_complete);
	shell_set_things("VM", vm_name);
	/* Here, not in the task: however soon a VM ends, its output is shown, and nothing is cut. */
	shell_printf(&prompt, "Ctrl-] switches between the guest's console and the monitor");
	shell_printf(&prompt, vm_count() > 1 ? "; Ctrl-] ] goes to the next guest\n" : "\n");
	if (vm)
		attach_quietly(vm);
	else
		show_prompt();
	if (!task_create("monitor", monitor_task, NULL, &attr))
		log_error("no memory for the monitor: the VMs run without one");
}

bool monitor_stop(void)
{
	irqflags_t flags = spin_lock_irqsave(&lock);

	over = true;
	spin_unlock_irqrestore(&lock, flags);
	return shell_lock_until(time_now() + time_from_us(STOP_TIMEOUT_US)) == 0;
}

bool monitor_is_over(void)
{
	return over;
}

void monitor_print(const char *text, size_t n)
{
	irqflags_t flags = spin_lock_irqsave(&lock);
	bool at_prompt = !busy && !console_mux_attached() && !over;

	if (at_prompt)
		shell_printf(&prompt, "\r\x1b[K");
	prompt_write(&prompt, text, n);
	if (at_prompt)
		line_redraw(&editor);
	else
		console_mux_redraw();
	spin_unlock_irqrestore(&lock, flags);
}

static bool none_left; /* the manager's, for say_end */

static void say_end(const struct vm *vm)
{
	const char *name = vm->config->name;
	uint64_t now = time_now();

	switch (vm->end) {
	case VM_END_CRASH:
		shell_printf(&prompt, "\n[%s has crashed: %s]\n", name, vm->reason);
		break;
	case VM_END_STOPPED:
		shell_printf(&prompt, "\n[%s was stopped: %s]\n", name, vm->reason);
		break;
	default:
		shell_printf(&prompt, "\n[%s has shut down]\n", name);
		break;
	}
	if (vm->plan.step == VM_STEP_RESTART && vm->plan.at > now)
		shell_printf(&prompt, "[%s starts again in %lu s]\n", name,
			     (unsigned long)((vm->plan.at - now) / timebase_hz + 1));
	if (none_left)
		shell_printf(&prompt, "[no VM runs any more; poweroff ends the machine]\n");
}

/* News of a VM between two keys; if it was attached, the prompt comes back. */
static void tell(struct vm *vm, void (*say)(const struct vm *vm))
{
	irqflags_t flags = spin_lock_irqsave(&lock);
	bool attached = console_mux_attached() == vm;

	if (attached)
		console_mux_attach(NULL);
	say(vm);
	if (attached && !busy)
		line_start(&editor);
	else if (!busy && !console_mux_attached())
		line_redraw(&editor);
	else if (console_mux_attached())
		console_mux_redraw();
	spin_unlock_irqrestore(&lock, flags);
}

void monitor_vm_ended(struct vm *vm, bool last)
{
	none_left = last;
	tell(vm, say_end);
}

static void say_held(const struct vm *vm)
{
	shell_printf(&prompt, "\n[%s is paused: the machine is out of memory. It goes on when you stop or delete another VM]\n",
		     vm->config->name);
}

void monitor_vm_held(struct vm *vm)
{
	tell(vm, say_held);
}
