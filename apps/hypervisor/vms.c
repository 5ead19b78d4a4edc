/* The VMs of the bundle: create, load, start, see to their end. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "monitor.h"
#include "vms.h"

#include <caisson/console.h>
#include <caisson/fs.h>
#include <caisson/log.h>
#include <caisson/mm.h>
#include <caisson/task.h>
#include <vmm/console_mux.h>
#include <vmm/vm.h>

#define LOG_NAME "vmm"

/* The monitor's poweroff: nothing is booted again, and main does not stay. */
static volatile bool leaving;
static struct waitq shutdown_wait = WAITQ_INIT(shutdown_wait);

void report_error(const char *fmt, ...)
{
	char line[320];
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(line, sizeof(line) - 1, fmt, args);
	va_end(args);
	n = MIN(n, (int)sizeof(line) - 2);
	line[n++] = '\n';
	console_write(CONSOLE_ERROR, line, (size_t)n);
}

/* What there is no memory for need not have words of its own. */
static const char *why(int error, const char *words)
{
	if (words[0])
		return words;
	return error == -ENOMEM ? "out of memory" : "it could not be made";
}

static int start_one(const struct file *description)
{
	struct vm_config *config = kzalloc(sizeof(*config));
	char err[256] = "";
	struct vm *vm = NULL;
	int error;

	if (!config) {
		report_error("%s: out of memory", description->path);
		return -ENOMEM;
	}
	error = vm_config_parse(description->data, description->size, config, err, sizeof(err));
	if (error) {
		report_error("%s: %s", config->name[0] ? config->name : description->path, err);
		kfree(config);
		return error;
	}
	error = vm_create(config, &vm, err, sizeof(err));
	if (!error)
		error = vm_boot(vm, err, sizeof(err));
	if (error)
		report_error("%s: %s", config->name, why(error, err));
	if (!vm)
		kfree(config);
	return error;
}

static bool start_in_turn(struct vm *vm, void *arg)
{
	(void)arg;
	vm_start(vm);
	return true;
}

int vms_start(void)
{
	int n = 0, error;

	for (;; n++) {
		struct file description;
		char path[24];

		snprintf(path, sizeof(path), "vm/%d.dtb", n);
		if (initrd_open(path, &description))
			break;
		error = start_one(&description);
		if (error)
			return error;
	}
	vm_for_each(start_in_turn, NULL);
	return n;
}

static bool destroy(struct vm *vm, void *arg)
{
	void *config = (void *)(uintptr_t)vm->config;

	(void)arg;
	vm_destroy(vm);
	kfree(config);
	return true;
}

void vms_destroy(void)
{
	vm_for_each(destroy, NULL);
}

static bool is_alive(struct vm *vm, void *arg)
{
	bool *alive = arg;

	*alive |= vm->state != VM_ENDED;
	return true;
}

static bool any_alive(void)
{
	bool alive = false;

	vm_for_each(is_alive, &alive);
	return alive;
}

/* @return true: the VM runs again. */
static bool reboot(struct vm *vm)
{
	char err[256] = "";
	int error = vm_boot(vm, err, sizeof(err));

	if (error) {
		report_error("%s: cannot boot again: %s", vm->config->name, why(error, err));
		return false;
	}
	vm_start(vm);
	if (leaving) /* poweroff came while it was not running */
		vm_end(vm, VM_END_STOPPED, 0, "the machine is powered off");
	return true;
}

static bool is_leaving(void *arg)
{
	(void)arg;
	return leaving;
}

static bool stop_one(struct vm *vm, void *arg)
{
	(void)arg;
	if (vm->state == VM_RUNNING)
		vm_end(vm, VM_END_STOPPED, 0, "the machine is powered off");
	return true;
}

void vms_poweroff(void)
{
	leaving = true;
	vm_for_each(stop_one, NULL);
	waitq_notify_all(&shutdown_wait);
}

int vms_supervise(bool batch)
{
	bool all_shut_down = true;
	int status = 0;

	while (any_alive()) {
		struct vm *vm = vm_wait_ended();

		if (vm->end == VM_END_RESET && !leaving && reboot(vm))
			continue;
		all_shut_down &= vm->end == VM_END_SHUTDOWN;
		if (vm->end == VM_END_CRASH) {
			status = 1;
			vm_report(vm);
		}
		if (!batch)
			monitor_vm_ended(vm);
	}
	/* A person may want to look at what crashed: the monitor then stays. */
	if (!batch && !all_shut_down && !leaving)
		waitq_wait(&shutdown_wait, is_leaving, NULL, UINT64_MAX);
	monitor_stop();
	log_info("monitor shut down");
	return status;
}
