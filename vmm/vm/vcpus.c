/* The set of a VM's vCPUs: 1 to VM_VCPUS_MAX, with the ids 0, 1, 2 ... (H6). */
#include <errno.h>

#include <vmm/vm.h>

/* All know all: SBI calls name their targets by mask. */
static void introduce(struct vm *vm)
{
	for (unsigned i = 0; i < vm->n_vcpus; i++)
		vm->vcpus[i]->siblings = BIT(vm->n_vcpus) - 1;
}

int vm_vcpu_add(struct vm *vm, unsigned id)
{
	struct vcpu *v;

	if (id < vm->n_vcpus)
		return -EEXIST;
	if (id > vm->n_vcpus || id >= VM_VCPUS_MAX)
		return -EINVAL;
	v = vcpu_create(vm, id);
	if (!v)
		return -ENOMEM;
	vm->vcpus[vm->n_vcpus++] = v;
	introduce(vm);
	return 0;
}
