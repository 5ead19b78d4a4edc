/* Page-table entry bits (RISC-V Privileged Architecture, "Sv39: Page-Based 39-bit Virtual-Memory System"). */
#pragma once

#include <caisson/types.h>

#define PTE_V BIT(0)
#define PTE_R BIT(1)
#define PTE_W BIT(2)
#define PTE_X BIT(3)
#define PTE_U BIT(4)
#define PTE_G BIT(5)
#define PTE_A BIT(6)
#define PTE_D BIT(7)
#define PTE_KEEP BIT(8) /* ours (RSW): a table that stays when it is empty */
#define PTE_PPN_SHIFT 10
#define PTE_PPN_MASK BITS(53, 10)
