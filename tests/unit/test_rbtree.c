/* core/lib/rbtree.c against a sorted array. */
// sources: core/lib/rbtree.c
#include <caisson/rbtree.h>
#include <caisson/types.h>
#include <test.h>

#define MOST 200

struct item {
	struct rb_node node;
	unsigned key;
};

static struct item items[MOST];
static struct item *model[MOST]; /* in order */
static unsigned n_model;
static struct rb_tree tree;

static struct item *item_at(struct rb_node *n)
{
	return container_of(n, struct item, node);
}

static void insert(struct item *it)
{
	struct rb_node *parent = NULL;
	unsigned side = 0, i = n_model++;

	for (struct rb_node *at = tree.root; at; at = at->child[side]) {
		parent = at;
		side = !(it->key < item_at(at)->key);
	}
	rb_insert(&tree, &it->node, parent, side);
	for (; i && model[i - 1]->key > it->key; i--)
		model[i] = model[i - 1];
	model[i] = it;
}

static void remove_at(unsigned i)
{
	rb_remove(&tree, &model[i]->node);
	n_model--;
	memmove(&model[i], &model[i + 1], (n_model - i) * sizeof(model[0]));
}

/* @return black nodes on every way down from here. */
static unsigned check_below(const struct rb_node *n)
{
	unsigned black[2];

	if (!n)
		return 0;
	for (unsigned side = 0; side < 2; side++) {
		if (n->child[side]) {
			assert_ptr_equal(n->child[side]->parent, n);
			assert_false(n->red && n->child[side]->red);
		}
		black[side] = check_below(n->child[side]);
	}
	assert_int_equal(black[0], black[1]);
	return black[0] + !n->red;
}

static void check(void)
{
	struct rb_node *n = tree.first;

	assert_true(!tree.root || (!tree.root->red && !tree.root->parent));
	check_below(tree.root);
	for (unsigned i = 0; i < n_model; i++, n = rb_next(n))
		assert_ptr_equal(item_at(n), model[i]);
	assert_null(n);
}

static int empty(void **state)
{
	(void)state;
	tree = (struct rb_tree){ NULL, NULL };
	n_model = 0;
	return 0;
}

static void random_changes_keep_order_and_balance(void **state)
{
	uint64_t seed = 11;
	struct item *unused[MOST];
	unsigned n_unused = MOST;

	(void)state;
	for (unsigned i = 0; i < MOST; i++)
		unused[i] = &items[i];
	for (unsigned round = 0; round < 20000; round++) {
		bool grow = mock_random(&seed) % 100 < (round / 2000 % 2 ? 30 : 70);

		if (grow && n_unused) {
			struct item *it = unused[--n_unused];

			it->key = (unsigned)(mock_random(&seed) % 50);
			insert(it);
		} else if (n_model) {
			unsigned i = (unsigned)(mock_random(&seed) % n_model);

			unused[n_unused++] = model[i];
			remove_at(i);
		}
		check();
	}
}

static void equals_stay_in_the_order_of_insertion(void **state)
{
	(void)state;
	for (unsigned i = 0; i < MOST; i++) {
		items[i].key = i % 3;
		insert(&items[i]);
	}
	check();
	for (unsigned i = 1; i < n_model; i++)
		assert_true(model[i - 1]->key < model[i]->key || model[i - 1] < model[i]);
}

static void rising_and_falling_keys_and_the_first_out(void **state)
{
	(void)state;
	for (unsigned up = 0; up < 2; up++) {
		for (unsigned i = 0; i < MOST; i++) {
			items[i].key = up ? i : MOST - i;
			insert(&items[i]);
			check();
		}
		while (n_model) {
			remove_at(0);
			check();
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(random_changes_keep_order_and_balance, empty),
		cmocka_unit_test_setup(equals_stay_in_the_order_of_insertion, empty),
		cmocka_unit_test_setup(rising_and_falling_keys_and_the_first_out, empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
