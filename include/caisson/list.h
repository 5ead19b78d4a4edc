/*
 * Intrusive doubly linked list. A head is a node whose next and prev point to
 * itself when the list is empty. No locking: the caller holds what guards it.
 */
#pragma once

#include <caisson/types.h>

struct list {
	struct list *next, *prev;
};

#define LIST_INIT(name) { &(name), &(name) }

static inline void list_init(struct list *l)
{
	l->next = l->prev = l;
}

static inline bool list_empty(const struct list *l)
{
	return l->next == l;
}

static inline void list_insert(struct list *prev, struct list *next, struct list *n)
{
	n->prev = prev;
	n->next = next;
	prev->next = n;
	next->prev = n;
}

static inline void list_push_front(struct list *head, struct list *n)
{
	list_insert(head, head->next, n);
}

static inline void list_push_back(struct list *head, struct list *n)
{
	list_insert(head->prev, head, n);
}

/** Unlink `n` and leave it an empty list, so that list_empty(n) tells it is nowhere. */
static inline void list_del(struct list *n)
{
	n->prev->next = n->next;
	n->next->prev = n->prev;
	list_init(n);
}

#define list_entry(ptr, type, member) container_of(ptr, type, member)
#define list_first(head, type, member) list_entry((head)->next, type, member)

#define list_for_each(pos, head, type, member)                        \
	for (type *pos = list_entry((head)->next, type, member);      \
	     &pos->member != (head);                                  \
	     pos = list_entry(pos->member.next, type, member))

/** As list_for_each, but `pos` may be unlinked or freed in the body. */
#define list_for_each_safe(pos, tmp, head, type, member)              \
	for (type *pos = list_entry((head)->next, type, member),      \
		  *tmp = list_entry(pos->member.next, type, member);  \
	     &pos->member != (head);                                  \
	     pos = tmp, tmp = list_entry(tmp->member.next, type, member))
