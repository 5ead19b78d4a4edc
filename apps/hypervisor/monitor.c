/*
 * The monitor's task. Either a VM is attached, and only the escape key comes
 * here, or the prompt is shown and every byte goes to the line editor.
 */
#include "monitor.h"

#include <string.h>

#include <caisson/console.h>
#include <caisson/log.h>
#include <caisson/spinlock.h>
#include <caisson/task.h>
#include <caisson/time.h>
#include <shell/shell.h>
#include <vmm/console_mux.h>
#include <vmm/vm.h>

#define LOG_NAME "monitor"
#define NO_VM (~0u)
#define STOP_TIMEOUT_US 100000

/* Guards the editor, so that news of a VM's end comes between two keys.
 * Lock order: this -> mux lock, console lock. */
static spinlock_t lock;
static struct line editor;
static bool busy;              /* a command runs: there is no prompt to restore */
static bool over;              /* the machine is about to end */
static bool handling;          /* atomic: a byte is being handled, and VMs may be looked at */
static unsigned last_vm = NO_VM; /* id of the VM attached last */

static void editor_write(void *arg, const char *buf, size_t n)
{
	(void)arg;
	shell_write(buf, n);
}

static void attach_quietly(struct vm *vm)
{
	last_vm = vm->id;
	console_mux_attach(vm);
}

void monitor_attach(struct vm *vm)
{
	shell_printf("[console of %s; Ctrl-] comes back to the monitor]\n", vm->config->name);
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

static void leave_vm(void)
{
	struct vm *vm = console_mux_attached();

	console_mux_attach(NULL);
	if (vm)
		shell_printf("\n[monitor: type help; Ctrl-] goes back to %s]\n", vm->config->name);
	show_prompt();
}

static void back_to_vm(void)
{
	struct vm *vm = vm_to_show();

	shell_printf("\n");
	if (vm) {
		monitor_attach(vm);
	} else {
		shell_printf("[no VM runs]\n");
		show_prompt();
	}
}

static void run_line(void)
{
	static char text[SHELL_LINE_MAX];

	memcpy(text, editor.text, sizeof(text));
	(void)shell_run(text); /* has said what was wrong */
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

/* @return false: it is too late for anything. */
static bool begin_handling(void)
{
	irqflags_t flags = spin_lock_irqsave(&lock);

	handling = !over;
	spin_unlock_irqrestore(&lock, flags);
	return handling;
}

static void handle(char c)
{
	bool attached = console_mux_attached() != NULL;

	if (c == CONSOLE_ESCAPE && attached)
		leave_vm();
	else if (c == CONSOLE_ESCAPE)
		back_to_vm();
	else if (attached)
		console_mux_forward(c);
	else
		prompt_byte(c);
}

static void on_byte(char c)
{
	if (!begin_handling())
		return;
	handle(c);
	__atomic_store_n(&handling, false, __ATOMIC_RELEASE);
}

static void monitor_task(void *arg)
{
	(void)arg;
	for (;;)
		on_byte(console_mux_getc());
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
	shell_printf("Ctrl-] switches between the guest's console and the monitor\n");
	if (vm)
		attach_quietly(vm);
	else
		show_prompt();
	if (!task_create("monitor", monitor_task, NULL, &attr))
		log_error("no memory for the monitor: the VMs run without one");
}

bool monitor_stop(void)
{
	uint64_t deadline = time_now() + time_from_us(STOP_TIMEOUT_US);
	irqflags_t flags = spin_lock_irqsave(&lock);
	bool idle;

	over = true;
	spin_unlock_irqrestore(&lock, flags);
	while (!(idle = !__atomic_load_n(&handling, __ATOMIC_ACQUIRE)) && time_now() < deadline)
		task_sleep_until(time_now() + time_from_us(1000));
	return idle;
}

static void say_end(const struct vm *vm)
{
	const char *name = vm->config->name;
	uint64_t now = time_now();

	switch (vm->end) {
	case VM_END_CRASH:
		shell_printf("\n[%s has crashed: %s]\n", name, vm->reason);
		break;
	case VM_END_STOPPED:
		shell_printf("\n[%s was stopped: %s]\n", name, vm->reason);
		break;
	default:
		shell_printf("\n[%s has shut down]\n", name);
		break;
	}
	if (vm->restart_at > now)
		shell_printf("[%s starts again in %lu s]\n", name, (unsigned long)((vm->restart_at - now) / timebase_hz + 1));
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
	spin_unlock_irqrestore(&lock, flags);
}

void monitor_vm_ended(struct vm *vm)
{
	tell(vm, say_end);
}

static void say_held(const struct vm *vm)
{
	shell_printf("\n[%s is paused: the machine is out of memory. It goes on when you stop or delete another VM]\n",
		     vm->config->name);
}

void monitor_vm_held(struct vm *vm)
{
	tell(vm, say_held);
}
