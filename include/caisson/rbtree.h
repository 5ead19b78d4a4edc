/*
 * Intrusive red-black tree. The order belongs to the caller, who walks down to
 * the place of a new node itself; the tree keeps the balance and remembers its
 * first node. No locking: the caller holds what guards it.
 *
 *	struct rb_node *parent = NULL;
 *	unsigned side = 0;
 *
 *	for (struct rb_node *at = tree->root; at; at = at->child[side]) {
 *		parent = at;
 *		side = !comes_before(new, at);
 *	}
 *	rb_insert(tree, new, parent, side);
 */
#pragma once

#include <caisson/types.h>

struct rb_node {
	struct rb_node *parent;
	struct rb_node *child[2];  /* what comes before, what comes after */
	bool red;
};

struct rb_tree {
	struct rb_node *root;
	struct rb_node *first;     /* NULL: empty */
};

/** Hang a node below parent (NULL: the tree is empty), where there is no child on that side. */
void rb_insert(struct rb_tree *tree, struct rb_node *n, struct rb_node *parent, unsigned side);
void rb_remove(struct rb_tree *tree, struct rb_node *n);
/** @return the node after n, or NULL. */
struct rb_node *rb_next(const struct rb_node *n);
