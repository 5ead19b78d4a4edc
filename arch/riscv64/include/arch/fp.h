/* FP registers of a program or a guest. The kernel uses none, so they stay in the unit until another one's are loaded. */
#pragma once

#include <caisson/types.h>

struct fp_state {
	uint64_t f[32];
	uint64_t fcsr;
};

/** Move all of them between the unit and memory (fp.S). To load turns sstatus.FS on, to save needs it on. Interrupts off. */
void fp_state_save(struct fp_state *fp);
void fp_state_load(const struct fp_state *fp);
