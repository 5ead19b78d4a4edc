/*
 * Split virtqueues (virtio 1.2, section 2.7): the only code that touches the rings.
 *
 * The device reads the descriptor table and the available ring and writes the
 * used ring. What we need to know again is kept in memory of our own, so that
 * nothing the device writes anywhere decides more than which chain is finished;
 * and that is checked. All fields are little-endian, as we are.
 */
#include <errno.h>

#include <arch/cpu.h>
#include <caisson/log.h>
#include <caisson/mm.h>

#include "transport.h"

#define LOG_NAME "virtio"

#define NO_INDEX 0xffffu
#define USED_NO_NOTIFY 1u

/* Behind the ring: used_event, the used index at whose passing we want an interrupt. */
struct avail {
	uint16_t flags, idx;
	uint16_t ring[];
};

struct used_elem {
	uint32_t id, len;
};

/* Behind the ring: avail_event, the available index at whose passing the device wants to be notified. */
struct used {
	uint16_t flags, idx;
	struct used_elem ring[];
};

/* Ours, one for each descriptor. Only the first of a chain has a token. */
struct slot {
	void *token;
	uint32_t writable;     /* bytes of the chain that the device may write */
	uint16_t n;            /* descriptors of the chain */
	uint16_t next;         /* in the chain or in the free list */
};

struct virtq {
	struct list node;      /* in the device's list */
	struct virtio_device *dev;
	unsigned index, size;  /* size: a power of two */
	void (*used_fn)(struct virtq *q);
	hpa_t frame;           /* the three parts */
	struct virtq_desc *desc;
	struct avail *avail;
	struct used *used;
	uint16_t avail_idx;    /* next to fill; runs through all 16 bits */
	uint16_t kicked_idx;   /* avail_idx at the last kick */
	uint16_t used_idx;     /* next to take */
	uint16_t free;         /* first free slot */
	unsigned n_free, n_chains;
	struct slot slots[];
};

#define AVAIL_OFFSET (VIRTQ_MAX * sizeof(struct virtq_desc))
#define USED_OFFSET (AVAIL_OFFSET + ALIGN_UP(sizeof(struct avail) + (VIRTQ_MAX + 1) * sizeof(uint16_t), 4))
#define PARTS_SIZE (USED_OFFSET + sizeof(struct used) + VIRTQ_MAX * sizeof(struct used_elem) + sizeof(uint16_t))
_Static_assert(PARTS_SIZE <= PAGE_SIZE, "the three parts of a queue fit a page");

static uint16_t *used_event(struct virtq *q)
{
	return &q->avail->ring[q->size];
}

static const uint16_t *avail_event(const struct virtq *q)
{
	return (const uint16_t *)&q->used->ring[q->size];
}

/* Everything free, both rings at their start. */
static void clear(struct virtq *q)
{
	page_zero(q->desc, PAGE_SIZE);
	q->avail_idx = q->kicked_idx = q->used_idx = 0;
	q->n_free = q->size;
	q->n_chains = 0;
	q->free = 0;
	for (unsigned i = 0; i < q->size; i++)
		q->slots[i] = (struct slot){ .next = (uint16_t)(i + 1 < q->size ? i + 1 : NO_INDEX) };
}

static int start(struct virtq *q)
{
	struct virtq_place place = {
		.desc = q->frame,
		.avail = HPA(q->frame.v + AVAIL_OFFSET),
		.used = HPA(q->frame.v + USED_OFFSET),
		.size = q->size,
	};

	return q->dev->transport->queue_start(q->dev, q->index, &place);
}

static struct virtq *allocate(struct virtio_device *dev, unsigned index, unsigned size)
{
	struct virtq *q = kzalloc(sizeof(*q) + size * sizeof(q->slots[0]));
	char *parts;

	if (!q)
		return NULL;
	if (frame_alloc(0, 0, &q->frame)) {
		kfree(q);
		return NULL;
	}
	parts = hpa_to_kva(q->frame);
	q->desc = (struct virtq_desc *)parts;
	q->avail = (struct avail *)(parts + AVAIL_OFFSET);
	q->used = (struct used *)(parts + USED_OFFSET);
	q->dev = dev;
	q->index = index;
	q->size = size;
	return q;
}

/* The largest power of two that is not above n. */
static unsigned power_of_two(unsigned n)
{
	return 1u << (31 - __builtin_clz(n));
}

static void destroy(struct virtq *q)
{
	list_del(&q->node);
	frame_free(q->frame, 0);
	kfree(q);
}

int virtq_create(struct virtio_device *dev, unsigned index, unsigned size, void (*used)(struct virtq *q),
		 struct virtq **out)
{
	unsigned max = dev->transport->queue_max(dev, index);
	struct virtq *q;
	int error;

	if (max == 0)
		return -ENODEV;
	q = allocate(dev, index, power_of_two(MIN(MIN(max, size), VIRTQ_MAX)));
	if (!q)
		return -ENOMEM;
	q->used_fn = used;
	list_push_back(&dev->queues, &q->node);
	clear(q);
	error = start(q);
	if (error)
		destroy(q);
	else
		*out = q;
	return error;
}

void virtq_destroy_all(struct virtio_device *dev)
{
	while (!list_empty(&dev->queues))
		destroy(list_first(&dev->queues, struct virtq, node));
}

int virtq_restart(struct virtq *q)
{
	ASSERT(q->n_chains == 0);
	clear(q);
	return start(q);
}

int virtq_for_each(struct virtio_device *dev, int (*fn)(struct virtq *q))
{
	list_for_each_safe(q, next, &dev->queues, struct virtq, node) {
		int result = fn(q);

		if (result)
			return result;
	}
	return 0;
}

int virtq_interrupt(struct virtq *q)
{
	q->used_fn(q);
	return 0;
}

unsigned virtq_size(const struct virtq *q)
{
	return q->size;
}

struct virtio_device *virtq_device(const struct virtq *q)
{
	return q->dev;
}

/* Fill in descriptors from the free list. @return the first. */
static uint16_t fill(struct virtq *q, const struct virtq_buf *bufs, unsigned n)
{
	uint16_t head = q->free, next = head;

	for (unsigned i = 0; i < n; i++) {
		struct virtq_desc *d = &q->desc[next];

		next = q->slots[next].next;
		d->addr = kva_to_hpa(bufs[i].data).v;
		d->len = bufs[i].len;
		d->flags = (uint16_t)((bufs[i].device_writes ? VIRTQ_DESC_WRITE : 0) | (i + 1 < n ? VIRTQ_DESC_NEXT : 0));
		d->next = i + 1 < n ? next : 0;
	}
	q->free = next;
	q->n_free -= n;
	return head;
}

static uint32_t writable_bytes(const struct virtq_buf *bufs, unsigned n)
{
	uint32_t bytes = 0;

	for (unsigned i = 0; i < n; i++)
		bytes += bufs[i].device_writes ? bufs[i].len : 0;
	return bytes;
}

/* n descriptors from `head` on are filled in: the device may have them. */
static void offer(struct virtq *q, uint16_t head, unsigned n, uint32_t writable, void *token)
{
	struct slot *first = &q->slots[head];

	first->token = token;
	first->writable = writable;
	first->n = (uint16_t)n;
	q->n_chains++;
	q->avail->ring[q->avail_idx & (q->size - 1)] = head;
	q->avail_idx++;
	/* The chain and its entry are written before the index that shows them. */
	__atomic_store_n(&q->avail->idx, q->avail_idx, __ATOMIC_RELEASE);
}

int virtq_add(struct virtq *q, const struct virtq_buf *bufs, unsigned n, void *token)
{
	ASSERT(token && n > 0 && n <= q->size);
	if (n > q->n_free)
		return -ENOSPC;
	offer(q, fill(q, bufs, n), n, writable_bytes(bufs, n), token);
	return 0;
}

/* Copy a table into descriptors from the free list. @return the first. */
static uint16_t copy(struct virtq *q, const struct virtq_desc *table, unsigned n)
{
	uint16_t head = q->free, next = head;

	for (unsigned i = 0; i < n; i++) {
		struct virtq_desc *d = &q->desc[next];

		next = q->slots[next].next;
		*d = table[i];
		d->next = i + 1 < n ? next : 0;
	}
	q->free = next;
	q->n_free -= n;
	return head;
}

/* One descriptor that stands for a table. */
static uint16_t refer(struct virtq *q, const struct virtq_desc *table, unsigned n)
{
	uint16_t head = q->free;

	q->free = q->slots[head].next;
	q->n_free--;
	q->desc[head] = (struct virtq_desc){ .addr = kva_to_hpa(table).v, .len = n * (uint32_t)sizeof(*table),
					     .flags = VIRTQ_DESC_INDIRECT };
	return head;
}

int virtq_add_table(struct virtq *q, const struct virtq_desc *table, unsigned n, uint32_t writable, void *token)
{
	bool indirect = virtio_has(q->dev, VIRTIO_F_INDIRECT_DESC);
	unsigned needed = indirect ? 1 : n;

	ASSERT(token && n > 0 && n <= q->size);
	if (needed > q->n_free)
		return -ENOSPC;
	offer(q, indirect ? refer(q, table, n) : copy(q, table, n), needed, writable, token);
	return 0;
}

/* Did the index pass `event` on its way from old to new? All run through 16 bits (section 2.7.10). */
static bool passed(uint16_t event, uint16_t new, uint16_t old)
{
	return (uint16_t)(new - event - 1) < (uint16_t)(new - old);
}

static bool wants_notification(const struct virtq *q)
{
	if (virtio_has(q->dev, VIRTIO_F_EVENT_IDX))
		return passed(__atomic_load_n(avail_event(q), __ATOMIC_RELAXED), q->avail_idx, q->kicked_idx);
	return !(__atomic_load_n(&q->used->flags, __ATOMIC_RELAXED) & USED_NO_NOTIFY);
}

void virtq_kick(struct virtq *q)
{
	if (q->kicked_idx == q->avail_idx)
		return;
	cpu_mb(); /* it sees the new index, or we see that it wants to be told */
	if (wants_notification(q))
		q->dev->transport->notify(q->dev, q->index);
	q->kicked_idx = q->avail_idx;
}

/* Give a chain's descriptors back. @return its token. */
static void *release(struct virtq *q, uint16_t head)
{
	struct slot *first = &q->slots[head];
	void *token = first->token;
	uint16_t last = head;

	for (unsigned i = 1; i < first->n; i++)
		last = q->slots[last].next;
	q->slots[last].next = q->free;
	q->free = head;
	q->n_free += first->n;
	q->n_chains--;
	first->token = NULL;
	return token;
}

/* How many used entries are new. When there are none, ask for an interrupt, and look again: one may just have come. */
static unsigned pending(struct virtq *q)
{
	uint16_t idx = __atomic_load_n(&q->used->idx, __ATOMIC_ACQUIRE);

	if (idx == q->used_idx && virtio_has(q->dev, VIRTIO_F_EVENT_IDX)) {
		__atomic_store_n(used_event(q), q->used_idx, __ATOMIC_RELAXED);
		cpu_mb();
		idx = __atomic_load_n(&q->used->idx, __ATOMIC_ACQUIRE);
	}
	return (uint16_t)(idx - q->used_idx);
}

/* What is wrong with a used entry, or NULL. */
static const char *lie(const struct virtq *q, unsigned n_pending, uint32_t id, uint32_t len)
{
	if (n_pending > q->n_chains)
		return "finished more than it was given";
	if (id >= q->size || !q->slots[id].token)
		return "finished what it was not given";
	if (len > q->slots[id].writable)
		return "wrote more than it could";
	return NULL;
}

void *virtq_take(struct virtq *q, uint32_t *written)
{
	const struct used_elem *elem = &q->used->ring[q->used_idx & (q->size - 1)];
	unsigned n = virtio_is_broken(q->dev) ? 0 : pending(q);
	const char *wrong;
	uint32_t id;

	if (n == 0)
		return NULL;
	/* Once: the device could change them after the check. */
	id = __atomic_load_n(&elem->id, __ATOMIC_RELAXED);
	*written = __atomic_load_n(&elem->len, __ATOMIC_RELAXED);
	wrong = lie(q, n, id, *written);
	if (wrong) {
		virtio_fail(q->dev, wrong);
		return NULL;
	}
	q->used_idx++;
	return release(q, (uint16_t)id);
}

void *virtq_reclaim(struct virtq *q)
{
	for (unsigned i = 0; q->n_chains > 0 && i < q->size; i++)
		if (q->slots[i].token)
			return release(q, (uint16_t)i);
	return NULL;
}
