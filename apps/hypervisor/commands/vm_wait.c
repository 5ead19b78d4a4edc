/* The monitor's `wait`: until a VM is in a state. */
#include <errno.h>
#include <string.h>

#include <caisson/time.h>
#include <shell/output.h>
#include <shell/shell.h>
#include <vmm/vm.h>

#include "vm_commands.h"

#define DEFAULT_S "60"
#define LOOK_AGAIN_US 2000

/* Is this the state that the person means by a word of the usage line? vm NULL: it was deleted. */
static bool is_in_state(const struct vm *vm, const char *word)
{
	if (!vm || strcmp(word, "deleted") == 0)
		return !vm && strcmp(word, "deleted") == 0;
	if (strcmp(word, "ended") == 0)
		return vm->state == VM_ENDED;
	if (strcmp(word, "shutdown") == 0)
		return strcmp(vm_state_name(vm), "shut down") == 0;
	return strcmp(vm_state_name(vm), word) == 0;
}

static int give_up(struct shell *sh, const char *name, const char *seconds)
{
	const struct vm *vm = vm_by_name(name);

	if (vm)
		shell_error(sh, "wait: %s is %s after %s s", name, vm_state_name(vm), seconds);
	else
		shell_error(sh, "wait: there is no VM %s after %s s", name, seconds);
	return -ETIMEDOUT;
}

static int do_wait(struct shell *sh, int argc, char **argv)
{
	const char *seconds = argc == 4 ? argv[3] : DEFAULT_S;
	char name[VM_NAME_MAX];
	uint64_t ticks, deadline;
	struct vm *vm;

	if (shell_seconds(sh, seconds, &ticks))
		return -EINVAL;
	vm = strcmp(argv[2], "deleted") == 0 ? vm_by_name(argv[1]) : vm_command_find(sh, argv[1]);
	if (!vm)
		return strcmp(argv[2], "deleted") == 0 ? 0 : -ENOENT;
	memcpy(name, vm->config->name, sizeof(name));
	deadline = time_now() + ticks;
	while (!is_in_state(vm_by_name(name), argv[2])) {
		if (time_now() >= deadline)
			return give_up(sh, name, seconds);
		if (sh->wait(sh, MIN(deadline, time_now() + time_from_us(LOOK_AGAIN_US)), false))
			return -EINTR;
	}
	return 0;
}

SHELL_COMMAND(wait) = {
	"wait", "VM created|running|paused|stopping|stopped|crashed|shutdown|ended|restarting|deleted [SECONDS]",
	"wait until a VM is in a state", do_wait,
	"`ended` is any of stopped, crashed and shut down. After SECONDS (60 if not said) it fails.\n"
	"A state that lasts less than 2 ms may be missed.\n",
};
