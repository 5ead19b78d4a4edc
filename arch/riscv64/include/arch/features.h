/* What this machine's harts offer the host beyond the base: named by the device tree and probed. */
#pragma once

#include <caisson/types.h>

/** Set arch_has_sstc and the block size of cbo.zero. Boot hart, device tree read, trap vector set. */
void arch_features_init(void);

/** Block size of cbo.zero in bytes, 0 if the host cannot use it. */
extern uint32_t cboz_block;
