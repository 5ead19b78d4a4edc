/* VMs whose RAM is put into large leaves again. */
#include "vms_fold.h"

#include <errno.h>

#include <caisson/time.h>
#include <vmm/fold.h>
#include <vmm/vm.h>

/* A guest stands still for each block: the rest of this time is its own. */
#define PACE_US 10000
/* One that is in use, or is not worth it yet, is looked at again after so long, then after twice as long, ... */
#define BACKOFF_US 50000
#define LONGEST_BACKOFF 5 /* x 2^5 */

static uint64_t next_at;   /* ticks */
static unsigned backoff;
static unsigned last;      /* id of the VM that had its turn */

struct turn {
	struct vm *next, *first;
};

static bool find_turn(struct vm *vm, void *arg)
{
	struct turn *t = arg;

	if (vm->state != VM_RUNNING || !vm_is_split(vm))
		return true;
	if (!t->first)
		t->first = vm;
	if (!t->next && vm->id > last)
		t->next = vm;
	return true;
}

/* In turn. */
static struct vm *whose_turn(void)
{
	struct turn t = { 0 };

	vm_for_each(find_turn, &t);
	return t.next ? t.next : t.first;
}

uint64_t vms_fold_deadline(void)
{
	return vm_fold_plentiful() && whose_turn() ? next_at : UINT64_MAX;
}

void vms_fold_serve(void)
{
	struct vm *vm = time_now() >= next_at && vm_fold_plentiful() ? whose_turn() : NULL;
	int error;

	if (!vm)
		return;
	last = vm->id;
	error = vm_fold(vm);
	if (!error)
		backoff = 0;
	next_at = time_now() + time_from_us(error ? (uint64_t)BACKOFF_US << backoff : PACE_US);
	if (error && backoff < LONGEST_BACKOFF)
		backoff++;
}

void vms_fold_freed(void)
{
	backoff = 0;
	next_at = 0;
}
