/*
 * Private to core/mm: what a heap algorithm offers. One of heap_slab.c (our own) and
 * heap_library.c (picolibc's malloc) is built in; above it stands heap.c or, in a
 * debug build, heap_debug.c.
 */
#pragma once

#include <caisson/types.h>

/** Allocate, 16-byte aligned, zeroed if wanted. Any context. @return NULL when memory is out. */
void *heap_backend_alloc(size_t size, bool zero) __must_check;
/** Free; p is not NULL. @return false: that is no object that is handed out (where the algorithm can tell). */
bool heap_backend_free(void *p) __must_check;
/** Bytes handed out, with what the algorithm rounds them up by. */
size_t heap_backend_in_use(void);
/** Give frames back that are not in use, as far as the algorithm can. */
void heap_backend_trim(void);
