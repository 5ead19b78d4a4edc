/*
 * A set of frames by their place: the pages of something that is mapped and may have holes (shared memory, the pages
 * of a file). Each frame has one owner here. No locking: the caller holds what guards it.
 */
#pragma once

#include <caisson/rbtree.h>
#include <caisson/types.h>

struct page_slot {
	struct rb_node node;
	uint64_t offset;      /* page-aligned */
	hpa_t frame;
	bool dirty;           /* the user's, false at first */
};

struct page_set {
	struct rb_tree tree;  /* by offset */
	uint64_t n;
};

/** The page at an offset (page-aligned), or NULL. */
struct page_slot *page_set_find(const struct page_set *set, uint64_t offset);
/** The first page at or behind an offset, or NULL. */
struct page_slot *page_set_from(const struct page_set *set, uint64_t offset);
struct page_slot *page_set_next(const struct page_slot *slot);
/** Put a frame where there is none. Its owner is the set then. @return NULL: out of memory */
struct page_slot *page_set_add(struct page_set *set, uint64_t offset, hpa_t frame) __must_check;
/** Give up all pages at and behind an offset. */
void page_set_cut(struct page_set *set, uint64_t offset);
