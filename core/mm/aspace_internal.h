/* Private to core/mm: what the two halves of address spaces know of each other. */
#pragma once

#include <caisson/aspace.h>

#define ASPACE_LEAF_LEVELS 3 /* leaves of 4 KiB, 2 MiB and 1 GiB are used */

/** As aspace_find, to change it. */
struct area *aspace_area_at(const struct aspace *as, uint64_t addr);

/** Give an alloc area all its frames. @return 0 or -ENOMEM; what it got so far stays. */
int aspace_populate(struct aspace *as, uint64_t start, uint64_t size, unsigned flags) __must_check;
