/*
 * The kernel's own address space, built in the second stage of start-up with
 * per-section permissions (nothing is writable and executable).
 */
#pragma once

#include <caisson/aspace.h>
#include <caisson/types.h>

extern struct aspace kernel_space;

/** Build the kernel space and switch to it, this hart now and the others as they start. Boot hart, once. @return 0 or negative errno. */
int kspace_init(void) __must_check;

/** Map a window of host device registers. @return its address, or NULL when memory or room is out. Boot or task context. */
void *io_map(hpa_t pa, uint64_t size) __must_check;

/** A stack of `size` bytes (page multiple), backed at once, with an unmapped page below it. @return lowest byte or NULL. */
void *kstack_alloc(size_t size) __must_check;
void kstack_free(void *base, size_t size);
