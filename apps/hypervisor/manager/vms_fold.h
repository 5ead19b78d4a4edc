/*
 * When VMs' RAM is put into large leaves again (vmm/fold.h): while memory is plentiful, and some VM has small
 * ones where large ones could be. Private to the manager; its task only.
 */
#pragma once

#include <caisson/types.h>

/** When vms_fold_serve has something to do, ticks; UINT64_MAX: nothing, as long as no memory is given back. */
uint64_t vms_fold_deadline(void);
/** Fold one block, if it is time for that. */
void vms_fold_serve(void);
/** Memory was given back. */
void vms_fold_freed(void);
