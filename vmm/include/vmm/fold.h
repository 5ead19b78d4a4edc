/*
 * A VM's RAM in large leaves again. What it touched while no block of 2 MiB was free stands in single frames; when
 * memory is plentiful, each such block is copied into one piece and becomes one leaf: fewer page tables, shorter walks,
 * and no faults any more for what of it was not there yet. The guest stands still for one block at a time.
 *
 * Never folded: a block that somebody uses just now (a request of a virtio device is under way), one with a record of stolen
 * time, and a VM whose harts are its own (vmm/partition.h): nothing interrupts these.
 */
#pragma once

#include <caisson/types.h>

struct vm;

/** Has it blocks in small leaves that vm_fold would look at? Any context. */
bool vm_is_split(const struct vm *vm);
/** Is there more free memory than VMs should be left with? Any context. */
bool vm_fold_plentiful(void);
/**
 * Fold one block of a VM. The manager's task.
 * @return 0; -EAGAIN: the next one is in use, try later; -ENOMEM: memory is not plentiful, or no block of 2 MiB is free;
 *         -ENOENT: there is nothing to be folded
 */
int vm_fold(struct vm *vm) __must_check;
