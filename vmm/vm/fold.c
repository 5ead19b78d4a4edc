/* Blocks of a VM's RAM that become one leaf (vmm/fold.h). */
#include <vmm/fold.h>

#include <errno.h>

#include <caisson/mm.h>
#include <caisson/time.h>
#include <vmm/memory.h>
#include <vmm/virtio.h>
#include <vmm/vm.h>

#define BLOCK_SIZE (2 * MiB)
#define PAGES_MIN 128    /* of a block's 512: the others cost memory that the guest may never ask for */
#define SPARE 8          /* this part of all memory stays free */

bool vm_fold_plentiful(void)
{
	return frame_free_count() >= frame_total_count() / SPARE + BLOCK_SIZE / PAGE_SIZE;
}

bool vm_is_split(const struct vm *vm)
{
	return vm->space.split != 0 && !vm->own_harts;
}

void guest_stop_fold(struct vm *vm)
{
	aspace_fold_stop(&vm->space);
}

/* Does the block show this byte of the kernel's? */
static bool shows(struct vm *vm, uint64_t at, const void *kva)
{
	uint64_t page = ALIGN_DOWN(kva_to_hpa(kva).v, PAGE_SIZE);

	for (uint64_t off = 0; off < BLOCK_SIZE; off += PAGE_SIZE) {
		struct pt_leaf leaf;

		if (pt_walk(vm->space.format, vm->space.root, at + off, &leaf) == 0 && leaf.hpa.v == page)
			return true;
	}
	return false;
}

/* Such a record is written whenever its vCPU's task gets a hart, also while it stands still. */
static bool has_steal_record(struct vm *vm, uint64_t at)
{
	for (unsigned i = 0; i < vm->n_vcpus; i++)
		if (vm->vcpus[i]->steal.record && shows(vm, at, vm->vcpus[i]->steal.record))
			return true;
	return false;
}

static void end_moving(struct vm *vm, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		vio_move_end(vm->vios[i]);
}

/* @return false: a request of one of its devices is under way. */
static bool begin_moving(struct vm *vm)
{
	for (unsigned i = 0; i < vm->n_vios; i++)
		if (!vio_move_begin(vm->vios[i])) {
			end_moving(vm, i);
			return false;
		}
	return true;
}

/* The block is there, the vCPUs stand still. */
static int move(struct vm *vm, struct aspace_fold *fold)
{
	int error;

	if (has_steal_record(vm, fold->at) || !begin_moving(vm))
		return -EAGAIN;
	error = aspace_fold_copy(&vm->space, fold);
	if (!error)
		error = aspace_fold_commit(&vm->space, fold);
	end_moving(vm, vm->n_vios);
	return error;
}

static int fold_still(struct vm *vm, struct aspace_fold *fold)
{
	uint64_t since = time_now();
	int error = vm_stand_still(vm);

	if (error) {
		aspace_fold_end(&vm->space, fold);
		return -EAGAIN;
	}
	error = move(vm, fold);
	aspace_fold_end(&vm->space, fold);
	vm_go_on(vm);
	vm->fold.longest = MAX(vm->fold.longest, time_now() - since);
	return error;
}

int vm_fold(struct vm *vm)
{
	struct aspace_fold fold;
	int error;

	if (!vm_fold_plentiful())
		return -ENOMEM;
	if (!vm_is_split(vm) || !aspace_fold_next(&vm->space, &vm->fold.next, PAGES_MIN))
		return -ENOENT;
	error = aspace_fold_begin(&vm->space, vm->fold.next, &fold);
	if (error)
		return error;
	vm->fold.next += BLOCK_SIZE;
	error = fold_still(vm, &fold);
	if (error)
		vm->fold.stopped++;
	return error;
}
