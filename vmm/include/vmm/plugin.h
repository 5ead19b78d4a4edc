/*
 * Plug-ins: what a VM can have beside the devices of QEMU's virt. A plug-in is a
 * file that registers one structure (vmm/plugin/example.c is one to copy); a VM
 * has those that its description names (key `plugin`), and others pay nothing.
 *
 * It can answer a range of guest-physical addresses, as a device does, and CSRs
 * that the guest's kernel must not touch otherwise: an access traps to us as an
 * illegal instruction, in VMs with such a plug-in only.
 */
#pragma once

#include <vmm/vdev.h>

struct vm;

/**
 * A CSR that a plug-in answers, to the guest's kernel. Functions are called with interrupts off, from any vCPU of the VM
 * at the same time, and get its number. @return 0; else, and where there is no function, the guest's instruction is illegal.
 */
struct plugin_csr {
	unsigned number;     /* Privileged Architecture, "CSR Listing" */
	int (*read)(struct vdev *dev, unsigned vcpu, uint64_t *value);
	int (*write)(struct vdev *dev, unsigned vcpu, uint64_t value);
};

struct plugin {
	/** Name, state and addresses. base is where they begin, of size bytes, a page's multiples; size 0: none, and no ops. */
	struct vdev_type device;
	const struct plugin_csr *csrs;
	unsigned n_csrs;
};

/** Put a plug-in into the table. */
#define PLUGIN(name) const struct plugin name IN_SECTION(".plugins") ALIGNED_TO(8)

/** Give a VM the plug-ins that its description names. @return 0, or negative errno with the reason. */
int vm_plugins_create(struct vm *vm, char *err, size_t err_size) __must_check;

/** Who answers a CSR in this VM. @param[out] dev  the plug-in's state @return NULL: nobody */
const struct plugin_csr *vm_plugin_csr(const struct vm *vm, unsigned number, struct vdev **dev);
