/* Where the vCPUs of a VM may run: anywhere. */
#include <vmm/partition.h>

uint64_t vm_vcpu_harts(const struct vm *vm, unsigned id)
{
	(void)vm;
	(void)id;
	return 0;
}
