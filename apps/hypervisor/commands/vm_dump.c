/* The monitor's `vm dump`: keeping the VM still while its state is copied, then showing the copy. */
#include "vm_dump.h"

#include <errno.h>
#include <string.h>

#include <caisson/mm.h>
#include <caisson/task.h>
#include <caisson/time.h>
#include <shell/output.h>
#include <vmm/vm.h>

#include "vm_commands.h"
#include "../manager/vms.h"

#define SETTLE_US 20000 /* for vCPUs to be switched out, once they are out of the guest */
#define LOOK_AGAIN_US 50

static const struct vm_dump_part *const parts[] = { &vm_dump_regs, &vm_dump_map, &vm_dump_dt, &vm_dump_irq };

/* What `vm dump` says of itself. */
struct dump_row {
	const char *name, *state;
	uint64_t consistent;
};

static const struct shell_field dump_fields[] = {
	SHELL_FIELD(struct dump_row, name, SHELL_TEXT, "name", 0),
	SHELL_FIELD(struct dump_row, state, SHELL_TEXT, "state", 0),
	SHELL_FIELD(struct dump_row, consistent, SHELL_FLAG, NULL, 0),
};
static const struct shell_layout dump_layout = SHELL_LAYOUT(dump_fields);

struct on_hart {
	const struct vm *vm;
	bool any;
};

static void look_at_task(const struct task *t, void *arg)
{
	struct on_hart *look = arg;

	for (unsigned i = 0; i < look->vm->n_vcpus; i++)
		look->any |= t->ext == &look->vm->vcpus[i]->ext && t->on_hart;
}

/* The CSRs of a vCPU are saved when its task is switched out. @return whether all are. */
static bool settle(const struct vm *vm)
{
	uint64_t deadline = time_now() + time_from_us(SETTLE_US);
	struct on_hart look = { .vm = vm };

	for (;;) {
		look.any = false;
		task_for_each(look_at_task, &look);
		if (!look.any || time_now() >= deadline)
			return !look.any;
		task_sleep_until(time_now() + time_from_us(LOOK_AGAIN_US));
	}
}

/* @return whether it is to be resumed. */
static bool keep_still(struct vm *vm, bool *consistent)
{
	char err[8];
	bool ours = vm->state == VM_RUNNING && !vm->paused;
	int error = ours ? vms_order(VMS_PAUSE, vm, NULL, err, sizeof(err)) : 0;

	*consistent = error == 0 && settle(vm);
	return ours && (error == 0 || error == -ETIMEDOUT);
}

static void let_go_on(struct vm *vm)
{
	char err[8];

	/* It may have ended meanwhile. */
	(void)!vms_order(VMS_RESUME, vm, NULL, err, sizeof(err));
}

static bool is_wanted(const struct vm_dump_part *part, const char *only)
{
	return !only || strcmp(part->name, only) == 0;
}

static bool take(struct vm *vm, const char *only, void **copies)
{
	bool all = true;

	for (unsigned i = 0; i < ARRAY_SIZE(parts); i++) {
		copies[i] = is_wanted(parts[i], only) ? parts[i]->take(vm) : NULL;
		all &= copies[i] || !is_wanted(parts[i], only);
	}
	return all;
}

static void show(struct shell *sh, const struct dump_row *row, void **copies)
{
	shell_object(sh, NULL);
	shell_members(sh, &dump_layout, row);
	if (!row->consistent)
		shell_say(sh, "a vCPU did not come out of the guest in time: what follows is a snapshot of it as it ran\n");
	for (unsigned i = 0; i < ARRAY_SIZE(parts); i++)
		if (copies[i])
			parts[i]->show(sh, copies[i]);
	shell_object_end(sh);
}

static int vm_dump(struct shell *sh, int argc, char **argv)
{
	struct vm *vm = vm_command_find(sh, argv[1]);
	void *copies[ARRAY_SIZE(parts)];
	struct dump_row row;
	bool consistent, ours, all;

	if (!vm)
		return -ENOENT;
	row = (struct dump_row){ .name = vm->config->name, .state = vm_state_name(vm) };
	ours = keep_still(vm, &consistent);
	all = take(vm, argc > 2 ? argv[2] : NULL, copies);
	if (ours)
		let_go_on(vm);
	row.consistent = consistent;
	if (all)
		show(sh, &row, copies);
	else
		shell_error(sh, "no memory for a copy of its state");
	for (unsigned i = 0; i < ARRAY_SIZE(parts); i++)
		kfree(copies[i]);
	return all ? 0 : -ENOMEM;
}

SHELL_COMMAND(vm_dump) = {
	"vm dump", "VM [regs|map|dt|irq] [--json]", "a VM's registers, memory map, device tree, IRQs", vm_dump,
	"regs: registers and VS CSRs of each vCPU       map: areas of its memory, and what of them is mapped\n"
	"dt:   the device tree as it is built for it    irq: the interrupt controller, what is pending where\n"
	"A VM that runs is paused for a moment, so that all is of one time.\n",
};
