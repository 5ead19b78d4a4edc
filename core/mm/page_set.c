/* Sets of frames by their place (caisson/page_set.h). */
#include <caisson/mm.h>
#include <caisson/page_set.h>

static struct page_slot *slot_of(struct rb_node *node)
{
	return node ? container_of(node, struct page_slot, node) : NULL;
}

struct page_slot *page_set_from(const struct page_set *set, uint64_t offset)
{
	struct page_slot *best = NULL;

	for (struct rb_node *at = set->tree.root; at;) {
		struct page_slot *slot = slot_of(at);
		bool behind = slot->offset < offset;

		if (!behind)
			best = slot;
		at = at->child[behind];
	}
	return best;
}

struct page_slot *page_set_find(const struct page_set *set, uint64_t offset)
{
	struct page_slot *slot = page_set_from(set, offset);

	return slot && slot->offset == offset ? slot : NULL;
}

struct page_slot *page_set_next(const struct page_slot *slot)
{
	return slot_of(rb_next(&slot->node));
}

struct page_slot *page_set_add(struct page_set *set, uint64_t offset, hpa_t frame)
{
	struct page_slot *slot = kzalloc(sizeof(*slot));
	struct rb_node *parent = NULL;
	unsigned side = 0;

	if (!slot)
		return NULL;
	slot->offset = offset;
	slot->frame = frame;
	for (struct rb_node *at = set->tree.root; at; at = at->child[side]) {
		parent = at;
		side = slot_of(at)->offset < offset;
	}
	rb_insert(&set->tree, &slot->node, parent, side);
	set->n++;
	return slot;
}

void page_set_cut(struct page_set *set, uint64_t offset)
{
	struct page_slot *slot = page_set_from(set, offset);

	while (slot) {
		struct page_slot *next = page_set_next(slot);

		rb_remove(&set->tree, &slot->node);
		set->n--;
		frame_put(slot->frame);
		kfree(slot);
		slot = next;
	}
}
