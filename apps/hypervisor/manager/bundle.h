/* VMs and channels out of the descriptions in the bundle (docs/host.md). Private to the hypervisor application. */
#pragma once

#include <caisson/types.h>

struct vm;

/**
 * Make the VM that the bundle's n-th description (from 0) describes: created and booted, not running. Manager task.
 * @param only     NULL, or the one name that is wanted
 * @param[out] err why not, for a person (err_size bytes)
 * @return 0; -ENXIO no such description; -ENOENT it has another name; else as vm_create, with everything undone
 */
int bundle_make(unsigned n, const char *only, char *err, size_t err_size) __must_check;
/** Give back a VM that bundle_make made and that does not run. */
void bundle_unmake(struct vm *vm);
/** Words for an error of the VM functions that left none. */
const char *bundle_why(int error, const char *words);
