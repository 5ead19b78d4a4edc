/* Which RAM is ours: what the device tree names, less what is reserved. Private to core/init. */
#pragma once

#include <caisson/types.h>

/** Read memory, reservations, and the places of image, device tree and initrd. After dt_init. */
void ram_discover(void);

/** Call fn for each range that the linear map shows (all RAM but the firmware's and our image), page-aligned. */
void ram_for_each_linear(void (*fn)(uint64_t start, uint64_t size));
/** Call fn for each range that is free for the allocator, page-aligned. */
void ram_for_each_free(void (*fn)(uint64_t start, uint64_t size));
/** The initrd that the boot loader named. @return false: none. */
bool ram_initrd(uint64_t *start, uint64_t *size);
