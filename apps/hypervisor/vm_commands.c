/* The monitor's commands about VMs: the table of `vm`, list, console, stats; poweroff. */
#include <errno.h>
#include <stdlib.h>

#include <caisson/aspace.h>
#include <caisson/console.h>
#include <caisson/task.h>
#include <caisson/time.h>
#include <shell/shell.h>
#include <vmm/console_mux.h>
#include <vmm/vm.h>

#include "monitor.h"
#include "vm_commands.h"
#include "vms.h"

const char *vm_state_name(const struct vm *vm)
{
	static const char *const ends[] = {
		[VM_END_NONE] = "ended", [VM_END_SHUTDOWN] = "shut down", [VM_END_RESET] = "resetting",
		[VM_END_CRASH] = "crashed", [VM_END_STOPPED] = "stopped",
	};

	switch (vm->state) {
	case VM_CREATED: return "created";
	case VM_BOOTED: return "created";
	case VM_RUNNING: return vm->paused ? "paused" : "running";
	case VM_ENDING: return "ending";
	case VM_ENDED: break;
	}
	if (vm->restart_at)
		return "restarting";
	return ends[vm->end];
}

static uint64_t exits_total(const struct vcpu *v)
{
	uint64_t total = 0;

	for (unsigned kind = 0; kind < EXIT_KINDS; kind++)
		total += v->exits[kind];
	return total;
}

static bool print_name(struct vm *vm, void *arg)
{
	unsigned *n = arg;

	shell_printf("%s %s (%u)", (*n)++ ? "," : "; there is", vm->config->name, vm->id);
	return true;
}

static struct vm *vm_by_number(const char *word)
{
	char *end;
	unsigned long id = strtoul(word, &end, 10);
	bool is_number = *word >= '0' && *word <= '9' && *end == '\0';

	return is_number && id <= CONSOLE_MAX ? vm_by_id((unsigned)id) : NULL;
}

/* By name or, where no VM has that name, by id; says so when there is none. */
struct vm *vm_command_find(const char *word)
{
	struct vm *vm = vm_by_name(word);
	unsigned n = 0;

	if (!vm)
		vm = vm_by_number(word);
	if (!vm) {
		shell_printf("no VM '%s'", word);
		vm_for_each(print_name, &n);
		shell_printf(n ? "\n" : "; there are none\n");
	}
	return vm;
}

static bool print_vm(struct vm *vm, void *arg)
{
	uint64_t exits = 0;

	(void)arg;
	for (unsigned i = 0; i < vm->n_vcpus; i++)
		exits += exits_total(vm->vcpus[i]);
	shell_printf("%2u  %-20s %-10s %5u %7lu MiB %12lu\n", vm->id, vm->config->name, vm_state_name(vm),
		     vm->n_vcpus, (unsigned long)(vm->ram_size / MiB), (unsigned long)exits);
	return true;
}

static int vm_list(int argc, char **argv)
{
	(void)argv;
	if (argc != 1)
		return -EINVAL;
	shell_printf("id  name                 state      vCPUs      memory        exits\n");
	vm_for_each(print_vm, NULL);
	return 0;
}

static int vm_console(int argc, char **argv)
{
	struct vm *vm;

	if (argc != 2)
		return -EINVAL;
	vm = vm_command_find(argv[1]);
	if (!vm)
		return -ENOENT;
	monitor_attach(vm);
	return 0;
}

struct vcpu_time {
	const struct vcpu *vcpu;
	uint64_t ticks;
};

/* The vCPU's task may end at any time: it is looked at only under the task list's lock. */
static void add_run_time(const struct task *t, void *arg)
{
	struct vcpu_time *time = arg;

	if (t->ext != &time->vcpu->ext)
		return;
	time->ticks += t->run_time;
	if (t->state == TASK_RUNNING)
		time->ticks += time_now() - t->switched_in_at;
}

static unsigned long to_ms(uint64_t ticks)
{
	return (unsigned long)(time_to_ns(ticks) / 1000000);
}

static void print_vcpu(const struct vcpu *v)
{
	struct vcpu_time time = { .vcpu = v };

	task_for_each(add_run_time, &time);
	shell_printf("vCPU %u: %lu ms on a hart, of them %lu ms idle; %lu exits\n", v->id, to_ms(time.ticks),
		     to_ms(v->idle_ticks), (unsigned long)exits_total(v));
	for (unsigned kind = 0; kind < EXIT_KINDS; kind++)
		if (v->exits[kind])
			shell_printf("    %-14s %12lu\n", exit_kind_name(kind),
				     (unsigned long)v->exits[kind]);
}

/* KiB of RAM that have frames. A reboot meanwhile takes the area away. */
static uint64_t backed_kib(struct vm *vm)
{
	irqflags_t flags = spin_lock_irqsave(&vm->space.lock);
	const struct area *ram = aspace_find(&vm->space, vm->ram_start);
	uint64_t frames = ram ? ram->frames : 0;

	spin_unlock_irqrestore(&vm->space.lock, flags);
	return frames * (PAGE_SIZE / KiB);
}

static int vm_stats(int argc, char **argv)
{
	struct vm *vm;

	if (argc != 2)
		return -EINVAL;
	vm = vm_command_find(argv[1]);
	if (!vm)
		return -ENOENT;
	shell_printf("%s: %s%s%s\n", vm->config->name, vm_state_name(vm), vm->state == VM_ENDED ? ": " : "",
		     vm->state == VM_ENDED ? vm->reason : "");
	shell_printf("RAM: %lu of %lu KiB backed; page tables %lu KiB; %lu starts\n",
		     (unsigned long)backed_kib(vm), (unsigned long)(vm->ram_size / KiB),
		     (unsigned long)(vm->space.tables * 4), (unsigned long)vm->boots);
	if (console_mux_lost(vm))
		shell_printf("console: %lu bytes lost unseen\n", (unsigned long)console_mux_lost(vm));
	for (unsigned i = 0; i < vm->n_vcpus; i++)
		print_vcpu(vm->vcpus[i]);
	return 0;
}

static const struct shell_command vm_table[] = {
	{ "console", "VM", "go to a VM's console (Ctrl-] comes back)", vm_console },
	{ "create", "NAME", "make a deleted VM anew from its description", vm_create_command },
	{ "delete", "VM", "give back the memory of a VM that has ended, and forget it", vm_delete_command },
	{ "list", "", "the VMs: state, vCPUs, memory, exits", vm_list },
	{ "pause", "VM", "keep a VM from running; its clock goes on", vm_pause_command },
	{ "reset", "VM", "start a VM afresh: memory zero, images loaded anew", vm_reset_command },
	{ "resume", "VM", "let a paused VM go on", vm_resume_command },
	{ "start", "VM", "start a VM that has ended or was just created", vm_start_command },
	{ "stats", "VM", "exits by cause, run time, memory of a VM", vm_stats },
	{ "stop", "VM", "stop a VM at once, as if its power were cut", vm_stop_command },
};

static int do_vm(int argc, char **argv)
{
	if (argc == 1)
		return shell_help(vm_table, ARRAY_SIZE(vm_table), "vm ", NULL);
	/* Its usage, if it was used wrongly, is printed already: ours would only confuse. */
	return shell_dispatch(vm_table, ARRAY_SIZE(vm_table), "vm ", argc - 1, argv + 1) ? -ENOENT : 0;
}

SHELL_COMMAND(vm) = { "vm", "COMMAND [VM]", "the VMs; `vm` alone lists its commands", do_vm };

static int do_poweroff(int argc, char **argv)
{
	(void)argv;
	if (argc != 1)
		return -EINVAL;
	vms_poweroff();
	return 0;
}

SHELL_COMMAND(poweroff) = { "poweroff", "", "stop all VMs and end the machine", do_poweroff };
