/* The host's own address translation (Privileged Architecture, satp). */
#pragma once

#include <caisson/types.h>

/** Translate through this root table from now on; mode as in satp.MODE. This hart, and every hart that starts later. */
void mmu_set_root(hpa_t root, unsigned mode);

/** satp of the kernel, for harts that start later: the boot page table until mmu_set_root. */
extern uint64_t kernel_satp;
