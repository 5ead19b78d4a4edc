/* What was executed outside guests while a VM ran (vmm/costs.h). */
#include <stdio.h>

#include <arch/outside.h>
#include <caisson/log.h>
#include <caisson/smp.h>
#include <vmm/costs.h>
#include <vmm/vm.h>

#define LOG_NAME "vm"

int costs_hart_init(void)
{
	int error = outside_start();

	if (!error && IS_ENABLED(CONFIG_COSTS_BY_CAUSE))
		costs_calibrate();
	return error;
}

static void add_hart(void *arg)
{
	struct costs_sum *sum = arg;

	__atomic_fetch_add(&sum->all, outside_count(), __ATOMIC_RELAXED);
	if (IS_ENABLED(CONFIG_COSTS_BY_CAUSE))
		__atomic_fetch_add(&sum->host, costs_host(), __ATOMIC_RELAXED);
}

static struct costs_sum of_all_harts(void)
{
	struct costs_sum sum = { 0, 0 };

	smp_call_all(add_hart, &sum);
	return sum;
}

void vm_costs_begin(struct vm *vm)
{
	struct costs_sum now = of_all_harts();

	vm->costs.all_from = now.all;
	vm->costs.host_from = now.host;
	vm->costs.counting = true;
}

struct costs_sum vm_costs_sum(const struct vm *vm)
{
	const struct vm_costs *c = &vm->costs;
	struct costs_sum sum = { c->all, c->host }, now;

	if (!c->counting)
		return sum;
	now = of_all_harts();
	sum.all += now.all - c->all_from;
	sum.host += now.host - c->host_from;
	return sum;
}

uint64_t vm_cost_of(const struct vm *vm, unsigned kind)
{
	uint64_t n = 0;

	for (unsigned i = 0; IS_ENABLED(CONFIG_COSTS_BY_CAUSE) && i < vm->n_vcpus; i++)
		n += vm->vcpus[i]->costs[kind];
	return n;
}

static void log_costs(const struct vm *vm)
{
	char text[EXIT_KINDS * 40];
	int n = 0;

	for (unsigned kind = 0; IS_ENABLED(CONFIG_COSTS_BY_CAUSE) && kind < EXIT_KINDS; kind++)
		n += snprintf(text + n, sizeof(text) - (size_t)n, "%s=%lu ", exit_kind_name(kind),
			      (unsigned long)vm_cost_of(vm, kind));
	if (IS_ENABLED(CONFIG_COSTS_BY_CAUSE))
		n += snprintf(text + n, sizeof(text) - (size_t)n, "host=%lu ", (unsigned long)vm->costs.host);
	snprintf(text + n, sizeof(text) - (size_t)n, "all=%lu", (unsigned long)vm->costs.all);
	log_info("%s: instructions outside guests: %s", vm->config->name, text);
}

void vm_costs_end(struct vm *vm)
{
	struct costs_sum sum = vm_costs_sum(vm);

	vm->costs = (struct vm_costs){ .all = sum.all, .host = sum.host };
	log_costs(vm);
}
