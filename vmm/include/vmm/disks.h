/* A VM's disks: from what its description names to the virtio devices that its guest sees. */
#pragma once

#include <caisson/types.h>
#include <vmm/config.h>
#include <vmm/virtio_blk.h>

struct vm;

/** One of them, in the order of the description. */
struct vm_disk_end {
	struct vio_blk_disk disk;
	struct vio *vio;
	struct block_claim claim; /* of the machine's disk, if the guest has that itself */
	struct block_device *made; /* what goes with the VM; NULL: nothing was made for it */
};

/**
 * Give a VM the disks of its description, in the first free places for virtio devices. Task context.
 * @param[out] err  on failure why, with the disk's number (err_size bytes)
 * @return 0; -ENODEV the machine has no such disk; -EROFS it cannot be written; -EBUSY another one writes it, or reads
 * what this one is to write; -ENOSPC no place is free; -ENOMEM ...
 */
int vm_disks_create(struct vm *vm, char *err, size_t err_size) __must_check;
/** Let go of what is behind them. The devices are gone already. */
void vm_disks_destroy(struct vm *vm);
/** @return the i-th disk of a VM, or NULL past the last. */
const struct vm_disk_end *vm_disk(const struct vm *vm, unsigned i);
