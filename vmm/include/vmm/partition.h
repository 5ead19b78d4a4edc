/*
 * Partitioned mode: a VM whose harts are its own (`exclusive`), one for each
 * vCPU. As long as the VM exists, nothing else runs there (smp_reserve), and
 * what could interrupt the guest from outside is kept away: no slice ends, WFI is
 * never trapped, it is not sampled, devices of the machine interrupt other harts,
 * other VMs' memory is flushed elsewhere. So its exits are those that it causes.
 * The price: how long it idles is not known, and a guest that can only fault at
 * its own trap vector is not noticed (vmm/vcpu/sample.c); `vm stop` ends it.
 */
#pragma once

#include <caisson/types.h>

struct vm;

/**
 * Take the VM's harts, if it is exclusive; else check that its `harts` are not all others' own. Manager's task.
 * @param[out] err  on failure why, with the key (n bytes)
 * @return 0; -EINVAL: a hart does not exist, is offline or another VM's own, or a VM (also one of the others) would
 * have none left. vm_unpartition gives back what was taken before.
 */
int vm_partition(struct vm *vm, char *err, size_t n) __must_check;
/** Give its harts back to everybody. Its vCPUs' tasks must have ended. Manager's task. */
void vm_unpartition(struct vm *vm);

/**
 * Could a VM that is not exclusive run with this mask (0: all harts)? For a mask that is set later.
 * @return 0, or -EINVAL: all of these harts are others' own.
 */
int vm_partition_check(uint64_t hart_mask, char *err, size_t n) __must_check;

/** The harts that the task of vCPU `id` may use, as a mask: its one hart, or those of the VM. 0: all. */
uint64_t vm_vcpu_harts(const struct vm *vm, unsigned id);

/** The VM is about to run: begin to count what happens on its own harts. */
void vm_partition_begin(struct vm *vm);
/** It has ended: what happened there, into the log. */
void vm_partition_log(const struct vm *vm);
