/* The graph of lock classes: who was taken while whom was held. It must not get a cycle. */
#include "lockgraph.h"

#include <string.h>

#define EDGES_MAX 4096
#define KEYS (2 * CLASSES_MAX)

struct lock_class lock_classes[CLASSES_MAX];
static unsigned n_classes = 1;
static uint16_t by_key[KEYS]; /* open addressing, twice as many places as classes */

static struct lock_edge edges[EDGES_MAX];
static unsigned n_edges;
static uint64_t known[CLASSES_MAX][CLASSES_MAX / 64]; /* a bit for each edge: what is known costs one look */

unsigned lockgraph_class(const void *key)
{
	unsigned at = (unsigned)((uintptr_t)key * UINT64_C(0x9e3779b97f4a7c15) >> 40) % KEYS;

	while (by_key[at] && lock_classes[by_key[at]].key != key)
		at = (at + 1) % KEYS;
	if (!by_key[at] && n_classes < CLASSES_MAX) {
		lock_classes[n_classes].key = key;
		by_key[at] = (uint16_t)n_classes++;
	}
	return by_key[at];
}

bool lockgraph_knows(unsigned from, unsigned to)
{
	return __atomic_load_n(&known[from][to / 64], __ATOMIC_RELAXED) & BIT(to % 64);
}

bool lockgraph_add(unsigned from, unsigned to, const char *held_at, const char *taken_at)
{
	struct lock_edge *e = &edges[n_edges];

	if (n_edges == EDGES_MAX)
		return false;
	n_edges++;
	*e = (struct lock_edge){ lock_classes[from].edges, from, to, held_at, taken_at };
	lock_classes[from].edges = e;
	__atomic_or_fetch(&known[from][to / 64], BIT(to % 64), __ATOMIC_RELAXED);
	return true;
}

/* By which edge a search came to each class, and what it has yet to look at. */
static const struct lock_edge *came_by[CLASSES_MAX];
static uint16_t queue[CLASSES_MAX];

/* Breadth first, so that what it finds is short. @return whether it got there. */
static bool search(unsigned from, unsigned to)
{
	unsigned head = 0, tail = 0;

	memset(came_by, 0, sizeof(came_by));
	queue[tail++] = (uint16_t)from;
	while (head < tail && !came_by[to]) {
		for (const struct lock_edge *e = lock_classes[queue[head++]].edges; e; e = e->next) {
			if (came_by[e->to] || e->to == from)
				continue;
			came_by[e->to] = e;
			queue[tail++] = (uint16_t)e->to;
		}
	}
	return came_by[to] != NULL;
}

unsigned lockgraph_path(unsigned from, unsigned to, const struct lock_edge **path, unsigned max)
{
	unsigned length = 0;

	if (!search(from, to))
		return 0;
	for (unsigned at = to; at != from; at = came_by[at]->from)
		length++;
	for (unsigned at = to, i = length; at != from; at = came_by[at]->from)
		if (--i < max)
			path[i] = came_by[at];
	return length;
}
