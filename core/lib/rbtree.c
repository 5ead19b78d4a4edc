/*
 * Red-black tree. A red node's children are black, and every way from the root
 * down to an end passes equally many black nodes; so the longest way is at most
 * twice as long as the shortest.
 *
 * "side" is an index into child[]; what is said of one side holds of the other.
 */
#include <caisson/rbtree.h>

static bool is_red(const struct rb_node *n)
{
	return n && n->red;
}

static unsigned side_of(const struct rb_node *n)
{
	return n->parent->child[1] == n;
}

/* What hangs where `old` hung: `n` instead, which may be NULL. */
static void replace(struct rb_tree *tree, const struct rb_node *old, struct rb_node *n)
{
	if (old->parent)
		old->parent->child[side_of(old)] = n;
	else
		tree->root = n;
	if (n)
		n->parent = old->parent;
}

/* x goes down to `side`; its child on the other side takes its place. */
static void rotate(struct rb_tree *tree, struct rb_node *x, unsigned side)
{
	struct rb_node *up = x->child[!side], *middle = up->child[side];

	replace(tree, x, up);
	x->child[!side] = middle;
	if (middle)
		middle->parent = x;
	up->child[side] = x;
	x->parent = up;
}

/* n is red, and perhaps its parent too. */
static void mend_red(struct rb_tree *tree, struct rb_node *n)
{
	struct rb_node *parent;

	while (is_red(parent = n->parent)) {
		struct rb_node *grandparent = parent->parent; /* is there: the root is black */
		unsigned side = side_of(parent);
		struct rb_node *uncle = grandparent->child[!side];

		if (is_red(uncle)) {
			parent->red = uncle->red = false;
			grandparent->red = true;
			n = grandparent;
			continue;
		}
		if (side_of(n) != side) {
			rotate(tree, parent, side);
			parent = n;
		}
		parent->red = false;
		grandparent->red = true;
		rotate(tree, grandparent, !side);
		break;
	}
	tree->root->red = false;
}

void rb_insert(struct rb_tree *tree, struct rb_node *n, struct rb_node *parent, unsigned side)
{
	n->parent = parent;
	n->child[0] = n->child[1] = NULL;
	n->red = parent != NULL;
	if (!parent) {
		tree->root = tree->first = n;
		return;
	}
	parent->child[side] = n;
	if (parent == tree->first && side == 0)
		tree->first = n;
	if (parent->red)
		mend_red(tree, n);
}

static struct rb_node *leftmost(struct rb_node *n)
{
	while (n->child[0])
		n = n->child[0];
	return n;
}

struct rb_node *rb_next(const struct rb_node *n)
{
	if (n->child[1])
		return leftmost(n->child[1]);
	while (n->parent && side_of(n) == 1)
		n = n->parent;
	return n->parent;
}

/* The sibling is black and has a red child: turn that one up; the way through p then has its black node again. */
static void borrow_black(struct rb_tree *tree, struct rb_node *p, unsigned side)
{
	struct rb_node *sibling = p->child[!side];

	if (!is_red(sibling->child[!side])) {
		sibling->red = true;
		sibling->child[side]->red = false;
		rotate(tree, sibling, !side);
		sibling = p->child[!side];
	}
	sibling->red = p->red;
	p->red = false;
	sibling->child[!side]->red = false;
	rotate(tree, p, side);
}

/* The ways through p's child on this side (there may be none) lack a black node. */
static void mend_black(struct rb_tree *tree, struct rb_node *p, unsigned side)
{
	while (p) {
		struct rb_node *sibling = p->child[!side]; /* is there: its ways are longer */

		if (sibling->red) {
			sibling->red = false;
			p->red = true;
			rotate(tree, p, side);
			sibling = p->child[!side];
		}
		if (is_red(sibling->child[0]) || is_red(sibling->child[1])) {
			borrow_black(tree, p, side);
			return;
		}
		sibling->red = true;
		if (p->red) {
			p->red = false;
			return;
		}
		if (p->parent)
			side = side_of(p);
		p = p->parent;
	}
}

/* A node with one child at most. */
static void unlink(struct rb_tree *tree, struct rb_node *n)
{
	struct rb_node *child = n->child[n->child[0] == NULL], *parent = n->parent;
	unsigned side = parent ? side_of(n) : 0;

	replace(tree, n, child);
	if (child)
		child->red = false; /* an only child is red, so n was black */
	else if (!n->red)
		mend_black(tree, parent, side);
}

void rb_remove(struct rb_tree *tree, struct rb_node *n)
{
	struct rb_node *next;

	/* The only one. */
	if (tree->root == n && !n->child[0] && !n->child[1]) {
		tree->root = tree->first = NULL;
		return;
	}
	if (tree->first == n)
		tree->first = rb_next(n);
	if (!n->child[0] || !n->child[1]) {
		unlink(tree, n);
		return;
	}
	/* The next node has no child before it: it leaves its own place and takes that of n. */
	next = leftmost(n->child[1]);
	unlink(tree, next);
	replace(tree, n, next);
	next->red = n->red;
	for (unsigned side = 0; side < 2; side++) {
		next->child[side] = n->child[side];
		if (next->child[side])
			next->child[side]->parent = next;
	}
}
