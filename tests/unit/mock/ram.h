/*
 * Host memory that plays RAM. A bank is reserved address space of the test
 * process: only the pages that are touched cost anything, so banks can be huge.
 * An address in no bank is its own pointer.
 */
#pragma once

#include <caisson/types.h>

/** Add a bank of RAM at physical address `start` (page-aligned). Pointers are aligned as the addresses are, to 1 GiB. */
void mock_ram_add(uint64_t start, uint64_t size);
/** Forget all banks and what they held. */
void mock_ram_reset(void);

/** kva_has_hpa says no of what overlaps this range. */
extern const void *mock_stack;
extern size_t mock_stack_size;

/** Does RAM at physical address pa hold zeros, so many bytes of it? */
bool ram_is_zero(hpa_t pa, uint64_t size);
