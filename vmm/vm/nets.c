/* A VM's network devices: made when it is made, each a port of a switch. */
#include <errno.h>
#include <stdio.h>

#include <vmm/virtio.h>
#include <vmm/vm.h>

static int add(struct vm *vm, unsigned i, char *err, size_t n)
{
	const struct net_config *c = &vm->config->nets[i];
	struct vio_net_backend *b = &vm->nets[i];
	char label[16];
	int error;

	*b = (struct vio_net_backend){ .config = c, .owner = vm->config->name, .number = i };
	snprintf(label, sizeof(label), "net %u", i);
	error = vio_add(vm, &vio_net_type, label, b, &b->dev);
	if (!error)
		return 0;
	if (b->why[0])
		snprintf(err, n, "net %u: %s", i, b->why);
	else if (error == -ENOSPC)
		snprintf(err, n, "net %u: a VM has %d virtio devices at most", i, GUEST_VIRTIO_PLACES);
	else
		snprintf(err, n, "net %u: cannot be created (error %d)", i, error);
	return error;
}

static int add_uplink(unsigned i, const struct net_config *c, char *err, size_t n)
{
	char why[96];
	int error;

	if (!c->uplink[0])
		return 0;
	error = uplink_add(c->net_switch, c->uplink, why, sizeof(why));
	if (error)
		snprintf(err, n, "net %u: %s", i, why);
	return error;
}

int vm_nets_create(struct vm *vm, char *err, size_t n)
{
	const struct vm_config *c = vm->config;
	int error = 0;

	for (unsigned i = 0; !error && i < c->n_nets; i++) {
		error = add_uplink(i, &c->nets[i], err, n);
		if (!error)
			error = add(vm, i, err, n);
	}
	return error;
}
