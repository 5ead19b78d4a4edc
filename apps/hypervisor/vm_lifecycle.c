/*
 * The monitor's commands about the life of a VM. What changes its state for good is
 * an order to the manager (vms.h); stop and reset are what any vCPU can cause.
 */
#include "vm_commands.h"

#include <errno.h>

#include <shell/shell.h>
#include <vmm/vm.h>

#include "vms.h"

/* The VM of `vm COMMAND VM`. @return 0, -EINVAL (usage) or -ENOENT (said). */
static int one_vm(int argc, char **argv, struct vm **vm)
{
	if (argc != 2)
		return -EINVAL;
	*vm = vm_command_find(argv[1]);
	return *vm ? 0 : -ENOENT;
}

/* Say why an order was not carried out. */
static int report(const char *verb, const char *name, int error, const char *state, const char *err)
{
	if (error == -EBUSY)
		shell_printf("cannot %s %s: it is %s\n", verb, name, state);
	else if (error == -ETIMEDOUT)
		shell_printf("%s: a vCPU is slow to come out of the guest; it stops as soon as it does\n", name);
	else if (error)
		shell_printf("cannot %s %s: %s\n", verb, name, err[0] ? err : "it could not be done");
	return error;
}

static int order(enum vms_order what, const char *verb, int argc, char **argv)
{
	char err[256];
	struct vm *vm;
	int error = one_vm(argc, argv, &vm);

	if (error)
		return error;
	error = vms_order(what, vm, NULL, err, sizeof(err));
	/* Only an order that was carried out can have taken the VM away. */
	return error ? report(verb, argv[1], error, vm_state_name(vm), err) : 0;
}

int vm_pause_command(int argc, char **argv)
{
	return order(VMS_PAUSE, "pause", argc, argv);
}

int vm_resume_command(int argc, char **argv)
{
	return order(VMS_RESUME, "resume", argc, argv);
}

int vm_start_command(int argc, char **argv)
{
	return order(VMS_START, "start", argc, argv);
}

int vm_delete_command(int argc, char **argv)
{
	return order(VMS_DELETE, "delete", argc, argv);
}

int vm_create_command(int argc, char **argv)
{
	char err[256];
	int error;

	if (argc != 2)
		return -EINVAL;
	if (vm_by_name(argv[1])) {
		shell_printf("cannot create %s: there is a VM of that name\n", argv[1]);
		return -EEXIST;
	}
	error = vms_order(VMS_CREATE, NULL, argv[1], err, sizeof(err));
	if (error == -ENOENT)
		shell_printf("cannot create %s: no description in the bundle has that name\n", argv[1]);
	else if (error)
		(void)report("create", argv[1], error, "already there", err);
	return error;
}

static int end(const char *verb, enum vm_end how, const char *reason, int argc, char **argv)
{
	struct vm *vm;
	int error = one_vm(argc, argv, &vm);

	if (error)
		return error;
	if (vm->state != VM_RUNNING)
		return report(verb, argv[1], -EBUSY, vm_state_name(vm), "");
	vm_end(vm, how, 0, "%s", reason);
	return 0;
}

int vm_stop_command(int argc, char **argv)
{
	struct vm *vm = argc == 2 ? vm_by_name(argv[1]) : NULL;

	if (vm && vm->state == VM_ENDED && vm->restart_at)
		return order(VMS_STAY, "stop", argc, argv);
	return end("stop", VM_END_STOPPED, "stopped from the monitor", argc, argv);
}

int vm_reset_command(int argc, char **argv)
{
	return end("reset", VM_END_RESET, "reset from the monitor", argc, argv);
}
