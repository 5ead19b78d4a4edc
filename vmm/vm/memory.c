/* Guest memory: checked access to a VM's RAM. */
#include <errno.h>
#include <string.h>

#include <caisson/mm.h>
#include <vmm/memory.h>
#include <vmm/vm.h>

bool guest_in_ram(const struct vm *vm, gpa_t start, uint64_t n)
{
	uint64_t off = start.v - vm->ram_start;

	return start.v >= vm->ram_start && off <= vm->ram_size && n <= vm->ram_size - off;
}

static int copy(struct vm *vm, uint64_t gpa, char *host, uint64_t n, unsigned access)
{
	while (n) {
		hpa_t hpa;
		uint64_t len;

		if (aspace_resolve(&vm->space, gpa, access, &hpa, &len) != FAULT_RESOLVED)
			return -ENOMEM;
		len = MIN(len, n);
		if (access == PERM_W)
			memcpy(hpa_to_kva(hpa), host, len);
		else
			memcpy(host, hpa_to_kva(hpa), len);
		gpa += len;
		host += len;
		n -= len;
	}
	return 0;
}

void *guest_address(struct vm *vm, gpa_t at, uint64_t n)
{
	uint64_t len;
	hpa_t hpa;

	if (!guest_in_ram(vm, at, n) || n > PAGE_SIZE - (at.v & (PAGE_SIZE - 1)))
		return NULL;
	if (aspace_resolve(&vm->space, at.v, PERM_W, &hpa, &len) != FAULT_RESOLVED)
		return NULL;
	return hpa_to_kva(hpa);
}

int guest_segment(struct vm *vm, gpa_t at, uint64_t n, struct segment *out)
{
	uint64_t len;
	hpa_t hpa;

	if (n == 0 || !guest_in_ram(vm, at, n))
		return -EFAULT;
	if (aspace_resolve(&vm->space, at.v, PERM_W, &hpa, &len) != FAULT_RESOLVED)
		return -ENOMEM;
	*out = (struct segment){ .data = hpa_to_kva(hpa), .len = (uint32_t)MIN(MIN(len, n), GiB) };
	return 0;
}

int guest_extent(struct vm *vm, gpa_t at, struct guest_extent *out)
{
	uint64_t len, before;
	hpa_t hpa;

	if (aspace_resolve(&vm->space, at.v, PERM_W, &hpa, &len) != FAULT_RESOLVED)
		return -ENOMEM;
	/* More than a page is left: it is one of 2 MiB at least, aligned to that on both sides. */
	before = at.v & ((len > PAGE_SIZE ? 2 * MiB : PAGE_SIZE) - 1);
	*out = (struct guest_extent){ at.v - before, before + len, (char *)hpa_to_kva(hpa) - before };
	return 0;
}

int guest_read(struct vm *vm, gpa_t from, void *to, uint64_t n)
{
	if (!guest_in_ram(vm, from, n))
		return -EFAULT;
	return copy(vm, from.v, to, n, PERM_R);
}

int guest_write(struct vm *vm, gpa_t to, const void *from, uint64_t n)
{
	if (!guest_in_ram(vm, to, n))
		return -EFAULT;
	return copy(vm, to.v, (char *)(uintptr_t)from, n, PERM_W);
}
