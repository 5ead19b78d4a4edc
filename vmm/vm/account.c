/* What a VM has used so far: time on harts, exits by cause. */
#include <stdio.h>

#include <caisson/log.h>
#include <caisson/time.h>
#include <vmm/vm.h>

#define LOG_NAME "vm"

struct vcpu_time {
	const struct vcpu *vcpu;
	uint64_t ticks;
};

/* The vCPU's task may end at any time: it is looked at only under the task list's lock. */
static void add_task(const struct task *t, void *arg)
{
	struct vcpu_time *time = arg;

	if (t->ext != &time->vcpu->ext)
		return;
	time->ticks = task_run_time(t);
}

uint64_t vcpu_run_time(const struct vcpu *v)
{
	struct vcpu_time time = { v, 0 };

	task_for_each(add_task, &time);
	return v->past_run_time + time.ticks;
}

static uint64_t exits(const struct vm *vm, unsigned kind)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < vm->n_vcpus; i++)
		n += vm->vcpus[i]->exits[kind];
	return n;
}

void vm_log_use(const struct vm *vm)
{
	char text[EXIT_KINDS * 40];
	uint64_t ticks = 0;
	int n = 0;

	for (unsigned i = 0; i < vm->n_vcpus; i++)
		ticks += vm->vcpus[i]->past_run_time;
	for (unsigned kind = 0; kind < EXIT_KINDS; kind++)
		n += snprintf(text + n, sizeof(text) - (size_t)n, " %s=%lu", exit_kind_name(kind),
			      (unsigned long)exits(vm, kind));
	log_info("%s: used %lu us on harts; exits:%s", vm->config->name,
		 (unsigned long)(time_to_ns(ticks) / 1000), text);
}
