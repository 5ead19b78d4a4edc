/* How many instructions a request costs. */
#pragma once

#include <caisson/block.h>

/** Read n times 4 KiB from `disk`, `depth` at once, and print the instructions for each. @return 0 or negative errno */
int bench(struct block_device *disk, unsigned long depth, unsigned long n);
