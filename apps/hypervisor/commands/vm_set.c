/* The monitor's command vm set: a VM's weight, cap and harts, changed while it runs. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <caisson/hart.h>
#include <vmm/vm.h>

#include "vm_commands.h"

static int set_weight(struct shell *sh, struct vm *vm, const char *word)
{
	uint64_t weight;

	if (shell_number(sh, word, 1, VM_WEIGHT_MAX, &weight))
		return -EINVAL;
	return vm_set_weight(vm, weight);
}

static int set_cap(struct shell *sh, struct vm *vm, const char *word)
{
	uint64_t percent = VM_CAP_NONE;
	int error;

	if (strcmp(word, "none") != 0 && shell_number(sh, word, 1, 100 * vm->n_vcpus, &percent))
		return -EINVAL;
	error = vm_set_cap(vm, percent);
	if (error)
		shell_error(sh, "cap: %s has harts of its own (exclusive)", vm->config->name);
	return error;
}

/* A decimal number without sign, below HART_MAX; *word moves behind it. @return -1: there is none. */
static int hart_number(const char **word)
{
	char *end;
	unsigned long n;

	if (**word < '0' || **word > '9')
		return -1;
	n = strtoul(*word, &end, 10);
	*word = end;
	return n < HART_MAX ? (int)n : -1;
}

/* "0,2-5". @return 0: it is no such list. */
static uint64_t hart_list(const char *word)
{
	uint64_t mask = 0;

	for (;;) {
		int first = hart_number(&word), last = first;

		if (first >= 0 && *word == '-') {
			word++;
			last = hart_number(&word);
		}
		if (first < 0 || last < first)
			return 0;
		for (int h = first; h <= last; h++)
			mask |= BIT(h);
		if (!*word)
			return mask;
		if (*word++ != ',')
			return 0;
	}
}

static int set_harts(struct shell *sh, struct vm *vm, const char *word)
{
	uint64_t mask = strcmp(word, "all") == 0 ? 0 : hart_list(word);
	char err[128];
	int error;

	if (!mask && strcmp(word, "all") != 0) {
		shell_error(sh, "'%s' is no list of harts such as 0,2-3, nor \"all\"", word);
		return -EINVAL;
	}
	error = vm_set_harts(vm, mask, err, sizeof(err));
	if (error)
		shell_error(sh, "%s: %s", vm->config->name, err);
	return error;
}

static int vm_set(struct shell *sh, int argc, char **argv)
{
	struct vm *vm = vm_command_find(sh, argv[1]);

	(void)argc;
	if (!vm)
		return -ENOENT;
	if (strcmp(argv[2], "weight") == 0)
		return set_weight(sh, vm, argv[3]);
	if (strcmp(argv[2], "cap") == 0)
		return set_cap(sh, vm, argv[3]);
	return set_harts(sh, vm, argv[3]);
}

SHELL_COMMAND(vm_set) = {
	"vm set", "VM weight|cap|harts VALUE", "change a VM's part of the harts, at once", vm_set,
	"weight  1 to 10000: its share of a hart that others want too; 100 is the default\n"
	"cap     per cent of a hart that its vCPUs have together at most, 100 for each, or none\n"
	"harts   those it may run on: 0,2-3 or all\n"
	"`vm stats` shows them. They last until the VM is deleted.\n",
};
