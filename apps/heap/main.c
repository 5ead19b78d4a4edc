/*
 * Heap and containers: words in a list, an array that grows, sorting, and everything
 * given back in the end. Each allocation can fail, and each failure is handled.
 */
#include <caisson/init.h>
#include <caisson/list.h>
#include <caisson/mm.h>
#include <caisson/print.h>
#include <stdlib.h>
#include <string.h>

struct word {
	struct list node;
	size_t length;
	char text[];
};

struct array {
	struct word **items;
	size_t n, room;
};

static bool add_word(struct list *words, const char *text, size_t length)
{
	struct word *w = kalloc(sizeof(*w) + length + 1);

	if (!w)
		return false;
	w->length = length;
	memcpy(w->text, text, length);
	w->text[length] = 0;
	list_push_back(words, &w->node);
	return true;
}

static bool split(struct list *words, const char *text)
{
	for (text += strspn(text, " "); *text; text += strspn(text, " ")) {
		size_t length = strcspn(text, " ");

		if (!add_word(words, text, length))
			return false;
		text += length;
	}
	return true;
}

static bool grow(struct array *a)
{
	size_t room = a->room ? 2 * a->room : 2;
	struct word **items = kalloc(room * sizeof(*items));

	if (!items)
		return false;
	if (a->n)
		memcpy(items, a->items, a->n * sizeof(*items));
	kfree(a->items);
	a->items = items;
	a->room = room;
	return true;
}

static bool append(struct array *a, struct word *w)
{
	if (a->n == a->room && !grow(a))
		return false;
	a->items[a->n++] = w;
	return true;
}

static bool collect(struct array *a, struct list *words)
{
	list_for_each(w, words, struct word, node)
		if (!append(a, w))
			return false;
	return true;
}

static int by_text(const void *a, const void *b)
{
	return strcmp((*(struct word *const *)a)->text, (*(struct word *const *)b)->text);
}

static void free_words(struct list *words)
{
	list_for_each_safe(w, next, words, struct word, node)
		kfree(w);
	list_init(words);
}

int main(void)
{
	struct list words = LIST_INIT(words);
	struct array sorted = { 0 };
	size_t before = heap_in_use();
	bool good = split(&words, "a caisson lets people work under water") && collect(&sorted, &words);

	if (sorted.n)
		qsort(sorted.items, sorted.n, sizeof(*sorted.items), by_text);
	for (size_t i = 0; i < sorted.n; i++)
		print("%s\n", sorted.items[i]->text);
	print("%zu words, room for %zu, heap in use: %s\n", sorted.n, sorted.room,
	      heap_in_use() > before ? "more" : "no more");
	kfree(sorted.items);
	free_words(&words);
	print("everything freed, heap in use: %s\n", heap_in_use() == before ? "as before" : "not as before");
	return !good;
}
