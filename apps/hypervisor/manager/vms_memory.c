/* VMs that wait for memory. */
#include "vms_memory.h"
#include "vms_fold.h"

#include "../monitor.h"
#include "../report.h"

#include <caisson/log.h>
#include <caisson/time.h>
#include <vmm/vm.h>

#define LOG_NAME "vmm"
/* One that found no memory so shortly after some came back may just have missed it: it tries again. */
#define JUST_FREED_US 20000

static uint64_t freed_at; /* ticks */

static bool is_news(struct vm *vm, void *arg)
{
	struct vm **found = arg;

	if (__atomic_load_n(&vm->held, __ATOMIC_ACQUIRE) != VM_HELD_NEWS)
		return true;
	*found = vm;
	return false;
}

static struct vm *news(void)
{
	struct vm *vm = NULL;

	vm_for_each(is_news, &vm);
	return vm;
}

bool vms_memory_news(void)
{
	return news() != NULL;
}

/* Can it still give memory back by itself: does it run, or end? */
static bool goes_on(struct vm *vm, void *arg)
{
	bool *any = arg;
	bool waits = vm->held != VM_NOT_HELD && vm->end == VM_END_NONE;

	*any |= (vm->state == VM_RUNNING && !waits) ||
		vm->plan.step == VM_STEP_RESTART;
	return true;
}

static bool any_goes_on(void)
{
	bool any = false;

	vm_for_each(goes_on, &any);
	return any;
}

static void tell(struct vm *vm, bool batch)
{
	log_warn("%s: paused: the machine is out of memory", vm->config->name);
	if (!batch)
		monitor_vm_held(vm);
	else if (any_goes_on())
		report_error("%s: paused: the machine is out of memory; it goes on when another VM has ended",
			     vm->config->name);
	else
		vm_end(vm, VM_END_CRASH, 1, "the machine is out of memory (guest touched %lx)",
		       (unsigned long)vm->held_at);
}

void vms_memory_serve(bool batch)
{
	struct vm *vm = news();

	if (!vm)
		return;
	if (time_now() - freed_at < time_from_us(JUST_FREED_US)) {
		vm_unhold(vm);
		return;
	}
	vm->held = VM_HELD;
	tell(vm, batch);
}

static bool let_go_on(struct vm *vm, void *arg)
{
	(void)arg;
	vm_unhold(vm);
	return true;
}

void vms_memory_freed(void)
{
	freed_at = time_now();
	vms_fold_freed();
	vm_for_each(let_go_on, NULL);
}
