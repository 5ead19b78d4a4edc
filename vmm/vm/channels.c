/* A VM's ends of channels: attached when it is made, each with a register window, shared memory and an interrupt. */
#include <errno.h>
#include <stdio.h>

#include <caisson/log.h>
#include <vmm/memory.h>
#include <vmm/vm.h>

#define LOG_NAME "vm"

/* Give the guest the n-th windows. The device, once made, detaches the end with it. */
static int show(struct vm *vm, unsigned n, struct channel_end *end)
{
	const uint64_t registers = GUEST_CHANNEL_BASE + n * PAGE_SIZE;
	const uint64_t memory = GUEST_CHANNEL_MEMORY + n * CHANNEL_SIZE_MAX;
	const unsigned perm = PERM_R | (end->write ? PERM_W : 0);
	unsigned devices = vm->n_vdevs;
	int error = vm_device_add(vm, &vchannel_type, registers, GUEST_CHANNEL_IRQ + n, end);

	if (error && vm->n_vdevs == devices)
		channel_detach(end);
	if (error)
		return error;
	return aspace_map_linear(&vm->space, memory, channel_config(end)->size, channel_memory(end), perm);
}

int vm_channels_create(struct vm *vm, char *err, size_t err_size)
{
	const struct vm_config *c = vm->config;

	for (unsigned i = 0; i < c->n_channels; i++) {
		struct channel_end *end = &vm->channels[i];
		int error = channel_attach(&c->channels[i], c->name, end, err, err_size);

		if (error)
			return error;
		error = show(vm, i, end);
		if (error) {
			snprintf(err, err_size, "channel '%s': cannot be mapped (error %d)", c->channels[i].name, error);
			return error;
		}
	}
	return 0;
}
