/*
 * Stands around the functions of vmm/virtio/ring.c that devices call (the linker puts these in their place): keeps a
 * list of the chains that are held, and reads each chain a second time, in another way, to compare.
 */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct desc {
	uint64_t gpa;
	uint32_t len;
	uint16_t flags, next;
};

struct held {
	struct held *next;       /* the one popped before */
	const struct guest *g;
	const struct vio_queue *q;
	bool gone;               /* pushed in this step */
	bool pushed;             /* but another with the same head was not: which of them it was cannot be told */
	uint16_t head;
	uint32_t write_len;
	unsigned n_read, n;
	struct vio_piece pieces[];
};

static struct held *all;
uint64_t chains_written;

bool __real_vio_pop(struct vio_queue *q);
void __real_vio_unpop(struct vio_queue *q, unsigned n);
void __real_vio_push(struct vio_queue *q, uint16_t head, uint32_t written);
void __real_vio_publish(struct vio_queue *q);
void __real_vio_complete(struct vio_queue *q, uint16_t head, uint32_t written);
void __real_vio_fail(struct vio *dev, const char *fmt, ...);

static struct guest *guest_of(const struct vio_queue *q)
{
	return q->dev->vdev->host->vm;
}

static void check_locked(const struct vio_queue *q, const char *what)
{
	if (!spin_is_locked(&q->lock))
		fuzz_fail("queue %u: %s without its lock", q->index, what);
}

/* --- what may be touched --- */

static void each_part(struct guest *g, const struct vio_queue *q, void (*fn)(struct guest *g, uint64_t gpa, uint64_t n))
{
	uint64_t n = q->size;

	fn(g, q->gpa[0], n * sizeof(struct desc));
	fn(g, q->gpa[1], 6 + 2 * n);
	fn(g, q->gpa[2], 6 + 8 * n);
}

static void grant_chains(struct guest *g)
{
	for (const struct held *h = all; h; h = h->next)
		for (unsigned i = 0; h->g == g && !h->gone && i < h->n; i++)
			ram_grant(g, h->pieces[i].gpa, h->pieces[i].len);
}

/* A driver that is not there has no rings; nor has one that has lied, or whose VM has ended. */
void chains_grant_rings(struct guest *g)
{
	for (unsigned i = 0; i < g->dev->type->n_queues; i++)
		if (g->dev->queues[i].ready)
			each_part(g, &g->dev->queues[i], ram_grant);
}

void chains_grant(struct guest *g)
{
	ram_revoke_all(g);
	if (vio_runs(g->dev))
		chains_grant_rings(g);
	grant_chains(g);
}

static bool is_within(uint64_t gpa, uint64_t from, uint64_t n, uint64_t *until)
{
	uint64_t off = (gpa - from) % RAM_REAL; /* both are in RAM, which repeats itself */

	*until = gpa + n - off;
	return off < n;
}

bool chains_may_write(const struct guest *g, uint64_t gpa, uint64_t *until)
{
	for (unsigned i = 0; i < g->dev->type->n_queues; i++) {
		const struct vio_queue *q = &g->dev->queues[i];

		if (q->ready && is_within(gpa, q->gpa[2], 6 + 8 * q->size, until))
			return true;
	}
	for (const struct held *h = all; h; h = h->next)
		for (unsigned i = h->n_read; h->g == g && i < h->n; i++)
			if (is_within(gpa, h->pieces[i].gpa, h->pieces[i].len, until))
				return true;
	return false;
}

/* --- the list --- */

static void add(const struct vio_queue *q)
{
	unsigned n = q->chain.n_read + q->chain.n_write;
	struct held *h = malloc(sizeof(*h) + n * sizeof(h->pieces[0]));

	if (!h)
		fuzz_fail("no memory for a chain");
	*h = (struct held){ .next = all, .g = guest_of(q), .q = q, .head = q->chain.head, .write_len = q->chain.write_len,
			    .n_read = q->chain.n_read, .n = n };
	memcpy(h->pieces, q->chain.pieces, n * sizeof(h->pieces[0]));
	all = h;
}

/* Those that have this head: a guest that lies can offer one several times. @return how many; *room: of the longest */
static unsigned find(const struct vio_queue *q, uint16_t head, struct held **last, uint32_t *room)
{
	unsigned n = 0;

	*room = 0;
	for (struct held *h = all; h; h = h->next) {
		if (h->q != q || h->head != head || h->gone)
			continue;
		*room = MAX(*room, h->write_len);
		if (h->pushed)
			continue;
		*last = h;
		n++;
	}
	return n;
}

static void release(struct held *h)
{
	h->gone = true;
	for (unsigned i = 0; i < h->n; i++)
		ram_revoke(guest_of(h->q), h->pieces[i].gpa, h->pieces[i].len);
}

/* The last one that has this head: now it is known that they all are back. */
static void release_all_like(struct held *h)
{
	for (struct held *other = all; other; other = other->next)
		if (other == h || (other->q == h->q && other->head == h->head && other->pushed))
			release(other);
}

/* What was taken from one chain may be another's, or a ring's. */
static void grant_rest(struct guest *g)
{
	if (vio_runs(g->dev))
		chains_grant_rings(g);
	grant_chains(g);
}

static void forget(bool (*which)(const struct held *h))
{
	for (struct held **p = &all; *p;) {
		struct held *h = *p;

		if (!which(h)) {
			p = &h->next;
			continue;
		}
		*p = h->next;
		free(h);
	}
}

static bool is_gone(const struct held *h) { return h->gone; }
static bool is_any(const struct held *h) { (void)h; return true; }

void chains_step(void)
{
	forget(is_gone);
}

void chains_forget_all(void)
{
	forget(is_any);
}

static unsigned count(const struct vio_queue *q)
{
	unsigned n = 0;

	for (const struct held *h = all; h; h = h->next)
		n += h->q == q && !h->gone && !h->pushed;
	return n;
}

unsigned chains_held(const struct guest *g)
{
	unsigned n = 0;

	for (unsigned i = 0; i < g->dev->type->n_queues; i++)
		n += count(&g->dev->queues[i]);
	return n;
}

/* What the registers of a queue have to say (2.7). */
static void check_registers(const struct vio_queue *q)
{
	uint64_t n = q->size;

	if (n == 0 || n > VIO_QUEUE_SIZE || (n & (n - 1)))
		fuzz_fail("queue %u is ready with a size of %lu", q->index, n);
	if (q->gpa[0] % 16 || q->gpa[1] % 2 || q->gpa[2] % 4)
		fuzz_fail("queue %u is ready, and not aligned", q->index);
	if (!ram_has(q->gpa[0], 16 * n) || !ram_has(q->gpa[1], 6 + 2 * n) || !ram_has(q->gpa[2], 6 + 8 * n))
		fuzz_fail("queue %u is ready, and not in RAM", q->index);
}

static void check_queue(const struct guest *g, const struct vio_queue *q)
{
	if (q->ready)
		check_registers(q);
	if (count(q) != q->held)
		fuzz_fail("queue %u: %u chains are held, it says %u", q->index, count(q), q->held);
	if (!q->ready || !vio_runs(g->dev))
		return;
	if ((uint16_t)(q->next_used + q->held) != q->next_avail)
		fuzz_fail("queue %u: %u popped, %u held, %u used", q->index, q->next_avail, q->held, q->next_used);
	if (q->told_used != q->next_used)
		fuzz_fail("queue %u: what is used was not shown to the guest", q->index);
	if (g->honest && ram_get16(g, q->gpa[2] + 2) != q->next_used)
		fuzz_fail("queue %u: the guest sees another index than %u", q->index, q->next_used);
}

void chains_check(const struct guest *g)
{
	for (unsigned i = 0; i < g->dev->type->n_queues; i++)
		check_queue(g, &g->dev->queues[i]);
}

/* --- reading a chain a second time --- */

struct model {
	unsigned n_read, n;
	struct vio_piece pieces[VIO_QUEUE_SIZE];
};

static bool model_add(struct model *m, const struct desc *d, unsigned max)
{
	bool write = d->flags & DESC_WRITE;

	if (m->n == max || !ram_has(d->gpa, d->len) || (!write && m->n != m->n_read))
		return false;
	m->pieces[m->n++] = (struct vio_piece){ d->gpa, d->len };
	m->n_read += !write;
	return true;
}

static struct desc model_desc(const struct guest *g, uint64_t table, unsigned i)
{
	struct desc d;

	ram_get(g, table + i * sizeof(d), &d, sizeof(d));
	return d;
}

/* @return is it a good one? */
static bool model_read(const struct guest *g, const struct vio_queue *q, unsigned i, struct model *m)
{
	uint64_t table = q->gpa[0];
	unsigned n = q->size;
	bool indirect = false;

	*m = (struct model){ .n = 0 };
	for (;;) {
		struct desc d;

		if (i >= n)
			return false;
		d = model_desc(g, table, i);
		if (d.flags & DESC_INDIRECT) {
			bool allowed = q->dev->features & BIT(FEATURE_INDIRECT);

			if (indirect || !allowed || (d.flags & DESC_NEXT) || d.len == 0 || d.len % 16 || d.len > 16 * VIO_QUEUE_SIZE ||
			    !ram_has(d.gpa, d.len))
				return false;
			indirect = true;
			table = d.gpa;
			n = d.len / 16;
			i = 0;
			continue;
		}
		if (!model_add(m, &d, q->size))
			return false;
		if (!(d.flags & DESC_NEXT))
			return true;
		i = d.next;
	}
}

static bool model_sums(const struct model *m, uint64_t sums[2])
{
	sums[0] = sums[1] = 0;
	for (unsigned i = 0; i < m->n; i++)
		sums[i >= m->n_read] += m->pieces[i].len;
	return sums[0] <= UINT32_MAX && sums[1] <= UINT32_MAX;
}

static void compare(const struct vio_queue *q, const struct model *m, const uint64_t sums[2])
{
	const struct vio_chain *c = &q->chain;

	if (c->n_read != m->n_read || c->n_write != m->n - m->n_read || c->read_len != sums[0] || c->write_len != sums[1])
		fuzz_fail("queue %u: a chain of %u+%u pieces was read as %u+%u", q->index, m->n_read, m->n - m->n_read, c->n_read,
			  c->n_write);
	for (unsigned i = 0; i < m->n; i++)
		if (c->pieces[i].gpa != m->pieces[i].gpa || c->pieces[i].len != m->pieces[i].len)
			fuzz_fail("queue %u: piece %u of a chain was not read rightly", q->index, i);
}

/* What other vCPUs do meanwhile has to be safe only. */
static void check_pieces(const struct vio_queue *q)
{
	const struct vio_chain *c = &q->chain;
	uint64_t sums[2] = { 0, 0 };

	if (c->n_read + c->n_write > q->size)
		fuzz_fail("queue %u: a chain of %u+%u pieces", q->index, c->n_read, c->n_write);
	for (unsigned i = 0; i < c->n_read + c->n_write; i++) {
		if (!ram_has(c->pieces[i].gpa, c->pieces[i].len))
			fuzz_fail("queue %u: a piece that is not in RAM", q->index);
		sums[i >= c->n_read] += c->pieces[i].len;
	}
	if (sums[0] != c->read_len || sums[1] != c->write_len)
		fuzz_fail("queue %u: the length of a chain is not that of its pieces", q->index);
}

/* n: chains that the guest has offered; held: those of before that are not back. */
static void check_popped(const struct guest *g, const struct vio_queue *q, bool popped, uint16_t n, uint16_t held,
			 uint16_t head)
{
	struct model m;
	uint64_t sums[2];
	bool good = n != 0 && (uint32_t)n + held <= q->size && model_read(g, q, head, &m) && model_sums(&m, sums);

	if (popped && !good)
		fuzz_fail("queue %u: a chain that breaks the rules was popped", q->index);
	if (!popped && good)
		fuzz_fail("queue %u: a good chain was not popped", q->index);
	if (popped)
		compare(q, &m, sums);
	if (n && !popped && vio_runs(q->dev))
		fuzz_fail("queue %u: the guest has lied, and nothing came of it", q->index);
}

/* --- in the place of ring.c's --- */

bool __wrap_vio_pop(struct vio_queue *q)
{
	struct guest *g = guest_of(q);
	bool runs = q->ready && vio_runs(q->dev), popped;
	uint16_t n = 0, head = 0, held = q->held;

	check_locked(q, "popped");
	if (runs) {
		n = (uint16_t)(ram_get16(g, q->gpa[1] + 2) - q->next_avail);
		head = ram_get16(g, q->gpa[1] + 4 + 2 * (q->next_avail % q->size));
	}
	(void)ram_raced();
	(void)ram_failed();
	ram_grant_what_is_asked(true);
	popped = __real_vio_pop(q);
	ram_grant_what_is_asked(false);
	if (popped) {
		check_pieces(q);
		add(q);
	}
	chains_grant(g);
	if (!runs && popped)
		fuzz_fail("queue %u: popped from a device that does not run", q->index);
	if (!ram_raced() && !ram_failed() && runs)
		check_popped(g, q, popped, n, held, head);
	return popped;
}

void __wrap_vio_unpop(struct vio_queue *q, unsigned n)
{
	check_locked(q, "given back");
	for (struct held *h = all; h && n; h = h->next) {
		if (h->q != q || h->gone || h->pushed)
			continue;
		release(h);
		__real_vio_unpop(q, 1);
		n--;
	}
	grant_rest(guest_of(q));
	if (n)
		fuzz_fail("queue %u: %u more chains were given back than it had", q->index, n);
}

static void note_push(const struct vio_queue *q, uint16_t head, uint32_t written)
{
	struct held *h;
	uint32_t room;
	unsigned n = find(q, head, &h, &room);

	if (n == 0)
		fuzz_fail("queue %u: chain %u was pushed, which it does not hold", q->index, head);
	if (written > room)
		fuzz_fail("queue %u: %u bytes written to a chain with room for %u", q->index, written, room);
	chains_written += written;
	if (n > 1) {
		h->pushed = true;
		return;
	}
	release_all_like(h);
	grant_rest(guest_of(q));
}

void __wrap_vio_push(struct vio_queue *q, uint16_t head, uint32_t written)
{
	check_locked(q, "pushed");
	note_push(q, head, written);
	__real_vio_push(q, head, written);
}

/* Does the driver want to know of those from old to new (2.7.7, 2.7.10)? */
static bool is_wanted(const struct vio_queue *q, uint16_t old, uint16_t new)
{
	const struct guest *g = guest_of(q);
	uint16_t event = ram_get16(g, q->gpa[1] + 4 + 2 * q->size);

	if (!(q->dev->features & BIT(FEATURE_EVENT)))
		return !(ram_get16(g, q->gpa[1]) & 1);
	for (uint16_t i = old; i != new; i++)
		if (i == event)
			return true;
	return false;
}

static void check_interrupt(const struct vio_queue *q, uint16_t old, uint16_t new, uint64_t before)
{
	bool wanted = vio_runs(q->dev) && old != new && is_wanted(q, old, new);

	if (wanted != (q->interrupts != before))
		fuzz_fail("queue %u: an interrupt %s", q->index, wanted ? "is missing" : "that nobody wanted");
	if (wanted && !(q->dev->isr & VIO_USED_BUFFER))
		fuzz_fail("queue %u: an interrupt without its cause", q->index);
}

void __wrap_vio_publish(struct vio_queue *q)
{
	uint16_t told = q->told_used;
	uint64_t interrupts = q->interrupts;

	check_locked(q, "published");
	__real_vio_publish(q);
	check_interrupt(q, told, q->next_used, interrupts);
}

void __wrap_vio_complete(struct vio_queue *q, uint16_t head, uint32_t written)
{
	uint16_t told = q->told_used;
	uint64_t interrupts = q->interrupts;

	note_push(q, head, written);
	__real_vio_complete(q, head, written);
	check_interrupt(q, told, q->next_used, interrupts);
}

void __wrap_vio_fail(struct vio *dev, const char *fmt, ...)
{
	const struct guest *g = dev->vdev->host->vm;
	char why[128];
	va_list args;

	va_start(args, fmt);
	vsnprintf(why, sizeof(why), fmt, args);
	va_end(args);
	fuzz_trace("    the driver breaks the rules: %s\n", why);
	if (g->honest)
		fuzz_fail("an honest driver is told that it breaks the rules: %s", why);
	__real_vio_fail(dev, "%s", why);
}
