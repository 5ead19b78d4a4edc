/*
 * Physical frames and the kernel heap.
 *
 * Frames come from a buddy allocator over the RAM that the device tree names,
 * less what is reserved. All of RAM stands in the kernel's linear map, so a
 * frame always has a kernel pointer.
 */
#pragma once

#include <caisson/types.h>

#define FRAME_MAX_ORDER 18 /* 1 GiB: the largest leaf a guest can get */

/** Flags for frame_alloc. */
enum { FRAME_ZERO = 1 /* contents zeroed */ };

/**
 * Give a range of RAM to the allocator. Boot only. Partial frames at the ends are
 * left out; of the rest, 1/4096 goes into bookkeeping. A range that overlaps an
 * earlier one, beyond the 64th, or ends above 16 TiB, is left out with a warning.
 */
void frame_add(hpa_t start, uint64_t size);

/**
 * Allocate 2^order contiguous frames, aligned to their size.
 * Any context. @return 0, or -ENOMEM with *out untouched.
 */
int frame_alloc(unsigned order, unsigned flags, hpa_t *out) __must_check;
/** Give back exactly what frame_alloc gave; anything else is our bug and panics. Any context. */
void frame_free(hpa_t frame, unsigned order);

/**
 * Single frames with several owners (CONFIG_FRAME_COUNTS): one that frame_alloc(0) gave has one owner. Begin to count:
 * before the others; once more does nothing. @return 0 or -ENOMEM.
 */
int frame_counts_start(void) __must_check;
/** One more owner. Any context. */
void frame_get(hpa_t frame);
/** One owner less; the last one frees it. Any context. */
void frame_put(hpa_t frame);
/** Has it more than one owner? The answer is old when it comes, but who is the only owner stays so. Any context. */
bool frame_is_shared(hpa_t frame);

/** Number of free 4 KiB frames, and of all that can be handed out. */
uint64_t frame_free_count(void);
uint64_t frame_total_count(void);

/**
 * The stock of zeroed frames and blocks of 2 MiB (CONFIG_FRAME_STOCK), from which FRAME_ZERO is served first: zero some
 * pages more for it. For a hart that idles, interrupts off. @return false: nothing to do, or another hart does it.
 */
bool frame_stock_fill(void);
/** Would frame_stock_fill do anything? An estimate. Any context. */
bool frame_stock_low(void);

/** Zero n bytes at a page-aligned address, n a multiple of PAGE_SIZE (cbo.zero where present). */
void page_zero(void *page, uint64_t n);

/** Physical address to kernel pointer and back; both directions only for RAM and our image. */
void *hpa_to_kva(hpa_t pa);
hpa_t kva_to_hpa(const void *kva);
/** Are these bytes RAM or our image, contiguous in physical memory? A task's stack is not: kva_to_hpa cannot tell its frames. */
bool kva_has_hpa(const void *kva, size_t size);

/**
 * Kernel heap, any context. kalloc is 16-byte aligned and no more, whatever the size (pages come from
 * frame_alloc), and uninitialised. kfree(NULL) does nothing; freeing what is not allocated is our bug and panics.
 * @return NULL when memory is out.
 */
void *kalloc(size_t size) __must_check;
void *kzalloc(size_t size) __must_check;
void kfree(void *p);
/** Bytes handed out and not yet freed (for leak tests). */
size_t heap_in_use(void);
/** Give back the frames that the heap keeps for later, so that frame counts compare. */
void heap_trim(void);

/**
 * Only with CONFIG_DEBUG_HEAP: remember this moment (boot, right before main), and warn of every object
 * allocated since then that is still there, by the address that allocated it; 20 lines at most.
 */
void heap_leak_mark(void);
void heap_leak_report(void);
