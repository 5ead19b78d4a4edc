/*
 * Freed frames under watch (debug builds): who had them, and whether anybody has
 * written to them since. The free lists' links stand in the first words of a
 * free block; those are checked as links.
 */
#include "frame.h"
#include "frame_debug.h"

#define POISON UINT64_C(0x6b6b6b6b6b6b6b6b)
#define LINK_WORDS (sizeof(struct list) / sizeof(uint64_t))
#define PAGE_WORDS (PAGE_SIZE / sizeof(uint64_t))
#define SAMPLE_WORDS 8   /* of each page of a large block */
#define WHOLE_ORDER 4    /* larger blocks are filled by samples only */

static struct frame_note *note_of(uint64_t frame)
{
	struct region *r = region_of(frame);

	return r ? &r->notes[frame - r->first] : NULL;
}

static uint64_t *words_of(uint64_t frame)
{
	return hpa_to_kva(HPA(frame << PAGE_SHIFT));
}

void *frame_debug_place_notes(struct region *r, void *at)
{
	r->notes = at;
	return r->notes + (r->end - r->first);
}

static void check_frame(uint64_t frame, const struct frame_note *note, const void *caller)
{
	const uint64_t *words = words_of(frame), expected = note->zeroed ? 0 : POISON;

	for (unsigned i = LINK_WORDS; i < note->poisoned; i++)
		if (words[i] != expected)
			panic("frame 0x%lx, %lu bytes, used after it was freed: 0x%lx at %lu, allocated by %p, "
			      "freed by %p; noticed for %p", (unsigned long)(frame << PAGE_SHIFT),
			      (unsigned long)PAGE_SIZE, (unsigned long)words[i], (unsigned long)i * sizeof(*words),
			      note->allocated, note->freed, caller);
}

void frame_debug_allocated(uint64_t frame, unsigned order, const void *caller)
{
	struct frame_note *note = note_of(frame);

	for (uint64_t i = 0; i < BIT(order); i++, note++) {
		check_frame(frame + i, note, caller);
		note->allocated = caller;
		note->poisoned = 0;
	}
}

void frame_debug_freed(uint64_t frame, unsigned order, const void *caller)
{
	uint32_t n = order <= WHOLE_ORDER ? PAGE_WORDS : SAMPLE_WORDS;
	struct frame_note *note = note_of(frame);

	if (frame_order(HPA(frame << PAGE_SHIFT)) != (int)order)
		return;
	for (uint64_t i = 0; i < BIT(order); i++, note++) {
		uint64_t *words = words_of(frame + i);

		for (uint32_t w = 0; w < n; w++)
			words[w] = POISON;
		note->freed = caller;
		note->poisoned = n;
		note->zeroed = false;
	}
}

void frame_debug_stocked(uint64_t frame, unsigned order, const void *caller)
{
	struct frame_note *note = note_of(frame);

	check_frame(frame, note, caller);
	note->poisoned = order <= WHOLE_ORDER ? PAGE_WORDS : SAMPLE_WORDS;
	note->zeroed = true;
}

static bool is_link(const struct list *l, const struct list *head)
{
	hpa_t frame = kva_to_hpa(l);
	struct region *r = region_of(frame.v >> PAGE_SHIFT);

	return l == head || (r && IS_ALIGNED(frame.v, PAGE_SIZE) &&
			     (state_get(r, frame.v >> PAGE_SHIFT) & (USED | FREE)) == FREE);
}

void frame_debug_check_links(const struct list *node, const struct list *head)
{
	uint64_t frame = kva_to_hpa(node).v >> PAGE_SHIFT;
	const struct frame_note *note = note_of(frame);

	if (is_link(node->next, head) && is_link(node->prev, head) && node->next->prev == node &&
	    node->prev->next == node)
		return;
	panic("frame 0x%lx used after it was freed: its first words, allocated by %p, freed by %p",
	      (unsigned long)(frame << PAGE_SHIFT), note->allocated, note->freed);
}

void frame_debug_who(uint64_t frame, const void **allocated, const void **freed)
{
	const struct frame_note *note = note_of(frame);

	*allocated = note ? note->allocated : NULL;
	*freed = note ? note->freed : NULL;
}
