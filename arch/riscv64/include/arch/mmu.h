/* The host's own address translation (Privileged Architecture, satp). */
#pragma once

#include <caisson/types.h>

/** Translate through this root table from now on; mode as in satp.MODE. This hart. */
void mmu_set_root(hpa_t root, unsigned mode);
