/*
 * The monitor's commands about the life of a VM. What changes its state for good is
 * an order to the manager (vms.h).
 */
#include "vm_commands.h"

#include <errno.h>
#include <string.h>

#include <shell/shell.h>
#include <vmm/vm.h>

#include "../manager/vms.h"

/* Say why an order was not carried out. */
static int report(struct shell *sh, const char *verb, const char *name, int error, const char *state, const char *err)
{
	if (error == -EBUSY)
		shell_error(sh, "cannot %s %s: it %s %s", verb, name, strcmp(state, "crashed") ? "is" : "has", state);
	else if (error == -ETIMEDOUT)
		shell_error(sh, "%s: a vCPU is slow to come out of the guest; it stops as soon as it does", name);
	else if (error)
		shell_error(sh, "cannot %s %s: %s", verb, name, err[0] ? err : "it could not be done");
	return error;
}

static int order(struct shell *sh, enum vms_order what, const char *verb, const char *name)
{
	char err[256];
	struct vm *vm = vm_command_find(sh, name);
	int error;

	if (!vm)
		return -ENOENT;
	error = vms_order(what, vm, NULL, err, sizeof(err));
	/* Only an order that was carried out can have taken the VM away. */
	if (error)
		return report(sh, verb, name, error, vm_state_name(vm), err);
	if (err[0])
		shell_printf(sh, "%s: %s\n", name, err);
	return 0;
}

static int vm_pause_command(struct shell *sh, int argc, char **argv)
{
	(void)argc;
	return order(sh, VMS_PAUSE, "pause", argv[1]);
}

SHELL_COMMAND(vm_pause) = {
	"vm pause", "VM", "keep a VM from running; its clock goes on", vm_pause_command,
	"When it says nothing, no vCPU executes an instruction until `vm resume`.\n",
};

static int vm_resume_command(struct shell *sh, int argc, char **argv)
{
	(void)argc;
	return order(sh, VMS_RESUME, "resume", argv[1]);
}

SHELL_COMMAND(vm_resume) = { "vm resume", "VM", "let a paused VM go on", vm_resume_command, NULL };

static int vm_start_command(struct shell *sh, int argc, char **argv)
{
	(void)argc;
	return order(sh, VMS_START, "start", argv[1]);
}

SHELL_COMMAND(vm_start) = {
	"vm start", "VM", "start a VM that has ended or was just created", vm_start_command,
	"Its memory is zero and its images are loaded anew.\n",
};

static int vm_delete_command(struct shell *sh, int argc, char **argv)
{
	(void)argc;
	return order(sh, VMS_DELETE, "delete", argv[1]);
}

SHELL_COMMAND(vm_delete) = {
	"vm delete", "VM", "forget a VM that has ended, give back its memory", vm_delete_command,
	"One that runs is stopped first: `vm stop`. `vm create` makes it again.\n",
};

static int vm_create_command(struct shell *sh, int argc, char **argv)
{
	char err[256];
	int error;

	(void)argc;
	if (vm_by_name(argv[1])) {
		shell_error(sh, "cannot create %s: there is a VM of that name", argv[1]);
		return -EEXIST;
	}
	error = vms_order(VMS_CREATE, NULL, argv[1], err, sizeof(err));
	if (error == -ENOENT)
		shell_error(sh, "cannot create %s: no description in the bundle has that name", argv[1]);
	else if (error)
		(void)report(sh, "create", argv[1], error, "already there", err);
	return error;
}

SHELL_COMMAND(vm_create) = {
	"vm create", "NAME", "make a deleted VM anew from its description", vm_create_command,
	"It does not run until `vm start`.\n",
};

static int vm_stop_command(struct shell *sh, int argc, char **argv)
{
	return order(sh, argc == 3 ? VMS_KILL : VMS_STOP, "stop", argv[1]);
}

SHELL_COMMAND(vm_stop) = {
	"vm stop", "VM [--now]", "ask a guest to shut down, then cut its power", vm_stop_command,
	"The guest has the time that its description gives it (stop-timeout). --now: do not ask.\n"
	"One that waits to be started again (restart in its description) is no more started.\n",
};

/* The VM, if it runs; otherwise says why not. */
static struct vm *running_vm(struct shell *sh, const char *verb, const char *name)
{
	struct vm *vm = vm_command_find(sh, name);

	if (!vm || vm->state == VM_RUNNING)
		return vm;
	(void)report(sh, verb, name, -EBUSY, vm_state_name(vm), "");
	return NULL;
}

static int vm_reset_command(struct shell *sh, int argc, char **argv)
{
	(void)argc;
	return order(sh, VMS_RESET, "reset", argv[1]);
}

SHELL_COMMAND(vm_reset) = {
	"vm reset", "VM", "start a VM afresh: memory zero, images loaded anew", vm_reset_command, NULL,
};

static int vm_sysrq_command(struct shell *sh, int argc, char **argv)
{
	struct vm *vm = running_vm(sh, "press a key at", argv[1]);
	int error;

	(void)argc;
	if (!vm)
		return -ENOENT;
	if (strlen(argv[2]) != 1) {
		shell_error(sh, "'%s' is not one key", argv[2]);
		return -EINVAL;
	}
	error = vm_sysrq(vm, argv[2][0]);
	if (error)
		shell_error(sh, "%s %s", argv[1], error == -ENOTCONN ? "does not listen to its console" :
								       "has too much unread input");
	return error;
}

SHELL_COMMAND(vm_sysrq) = {
	"vm sysrq", "VM KEY", "press a SysRq key at a guest's console", vm_sysrq_command,
	"Linux takes a letter behind a BREAK for one: s syncs disks, b resets, t shows tasks, h tells of others.\n",
};
