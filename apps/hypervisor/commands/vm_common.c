/* What the monitor's commands about VMs share. */
#include "vm_commands.h"

#include <stdio.h>
#include <stdlib.h>

#include <arch/sbi.h>
#include <caisson/aspace.h>
#include <caisson/console.h>
#include <caisson/task.h>
#include <caisson/time.h>
#include <vmm/vm.h>

#include "../manager/vms_stop.h"

const char *vm_state_name(const struct vm *vm)
{
	static const char *const ends[] = {
		[VM_END_NONE] = "ended", [VM_END_SHUTDOWN] = "shut down", [VM_END_RESET] = "resetting",
		[VM_END_CRASH] = "crashed", [VM_END_STOPPED] = "stopped",
	};

	switch (vm->state) {
	case VM_CREATED: return "created";
	case VM_BOOTED: return "created";
	case VM_RUNNING: return vms_stopping(vm) ? "stopping" : vm->paused ? "paused" : "running";
	case VM_ENDING: return "ending";
	case VM_ENDED: break;
	}
	if (vm->plan.step == VM_STEP_RESTART)
		return "restarting";
	return ends[vm->end];
}

const char *vm_end_reason(const struct vm *vm)
{
	return vm->state == VM_ENDED && vm->reason[0] ? vm->reason : NULL;
}

/* --- finding --- */

struct names {
	char text[160];
	size_t n;
};

static bool add_name(struct vm *vm, void *arg)
{
	struct names *names = arg;

	names->n += (size_t)snprintf(names->text + names->n, sizeof(names->text) - names->n, "%s %s (%u)",
				     names->n ? "," : "there is", vm->config->name, vm->id);
	return names->n < sizeof(names->text);
}

static struct vm *vm_by_number(const char *word)
{
	char *end;
	unsigned long id = strtoul(word, &end, 10);
	bool is_number = *word >= '0' && *word <= '9' && *end == '\0';

	return is_number && id <= CONSOLE_MAX ? vm_by_id((unsigned)id) : NULL;
}

struct vm *vm_command_find(struct shell *sh, const char *word)
{
	struct vm *vm = vm_by_name(word);
	struct names names = { .text = "" };

	if (!vm)
		vm = vm_by_number(word);
	if (!vm) {
		vm_for_each(add_name, &names);
		shell_error(sh, "no VM '%s'; %s", word, names.n ? names.text : "there are none");
	}
	return vm;
}

/* --- vCPUs --- */

uint64_t vcpu_exits_total(const struct vcpu *v)
{
	uint64_t total = 0;

	for (unsigned kind = 0; kind < EXIT_KINDS; kind++)
		total += v->exits[kind];
	return total;
}

const char *vcpu_state_name(const struct vcpu *v)
{
	unsigned hsm = __atomic_load_n(&v->hsm_state, __ATOMIC_RELAXED);

	if (hsm == SBI_HSM_STOPPED || hsm == SBI_HSM_STOP_PENDING)
		return "stopped";
	if (hsm == SBI_HSM_SUSPENDED)
		return "suspended";
	return __atomic_load_n(&v->running_on, __ATOMIC_RELAXED) >= 0 ? "running" : "waiting";
}

/* --- memory --- */

/* A reboot meanwhile takes the area away. */
uint64_t vm_backed_bytes(struct vm *vm)
{
	irqflags_t flags = spin_lock_irqsave(&vm->space.lock);
	const struct area *ram = aspace_find(&vm->space, vm->ram_start);
	uint64_t frames = ram ? ram->frames : 0;

	spin_unlock_irqrestore(&vm->space.lock, flags);
	return frames * PAGE_SIZE;
}

const char *vm_hart_names(const struct vm *vm, char *out)
{
	uint64_t mask = vm->share.hart_mask;
	size_t n = 0;

	out[0] = '\0';
	for (unsigned i = 0; i < 64; i++)
		if (mask >> i & 1)
			n += (size_t)snprintf(out + n, VM_HARTS_TEXT - n, "%s%u", n ? "," : "", i);
	return mask ? out : "all";
}
