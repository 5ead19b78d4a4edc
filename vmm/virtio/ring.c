/*
 * Split virtqueues (virtio 1.2, 2.7), with indirect descriptors and event indices.
 * Nobody else reads or writes what a virtio driver has put into guest memory.
 */
#include <vmm/virtio.h>

#include <errno.h>
#include <string.h>

#include <vmm/memory.h>

#include "virtio_bits.h"

/* A descriptor as it stands in guest memory; copied once, then looked at. */
struct desc {
	uint64_t gpa;
	uint32_t len;
	uint16_t flags, next;
};

enum { DESC_NEXT = 1, DESC_WRITE = 2, DESC_INDIRECT = 4 };
enum { AVAIL_NO_INTERRUPT = 1, USED_NO_NOTIFY = 1 };

/* Both rings: flags, index, entries; then one more index, of the other side's event. */
#define RING_FLAGS 0
#define RING_INDEX 2
#define RING_ENTRIES 4
#define AVAIL_ENTRY 2
#define USED_ENTRY 8

static struct vm *vm_of(const struct vio_queue *q)
{
	return q->dev->vdev->host->vm;
}

/* Parts of a ring. */

static int part_map(struct vio_queue *q, struct vio_part *p, uint64_t gpa, uint32_t len)
{
	struct segment seg;
	int error;

	error = guest_segment(vm_of(q), GPA(gpa), len, &seg);
	if (error)
		return error;
	p->gpa = gpa;
	p->offset = gpa & (PAGE_SIZE - 1);
	p->pages[0] = (char *)seg.data - p->offset;
	p->pages[1] = NULL;
	if (p->offset + len <= PAGE_SIZE)
		return 0;
	error = guest_segment(vm_of(q), GPA(ALIGN_UP(gpa + 1, PAGE_SIZE)), p->offset + len - PAGE_SIZE, &seg);
	p->pages[1] = seg.data;
	return error;
}

/* What is there; it does not cross a page. */
static inline void *part_at(const struct vio_part *p, uint32_t off)
{
	off += p->offset;
	return p->pages[off >> PAGE_SHIFT] + (off & (PAGE_SIZE - 1));
}

static inline uint16_t load16(const struct vio_part *p, uint32_t off)
{
	return __atomic_load_n((uint16_t *)part_at(p, off), __ATOMIC_RELAXED);
}

static inline void store16(const struct vio_part *p, uint32_t off, uint16_t value)
{
	__atomic_store_n((uint16_t *)part_at(p, off), value, __ATOMIC_RELAXED);
}

/* Indirect tables may begin anywhere: an entry of theirs may cross a page. */
static inline struct desc load_desc(const struct vio_part *p, uint32_t i)
{
	uint32_t off = i * sizeof(struct desc), left = PAGE_SIZE - ((p->offset + off) & (PAGE_SIZE - 1));
	struct desc d;

	if (likely(left >= sizeof(d))) {
		memcpy(&d, part_at(p, off), sizeof(d));
	} else {
		memcpy(&d, part_at(p, off), left);
		memcpy((char *)&d + left, p->pages[1], sizeof(d) - left);
	}
	return d;
}

/* Setting up. */

int vio_queue_start(struct vio_queue *q)
{
	uint32_t n = q->size;
	int error;

	if (n == 0 || n > VIO_QUEUE_SIZE || (n & (n - 1)))
		return -EINVAL;
	if (!IS_ALIGNED(q->gpa[0], 16) || !IS_ALIGNED(q->gpa[1], 2) || !IS_ALIGNED(q->gpa[2], 4))
		return -EINVAL;
	error = part_map(q, &q->desc, q->gpa[0], n * sizeof(struct desc));
	if (!error)
		error = part_map(q, &q->avail, q->gpa[1], RING_ENTRIES + n * AVAIL_ENTRY + 2);
	if (!error)
		error = part_map(q, &q->used, q->gpa[2], RING_ENTRIES + n * USED_ENTRY + 2);
	if (error)
		return error;
	q->next_avail = q->next_used = q->told_used = 0;
	q->ready = true;
	return 0;
}

void vio_queue_clear(struct vio_queue *q)
{
	q->ready = false;
	q->size = VIO_QUEUE_SIZE;
	q->near.len = 0;
	memset(q->gpa, 0, sizeof(q->gpa));
}

/* RAM that is moved, or was. Lock held, as below. */

/* Its pages are there: they were mapped before. */
static void part_find(struct vio_queue *q, struct vio_part *p)
{
	for (unsigned i = 0; i < ARRAY_SIZE(p->pages) && p->pages[i]; i++) {
		struct segment seg;

		if (guest_segment(vm_of(q), GPA(p->gpa - p->offset + i * PAGE_SIZE), PAGE_SIZE, &seg) == 0)
			p->pages[i] = seg.data;
	}
}

static void __attribute__((noinline)) stop_moving(struct vio_queue *q)
{
	q->moving = false;
	guest_stop_fold(vm_of(q));
	if (!q->ready)
		return;
	part_find(q, &q->desc);
	part_find(q, &q->avail);
	part_find(q, &q->used);
}

static bool begin_moving(struct vio_queue *q)
{
	irqflags_t flags = vio_lock(q);
	bool idle = q->held == 0;

	q->moving = idle;
	q->near.len = 0;
	vio_unlock(q, flags);
	return idle;
}

bool vio_move_begin(struct vio *dev)
{
	for (unsigned i = 0; i < dev->type->n_queues; i++)
		if (!begin_moving(&dev->queues[i])) {
			vio_move_end(dev);
			return false;
		}
	return true;
}

void vio_move_end(struct vio *dev)
{
	for (unsigned i = 0; i < dev->type->n_queues; i++)
		vio_unlock(&dev->queues[i], vio_lock(&dev->queues[i]));
}

irqflags_t vio_lock(struct vio_queue *q)
{
	irqflags_t flags = spin_lock_irqsave(&q->lock);

	if (unlikely(q->moving))
		stop_moving(q);
	return flags;
}

void vio_unlock(struct vio_queue *q, irqflags_t flags)
{
	spin_unlock_irqrestore(&q->lock, flags);
}

/* Chains that the guest offers. */

static int lie(struct vio_queue *q, const char *what)
{
	vio_fail(q->dev, "queue %u: %s", q->index, what);
	return -EINVAL;
}

static int add_piece(struct vio_queue *q, const struct desc *d)
{
	struct vio_chain *c = &q->chain;
	bool writes = d->flags & DESC_WRITE;
	uint32_t *len = writes ? &c->write_len : &c->read_len;

	if (c->n_read + c->n_write >= q->size)
		return lie(q, "a chain is longer than the queue");
	if (!writes && c->n_write)
		return lie(q, "a piece to be read follows one to be written");
	if (!guest_in_ram(vm_of(q), GPA(d->gpa), d->len))
		return lie(q, "a buffer is not in RAM");
	if (__builtin_add_overflow(*len, d->len, len))
		return lie(q, "a chain of more than 4 GiB");
	c->pieces[c->n_read + c->n_write] = (struct vio_piece){ d->gpa, d->len };
	if (writes)
		c->n_write++;
	else
		c->n_read++;
	return 0;
}

/* Follow a chain from entry i of a table of n; where it goes on in an indirect table, *indirect has that. */
static int walk(struct vio_queue *q, const struct vio_part *table, uint32_t n, uint32_t i, struct desc *indirect)
{
	for (;;) {
		struct desc d;
		int error;

		if (i >= n)
			return lie(q, "a descriptor beyond the table");
		d = load_desc(table, i);
		if (d.flags & DESC_INDIRECT) {
			*indirect = d;
			return 0;
		}
		error = add_piece(q, &d);
		if (error)
			return error;
		if (!(d.flags & DESC_NEXT))
			return 0;
		i = d.next;
	}
}

static int walk_indirect(struct vio_queue *q, const struct desc *d)
{
	struct desc nested = { 0 };
	struct vio_part table;
	int error;

	if (!vio_has(q->dev, F_INDIRECT_DESC))
		return lie(q, "an indirect descriptor without the feature");
	if (d->flags & DESC_NEXT)
		return lie(q, "an indirect descriptor with a next one");
	if (d->len == 0 || d->len % sizeof(*d) || d->len / sizeof(*d) > VIO_QUEUE_SIZE)
		return lie(q, "an indirect table of no good size");
	error = part_map(q, &table, d->gpa, d->len);
	if (error == -ENOMEM) {
		__atomic_store_n(&q->starved, true, __ATOMIC_RELAXED);
		return error;
	}
	if (error)
		return lie(q, "an indirect table that is not in RAM");
	error = walk(q, &table, d->len / sizeof(*d), 0, &nested);
	if (!error && nested.flags)
		return lie(q, "an indirect descriptor in an indirect table");
	return error;
}

static int read_chain(struct vio_queue *q, uint16_t head)
{
	struct vio_chain *c = &q->chain;
	struct desc indirect = { 0 };
	int error;

	c->head = head;
	c->n_read = c->n_write = 0;
	c->read_len = c->write_len = 0;
	error = walk(q, &q->desc, q->size, head, &indirect);
	if (!error && indirect.flags)
		error = walk_indirect(q, &indirect);
	return error;
}

/* How many chains the guest has offered that were not popped. */
static inline uint16_t offered(const struct vio_queue *q)
{
	uint16_t n = __atomic_load_n((uint16_t *)part_at(&q->avail, RING_INDEX), __ATOMIC_ACQUIRE);

	return n - q->next_avail;
}

bool vio_pop(struct vio_queue *q)
{
	uint16_t n;

	if (!q->ready || !vio_runs(q->dev))
		return false;
	n = offered(q);
	if (n == 0)
		return false;
	/* Each chain takes a descriptor until it is back: so an honest driver has no more, and a liar costs no more. */
	if ((uint32_t)n + q->held > q->size) {
		lie(q, "its available index runs ahead");
		return false;
	}
	if (read_chain(q, load16(&q->avail, RING_ENTRIES + (q->next_avail & (q->size - 1)) * AVAIL_ENTRY)))
		return false;
	q->next_avail++;
	q->held++;
	q->chains++;
	return true;
}

void vio_unpop(struct vio_queue *q, unsigned n)
{
	q->next_avail -= n;
	q->held -= n;
	q->chains -= n;
}

bool vio_is_empty(const struct vio_queue *q)
{
	return !q->ready || !vio_runs(q->dev) || offered(q) == 0;
}

/* Chains that go back. */

void vio_push(struct vio_queue *q, uint16_t head, uint32_t written)
{
	uint32_t off = RING_ENTRIES + (q->next_used & (q->size - 1)) * USED_ENTRY;

	q->held--;
	if (!q->ready || !vio_runs(q->dev))
		return;
	/* The ring is aligned to 4 bytes: an entry may cross a page. */
	*(uint32_t *)part_at(&q->used, off) = head;
	*(uint32_t *)part_at(&q->used, off + 4) = written;
	q->next_used++;
}

static bool wants_interrupt(const struct vio_queue *q)
{
	uint16_t event;

	if (!vio_has(q->dev, F_EVENT_IDX))
		return !(load16(&q->avail, RING_FLAGS) & AVAIL_NO_INTERRUPT);
	event = load16(&q->avail, RING_ENTRIES + q->size * AVAIL_ENTRY);
	return (uint16_t)(q->next_used - event - 1) < (uint16_t)(q->next_used - q->told_used);
}

void vio_publish(struct vio_queue *q)
{
	bool wanted;

	if (q->next_used == q->told_used || !q->ready || !vio_runs(q->dev))
		return;
	__atomic_store_n((uint16_t *)part_at(&q->used, RING_INDEX), q->next_used, __ATOMIC_RELEASE);
	/* The index before the question whether somebody wants to know of it: the driver does it the other way round. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	wanted = wants_interrupt(q);
	q->told_used = q->next_used;
	if (!wanted)
		return;
	q->interrupts++;
	vio_interrupt(q->dev, VIO_USED_BUFFER);
}

bool vio_want_kick(struct vio_queue *q, bool want)
{
	if (!q->ready || !vio_runs(q->dev))
		return false;
	if (!vio_has(q->dev, F_EVENT_IDX))
		store16(&q->used, RING_FLAGS, want ? 0 : USED_NO_NOTIFY);
	else if (want) /* else the event is one that has been */
		store16(&q->used, RING_ENTRIES + q->size * USED_ENTRY, q->next_avail);
	if (!want)
		return false;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return offered(q) != 0 && !__atomic_load_n(&q->starved, __ATOMIC_RELAXED);
}

void vio_complete(struct vio_queue *q, uint16_t head, uint32_t written)
{
	irqflags_t flags = vio_lock(q);

	vio_push(q, head, written);
	vio_publish(q);
	vio_unlock(q, flags);
}

/* The bytes of a chain. */

/* RAM, as it was checked when the chain was popped. Most of a chain stands where the last one stood. */
static int locate(struct vio_queue *q, uint64_t gpa, uint32_t n, struct segment *seg)
{
	struct guest_extent *e = &q->near;

	if (unlikely(gpa - e->gpa >= e->len)) {
		int error = guest_extent(vm_of(q), GPA(gpa), e);

		if (error)
			return error;
	}
	seg->data = e->data + (gpa - e->gpa);
	seg->len = (uint32_t)MIN(n, e->len - (gpa - e->gpa));
	return 0;
}

int vio_segments(struct vio_queue *q, enum vio_side side, uint32_t off, uint32_t n, struct segment *segs, unsigned max,
		 uint32_t *covered)
{
	const struct vio_piece *p = q->chain.pieces + (side == VIO_WRITES ? q->chain.n_read : 0);
	const struct vio_piece *end = p + (side == VIO_WRITES ? q->chain.n_write : q->chain.n_read);
	unsigned used = 0;

	*covered = 0;
	for (; p < end && off >= p->len; p++)
		off -= p->len;
	while (p < end && n) {
		struct segment seg;
		int error;

		if (p->len == off) { /* this piece is done, or is empty */
			p++;
			off = 0;
			continue;
		}
		error = locate(q, p->gpa + off, MIN(n, p->len - off), &seg);
		if (error)
			return error;
		if (used && (char *)segs[used - 1].data + segs[used - 1].len == seg.data)
			segs[used - 1].len += seg.len;
		else if (used == max)
			break;
		else
			segs[used++] = seg;
		off += seg.len;
		n -= seg.len;
		*covered += seg.len;
	}
	return (int)used;
}

#define COPY_SEGMENTS 4

static uint32_t copy(struct vio_queue *q, enum vio_side side, uint32_t off, char *data, uint32_t n)
{
	uint32_t done = 0, covered;

	while (done < n) {
		struct segment segs[COPY_SEGMENTS];
		int used = vio_segments(q, side, off + done, n - done, segs, COPY_SEGMENTS, &covered);

		if (used <= 0)
			break;
		for (int i = 0; i < used; i++) {
			if (side == VIO_WRITES)
				memcpy(segs[i].data, data + done, segs[i].len);
			else
				memcpy(data + done, segs[i].data, segs[i].len);
			done += segs[i].len;
		}
	}
	return done;
}

uint32_t vio_copy_out(struct vio_queue *q, uint32_t off, void *to, uint32_t n)
{
	return copy(q, VIO_READS, off, to, n);
}

uint32_t vio_copy_in(struct vio_queue *q, uint32_t off, const void *from, uint32_t n)
{
	return copy(q, VIO_WRITES, off, (char *)(uintptr_t)from, n);
}
