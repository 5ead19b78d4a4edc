/* A VM's places for virtio devices. */
#include <errno.h>
#include <stdio.h>

#include <caisson/mm.h>
#include <vmm/virtio.h>
#include <vmm/virtio_rng.h>
#include <vmm/vm.h>

int vio_add(struct vm *vm, const struct vio_type *type, const char *label, void *backend, struct vio **out)
{
	unsigned place = vm->n_vios, devices = vm->n_vdevs;
	struct vio *dev;
	int error;

	if (place == GUEST_VIRTIO_PLACES)
		return -ENOSPC;
	dev = vio_new(type, backend);
	if (!dev)
		return -ENOMEM;
	snprintf(dev->label, sizeof(dev->label), "%s: %s", vm->config->name, label);
	error = vm_device_add(vm, &vio_mmio_type, GUEST_VIRTIO_BASE + place * PAGE_SIZE, GUEST_VIRTIO_IRQ + place, dev);
	if (error) {
		if (vm->n_vdevs == devices) /* else it goes with the VM's other devices */
			kfree(dev);
		return error;
	}
	vm->vios[vm->n_vios++] = *out = dev;
	return 0;
}

int vm_entropy_create(struct vm *vm, char *err, size_t err_size)
{
	struct vio *dev;
	int error;

	if (!vm->config->entropy)
		return 0;
	error = vio_add(vm, &vio_rng_type, "entropy", NULL, &dev);
	if (error == -ENOSPC)
		snprintf(err, err_size, "entropy: all %u places for virtio devices are taken", GUEST_VIRTIO_PLACES);
	else if (error)
		snprintf(err, err_size, "entropy: cannot be created (error %d)", error);
	return error;
}
