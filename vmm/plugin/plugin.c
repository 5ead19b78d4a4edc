/* A VM's plug-ins: found by name, made with its devices. */
#include <vmm/plugin.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <caisson/log.h>
#include <vmm/vm.h>

#define LOG_NAME "vm"

extern const struct plugin __plugins_start[], __plugins_end[];

static const struct plugin *find(const char *name)
{
	for (const struct plugin *p = __plugins_start; p < __plugins_end; p++)
		if (strcmp(p->device.name, name) == 0)
			return p;
	return NULL;
}

/* The first CSR that another plug-in of this VM answers already, or NULL. */
static const struct plugin_csr *taken(const struct vm *vm, const struct plugin *p)
{
	struct vdev *dev;

	for (unsigned i = 0; i < p->n_csrs; i++)
		if (vm_plugin_csr(vm, p->csrs[i].number, &dev))
			return &p->csrs[i];
	return NULL;
}

static int refuse(const char *name, int error, char *err, size_t n)
{
	if (error == -EEXIST)
		snprintf(err, n, "plugin: '%s' has addresses that something else has in this VM", name);
	else if (error == -ENOMEM)
		snprintf(err, n, "plugin: the machine has too little memory for '%s'", name);
	else
		snprintf(err, n, "plugin: '%s' cannot be made (error %d)", name, error);
	return error;
}

static int add(struct vm *vm, const char *name, char *err, size_t n)
{
	const struct plugin *p = find(name);
	const struct plugin_csr *csr;
	unsigned before = vm->n_vdevs;
	int error;

	if (!p) {
		snprintf(err, n, "plugin: this hypervisor has no '%s'", name);
		return -EINVAL;
	}
	csr = taken(vm, p);
	if (csr) {
		snprintf(err, n, "plugin: CSR 0x%x of '%s' is another plug-in's in this VM", csr->number, name);
		return -EINVAL;
	}
	error = vm_device_add(vm, &p->device, p->device.base, 0, NULL);
	if (error)
		return refuse(name, error, err, n);
	if (vm->n_vdevs == before) /* its create has said that it is not for this VM */
		return refuse(name, -ENXIO, err, n);
	vm->plugins[vm->n_plugins++] = (struct vm_plugin){ p, &vm->vdevs[before] };
	vm->answers_csrs |= p->n_csrs > 0;
	log_info("%s: plug-in %s", vm->config->name, name);
	return 0;
}

int vm_plugins_create(struct vm *vm, char *err, size_t err_size)
{
	int error = 0;

	for (unsigned i = 0; !error && i < vm->config->n_plugins; i++)
		error = add(vm, vm->config->plugins[i], err, err_size);
	return error;
}

const struct plugin_csr *vm_plugin_csr(const struct vm *vm, unsigned number, struct vdev **dev)
{
	for (unsigned i = 0; i < vm->n_plugins; i++) {
		const struct plugin *p = vm->plugins[i].type;

		*dev = vm->plugins[i].dev;
		for (unsigned n = 0; n < p->n_csrs; n++)
			if (p->csrs[n].number == number)
				return &p->csrs[n];
	}
	return NULL;
}
