/* The monitor's commands that list VMs: vm list, vm stats; poweroff. */
#include <errno.h>

#include <caisson/time.h>
#include <shell/output.h>
#include <shell/shell.h>
#include <vmm/console_mux.h>
#include <vmm/vm.h>

#include "vm_commands.h"
#include "../manager/vms.h"

SHELL_COMMAND(vm) = { "vm", "COMMAND", "the VMs; `vm` alone lists its commands", NULL, NULL };

/* --- vm list --- */

struct list_row {
	const char *name, *state;
	uint64_t id, vcpus, memory, backed, exits;
};

static const struct shell_field list_fields[] = {
	SHELL_FIELD(struct list_row, id, SHELL_NUMBER, "id", 2),
	SHELL_FIELD(struct list_row, name, SHELL_TEXT, "name", -20),
	SHELL_FIELD(struct list_row, state, SHELL_TEXT, "state", -10),
	SHELL_FIELD(struct list_row, vcpus, SHELL_NUMBER, "vCPUs", 5),
	SHELL_FIELD(struct list_row, memory, SHELL_SIZE, "memory", 9),
	SHELL_FIELD(struct list_row, backed, SHELL_SIZE, "backed", 11),
	SHELL_FIELD(struct list_row, exits, SHELL_NUMBER, "exits", 12),
};
static const struct shell_layout list_layout = SHELL_LAYOUT(list_fields);

static bool list_vm(struct vm *vm, void *arg)
{
	struct list_row row = {
		.id = vm->id, .name = vm->config->name, .state = vm_state_name(vm), .vcpus = vm->n_vcpus,
		.memory = vm->ram_size, .backed = vm_backed_bytes(vm),
	};

	for (unsigned i = 0; i < vm->n_vcpus; i++)
		row.exits += vcpu_exits_total(vm->vcpus[i]);
	shell_row(arg, &list_layout, &row);
	return true;
}

static int vm_list(struct shell *sh, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	shell_table(sh, NULL, &list_layout);
	vm_for_each(list_vm, sh);
	shell_table_end(sh);
	return 0;
}

SHELL_COMMAND(vm_list) = {
	"vm list", "[--json]", "the VMs: state, vCPUs, memory, exits", vm_list,
	"`memory` is what the VM sees, `backed` what it has touched and so takes of the machine.\n",
};

/* --- vm stats --- */

struct stats_row {
	const char *name, *state, *reason, *harts;
	uint64_t memory, backed, tables, huge, large, small, folds, stopped, still, starts, kept, unseen, lost, dropped, exclusive;
	uint64_t weight, cap, throttled;
};

static const struct shell_field stats_fields[] = {
	SHELL_FIELD(struct stats_row, name, SHELL_TEXT, "name", 0),
	SHELL_FIELD(struct stats_row, state, SHELL_TEXT, "state", 0),
	SHELL_FIELD(struct stats_row, reason, SHELL_TEXT, "reason", 0),
	SHELL_FIELD(struct stats_row, starts, SHELL_NUMBER, "starts", 0),
	SHELL_FIELD(struct stats_row, memory, SHELL_SIZE, "memory", 0),
	SHELL_FIELD(struct stats_row, backed, SHELL_SIZE, "backed", 0),
	SHELL_FIELD(struct stats_row, tables, SHELL_SIZE, "page tables", 0),
	SHELL_FIELD(struct stats_row, huge, SHELL_NUMBER, "leaves of 1 GiB", 0),
	SHELL_FIELD(struct stats_row, large, SHELL_NUMBER, "leaves of 2 MiB", 0),
	SHELL_FIELD(struct stats_row, small, SHELL_NUMBER, "leaves of 4 KiB", 0),
	SHELL_FIELD(struct stats_row, folds, SHELL_NUMBER, "blocks folded", 0),
	SHELL_FIELD(struct stats_row, stopped, SHELL_NUMBER, "folds given up", 0),
	SHELL_FIELD(struct stats_row, still, SHELL_TIME, "longest stop for one", 0),
	SHELL_FIELD(struct stats_row, kept, SHELL_SIZE, "console scrollback", 0),
	SHELL_FIELD(struct stats_row, unseen, SHELL_NUMBER, "console bytes unseen", 0),
	SHELL_FIELD(struct stats_row, lost, SHELL_NUMBER, "console bytes lost", 0),
	SHELL_FIELD(struct stats_row, dropped, SHELL_NUMBER, "typed bytes dropped", 0),
	SHELL_FIELD(struct stats_row, exclusive, SHELL_FLAG, "harts of its own", 0),
	SHELL_FIELD(struct stats_row, weight, SHELL_NUMBER, "weight", 0),
	SHELL_FIELD(struct stats_row, cap, SHELL_NUMBER, "cap in % of a hart (0: none)", 0),
	SHELL_FIELD(struct stats_row, throttled, SHELL_NUMBER, "times at the cap", 0),
	SHELL_FIELD(struct stats_row, harts, SHELL_TEXT, "harts", 0),
};
static const struct shell_layout stats_layout = SHELL_LAYOUT(stats_fields);

struct vcpu_row {
	const char *state;
	uint64_t vcpu, run_time, idle_time, exits, spins;
};

static const struct shell_field vcpu_fields[] = {
	SHELL_FIELD(struct vcpu_row, vcpu, SHELL_NUMBER, "vCPU", 4),
	SHELL_FIELD(struct vcpu_row, state, SHELL_TEXT, "state", -9),
	SHELL_FIELD(struct vcpu_row, run_time, SHELL_TIME, "on a hart", 12),
	SHELL_FIELD(struct vcpu_row, idle_time, SHELL_TIME, "of that idle", 12),
	SHELL_FIELD(struct vcpu_row, exits, SHELL_NUMBER, "exits", 12),
	SHELL_FIELD(struct vcpu_row, spins, SHELL_NUMBER, "spins", 8),
};
static const struct shell_layout vcpu_layout = SHELL_LAYOUT(vcpu_fields);

struct exit_row {
	const char *cause;
	uint64_t vcpu, exits;
};

static const struct shell_field exit_fields[] = {
	SHELL_FIELD(struct exit_row, vcpu, SHELL_NUMBER, "vCPU", 4),
	SHELL_FIELD(struct exit_row, cause, SHELL_TEXT, "cause", -14),
	SHELL_FIELD(struct exit_row, exits, SHELL_NUMBER, "exits", 12),
};
static const struct shell_layout exit_layout = SHELL_LAYOUT(exit_fields);

static void show_vcpus(struct shell *sh, struct vm *vm)
{
	shell_table(sh, "vcpus", &vcpu_layout);
	for (unsigned i = 0; i < vm->n_vcpus; i++) {
		const struct vcpu *v = vm->vcpus[i];

		shell_row(sh, &vcpu_layout, &(struct vcpu_row){
			.vcpu = i, .state = vcpu_state_name(v), .run_time = time_to_ns(vcpu_run_time(v)),
			.idle_time = time_to_ns(v->idle_ticks), .exits = vcpu_exits_total(v), .spins = v->spin.count,
		});
	}
	shell_table_end(sh);
}

static void show_exits(struct shell *sh, struct vm *vm)
{
	shell_table(sh, "exits", &exit_layout);
	for (unsigned i = 0; i < vm->n_vcpus * EXIT_KINDS; i++) {
		unsigned kind = i % EXIT_KINDS;
		struct exit_row row = { exit_kind_name(kind), i / EXIT_KINDS,
					vm->vcpus[i / EXIT_KINDS]->exits[kind] };

		if (row.exits)
			shell_row(sh, &exit_layout, &row);
	}
	shell_table_end(sh);
}

struct cost_row {
	const char *cause;
	uint64_t instructions;
};

static const struct shell_field cost_fields[] = {
	SHELL_FIELD(struct cost_row, cause, SHELL_TEXT, "cause", -14),
	SHELL_FIELD(struct cost_row, instructions, SHELL_NUMBER, "instructions", 14),
};
static const struct shell_layout cost_layout = SHELL_LAYOUT(cost_fields);

/* Builds with COSTS: what was executed outside guests since the VM began. */
static void show_costs(struct shell *sh, const struct vm *vm)
{
	struct costs_sum sum = vm_costs_sum(vm);

	shell_table(sh, "costs", &cost_layout);
	for (unsigned kind = 0; IS_ENABLED(CONFIG_COSTS_BY_CAUSE) && kind < EXIT_KINDS; kind++) {
		struct cost_row row = { exit_kind_name(kind), vm_cost_of(vm, kind) };

		if (row.instructions)
			shell_row(sh, &cost_layout, &row);
	}
	if (IS_ENABLED(CONFIG_COSTS_BY_CAUSE))
		shell_row(sh, &cost_layout, &(struct cost_row){ "host", sum.host });
	shell_row(sh, &cost_layout, &(struct cost_row){ "all", sum.all });
	shell_table_end(sh);
}

static int vm_stats(struct shell *sh, int argc, char **argv)
{
	struct vm *vm = vm_command_find(sh, argv[1]);
	struct console_stats console;
	char hart_names[VM_HARTS_TEXT];

	(void)argc;
	if (!vm)
		return -ENOENT;
	console_mux_stats(vm, &console);
	shell_object(sh, NULL);
	shell_members(sh, &stats_layout, &(struct stats_row){
		.name = vm->config->name, .state = vm_state_name(vm), .reason = vm_end_reason(vm),
		.memory = vm->ram_size, .backed = vm_backed_bytes(vm), .tables = vm->space.tables * PAGE_SIZE,
		.huge = vm->space.leaves[2], .large = vm->space.leaves[1], .small = vm->space.leaves[0],
		.folds = vm->space.folds, .stopped = vm->fold.stopped, .still = time_to_ns(vm->fold.longest),
		.starts = vm->boots, .kept = console.size, .unseen = console.unseen, .lost = console.lost,
		.dropped = console.dropped,
		.exclusive = vm->own_harts != 0,
		.weight = vm->share.weight, .cap = vm->share.cap, .throttled = vm->share.throttled,
		.harts = vm_hart_names(vm, hart_names),
	});
	show_vcpus(sh, vm);
	show_exits(sh, vm);
	if (IS_ENABLED(CONFIG_COSTS))
		show_costs(sh, vm);
	shell_object_end(sh);
	return 0;
}

SHELL_COMMAND(vm_stats) = {
	"vm stats", "VM [--json]", "run time, memory and exits by cause of a VM", vm_stats,
	"Counts begin anew with each start. `top` shows them per second.\n",
};

/* --- others --- */

static int do_poweroff(struct shell *sh, int argc, char **argv)
{
	(void)sh;
	(void)argc;
	(void)argv;
	vms_poweroff();
	return 0;
}

SHELL_COMMAND(poweroff) = {
	"poweroff", "", "stop all VMs and end the machine", do_poweroff,
	"./caisson ends with status 0, or 1 if a VM has crashed.\n",
};
