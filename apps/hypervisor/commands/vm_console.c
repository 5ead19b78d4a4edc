/* The monitor's commands about the VMs' consoles: vm console, vm scrollback. */
#include <errno.h>

#include <shell/shell.h>
#include <vmm/console_mux.h>
#include <vmm/vm.h>

#include "../monitor.h"
#include "vm_commands.h"

#define DEFAULT_LINES 20
#define MAX_LINES 1048576 /* no ring has more */

static int vm_console(struct shell *sh, int argc, char **argv)
{
	struct vm *vm = vm_command_find(sh, argv[1]);

	(void)argc;
	if (!vm)
		return -ENOENT;
	monitor_attach(vm);
	return 0;
}

SHELL_COMMAND(vm_console) = {
	"vm console", "VM", "go to a VM's console (Ctrl-] comes back)", vm_console,
	"What the VM wrote while nobody looked is shown first, with some lines before it.\n"
	"At an empty prompt Ctrl-] goes back to the VM one came from, ] and [ go to the next\n"
	"and the previous one, and a digit goes to the VM with that id.\n",
};

static int vm_scrollback(struct shell *sh, int argc, char **argv)
{
	struct vm *vm = vm_command_find(sh, argv[1]);
	uint64_t lines = DEFAULT_LINES, at;
	char buf[128], last = '\n';
	struct console_stats console;
	uint64_t left;
	size_t n;

	if (!vm)
		return -ENOENT;
	if (argc == 3 && shell_number(sh, argv[2], 1, MAX_LINES, &lines))
		return -EINVAL;
	at = console_mux_tail(vm, (unsigned)lines);
	console_mux_stats(vm, &console);
	/* No more than is kept now: its guest may write faster than we print. */
	for (left = console.size; (n = console_mux_copy(vm, &at, buf, MIN(left, sizeof(buf)))) != 0; left -= n) {
		sh->write(sh, buf, n);
		last = buf[n - 1];
	}
	if (last != '\n')
		shell_printf(sh, "\n");
	return 0;
}

SHELL_COMMAND(vm_scrollback) = {
	"vm scrollback", "VM [LINES]", "the last lines a VM wrote (20 if not said)", vm_scrollback,
	"They count as unseen as before. How much is kept says the key `scrollback` of its description.\n"
	"With --batch nothing is kept.\n",
};
