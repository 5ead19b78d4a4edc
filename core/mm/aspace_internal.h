/* Private to core/mm: what the two halves of address spaces know of each other. */
#pragma once

#include <caisson/aspace.h>

#define ASPACE_BLOCK_LEVEL 1 /* blocks of 2 MiB: what a lazy area takes at a touch, and what is folded */

/** As aspace_find, to change it. */
struct area *aspace_area_at(const struct aspace *as, uint64_t addr);

/** Is the block of 2 MiB round addr wholly in an area that has large leaves? */
bool aspace_has_block(const struct area *a, uint64_t addr);

/** Give an alloc area all its frames. @return 0 or -ENOMEM; what it got so far stays. */
int aspace_populate(struct aspace *as, uint64_t start, uint64_t size, unsigned flags) __must_check;

/* The set, with the lock held. */
unsigned aspace_upper_bound(const struct aspace *as, uint64_t addr); /* index of the first area that starts above addr */
int aspace_insert(struct aspace *as, const struct area *a) __must_check; /* -EEXIST, -ENOMEM */
void aspace_erase(struct aspace *as, uint64_t start);
/** Can there be an area of this range? */
bool aspace_range_valid(const struct aspace *as, uint64_t start, uint64_t size);

/* User areas, in builds that have them. */
/** The fault path in a user area that allows the access. */
enum fault_result aspace_user_touch(struct aspace *as, const struct area *a, uint64_t addr, unsigned access);
/** Take the pages of a whole user area away, and its source. The area itself stays. */
void aspace_user_clear(struct aspace *as, const struct area *a);
