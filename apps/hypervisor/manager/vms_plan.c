/* What the manager means to do later. */
#include "vms_plan.h"

#include <caisson/time.h>

void vms_plan(struct vm *vm, enum vm_step step, uint64_t us)
{
	vm->plan.step = step;
	vm->plan.at = time_now() + time_from_us(us);
}

void vms_plan_nothing(struct vm *vm)
{
	vm->plan.step = VM_STEP_NONE;
}

static bool is_earlier(struct vm *vm, void *arg)
{
	struct vm **first = arg;

	if (vm->plan.step != VM_STEP_NONE && (!*first || vm->plan.at < (*first)->plan.at))
		*first = vm;
	return true;
}

static struct vm *first_planned(void)
{
	struct vm *first = NULL;

	vm_for_each(is_earlier, &first);
	return first;
}

uint64_t vms_plan_deadline(void)
{
	const struct vm *vm = first_planned();

	return vm ? vm->plan.at : UINT64_MAX;
}

struct vm *vms_plan_due(enum vm_step *step)
{
	struct vm *vm = first_planned();

	if (!vm || time_now() < vm->plan.at)
		return NULL;
	*step = vm->plan.step;
	vms_plan_nothing(vm);
	return vm;
}
