/* Sectors in RAM, of a disk of which most are absent. */
#include "sparse.h"

#include <errno.h>
#include <string.h>

#include <caisson/mm.h>

#define SECTORS (PAGE_SIZE / BLOCK_SECTOR) /* of a page */
#define ENTRIES (PAGE_SIZE / sizeof(uint64_t)) /* of a leaf */
#define LEAVES_MAX (1u << 20)              /* 2 TiB */
#define PRESENT 0xffu                      /* in an entry: the sectors that are present. Above it: the page, or 0 */
_Static_assert(SECTORS == 8, "a bit for each sector, below the address of the page");

/* Sectors of one page. */
struct piece {
	uint64_t page;
	unsigned first, n;
	uint8_t bits;
};

static struct piece piece_of(uint64_t sector, uint32_t n)
{
	struct piece p = { .page = sector / SECTORS, .first = (unsigned)(sector % SECTORS) };

	p.n = MIN(n, (unsigned)SECTORS - p.first);
	p.bits = (uint8_t)(((1u << p.n) - 1) << p.first);
	return p;
}

static char *data_of(uint64_t entry)
{
	return (char *)(uintptr_t)(entry & ~(uint64_t)PRESENT);
}

/* How many of a piece's first sectors have a bit in the mask? */
static uint32_t run_of(const struct piece *p, uint8_t mask)
{
	uint32_t others = ~((uint32_t)mask >> p->first); /* never 0 */

	return MIN(p->n, (uint32_t)__builtin_ctz(others));
}

/* --- frames --- */

static int get_frame(struct sparse *s, unsigned flags, void **out)
{
	hpa_t frame;

	if (s->used >= s->limit)
		return -ENOSPC;
	if (frame_alloc(0, flags, &frame))
		return -ENOMEM;
	s->used++;
	*out = hpa_to_kva(frame);
	return 0;
}

static void put_frame(struct sparse *s, void *frame)
{
	frame_free(kva_to_hpa(frame), 0);
	s->used--;
}

/* --- entries --- */

static uint64_t entry_of(const struct sparse *s, uint64_t page)
{
	const uint64_t *leaf = s->leaves[page / ENTRIES];

	return leaf ? leaf[page % ENTRIES] : 0;
}

/* The place of an entry, which is made if need be. */
static int find_entry(struct sparse *s, uint64_t page, uint64_t **out)
{
	uint64_t **leaf = &s->leaves[page / ENTRIES];
	void *frame;
	int error = *leaf ? 0 : get_frame(s, FRAME_ZERO, &frame);

	if (error)
		return error;
	if (!*leaf)
		*leaf = frame;
	*out = &(*leaf)[page % ENTRIES];
	return 0;
}

/* Sectors that were zeroes without a page are zeroes in the page. */
static int give_page(struct sparse *s, uint64_t *entry)
{
	void *frame;
	int error = get_frame(s, *entry & PRESENT ? FRAME_ZERO : 0, &frame);

	if (!error)
		*entry |= (uintptr_t)frame;
	return error;
}

/* --- one piece, with the lock held --- */

static void read_piece(const struct piece *p, uint64_t entry, uint32_t n, struct segs *to)
{
	if (data_of(entry))
		segs_put(to, data_of(entry) + p->first * BLOCK_SECTOR, (uint64_t)n * BLOCK_SECTOR);
	else
		segs_zero(to, (uint64_t)n * BLOCK_SECTOR);
}

static int write_piece(struct sparse *s, const struct piece *p, struct segs *from)
{
	uint64_t *entry;
	int error = find_entry(s, p->page, &entry);

	if (!error && !data_of(*entry))
		error = give_page(s, entry);
	if (error)
		return error;
	segs_get(from, data_of(*entry) + p->first * BLOCK_SECTOR, (uint64_t)p->n * BLOCK_SECTOR);
	*entry |= p->bits;
	return 0;
}

/* When nothing is left in the page but the piece, it needs no memory. */
static void clear_piece(struct sparse *s, uint64_t *entry, const struct piece *p)
{
	void *page = data_of(*entry);

	*entry &= ~(uint64_t)p->bits;
	if (!page || *entry & PRESENT)
		return;
	put_frame(s, page);
	*entry = 0;
}

static int zero_piece(struct sparse *s, const struct piece *p)
{
	uint64_t *entry;
	int error = find_entry(s, p->page, &entry);

	if (error)
		return error;
	clear_piece(s, entry, p);
	if (data_of(*entry))
		memset(data_of(*entry) + p->first * BLOCK_SECTOR, 0, (size_t)p->n * BLOCK_SECTOR);
	*entry |= p->bits;
	return 0;
}

static void drop_piece(struct sparse *s, const struct piece *p)
{
	uint64_t *leaf = s->leaves[p->page / ENTRIES];

	if (leaf)
		clear_piece(s, &leaf[p->page % ENTRIES], p);
}

/* --- all pieces --- */

uint32_t sparse_read(struct sparse *s, uint64_t sector, uint32_t n, struct segs *to, bool *present)
{
	uint32_t done = 0;

	while (done < n) {
		struct piece p = piece_of(sector + done, n - done);
		irqflags_t flags = spin_lock_irqsave(&s->lock);
		uint64_t entry = entry_of(s, p.page);
		uint32_t now;

		if (done == 0)
			*present = entry & BIT(p.first);
		now = run_of(&p, (uint8_t)(*present ? entry : ~entry));
		if (*present)
			read_piece(&p, entry, now, to);
		spin_unlock_irqrestore(&s->lock, flags);
		done += now;
		if (now < p.n)
			break;
	}
	return done;
}

int sparse_write(struct sparse *s, uint64_t sector, uint32_t n, struct segs *from)
{
	int error = 0;

	while (n > 0 && !error) {
		struct piece p = piece_of(sector, n);
		irqflags_t flags = spin_lock_irqsave(&s->lock);

		error = write_piece(s, &p, from);
		spin_unlock_irqrestore(&s->lock, flags);
		sector += p.n;
		n -= p.n;
	}
	return error;
}

int sparse_zero(struct sparse *s, uint64_t sector, uint32_t n)
{
	int error = 0;

	while (n > 0 && !error) {
		struct piece p = piece_of(sector, n);
		irqflags_t flags = spin_lock_irqsave(&s->lock);

		error = zero_piece(s, &p);
		spin_unlock_irqrestore(&s->lock, flags);
		sector += p.n;
		n -= p.n;
	}
	return error;
}

void sparse_drop(struct sparse *s, uint64_t sector, uint32_t n)
{
	while (n > 0) {
		struct piece p = piece_of(sector, n);
		irqflags_t flags = spin_lock_irqsave(&s->lock);

		drop_piece(s, &p);
		spin_unlock_irqrestore(&s->lock, flags);
		sector += p.n;
		n -= p.n;
	}
}

/* --- as a whole --- */

int sparse_init(struct sparse *s, uint64_t n_sectors, uint64_t limit)
{
	uint64_t n = n_sectors / (SECTORS * ENTRIES) + 1;

	if (n > LEAVES_MAX)
		return -EFBIG;
	s->leaves = kzalloc(n * sizeof(s->leaves[0]));
	if (!s->leaves)
		return -ENOMEM;
	s->n_leaves = n;
	s->used = 0;
	s->limit = limit / PAGE_SIZE;
	s->lock = (spinlock_t)SPINLOCK_INIT;
	return 0;
}

static void free_leaf(struct sparse *s, uint64_t *leaf)
{
	for (unsigned i = 0; i < ENTRIES; i++)
		if (data_of(leaf[i]))
			put_frame(s, data_of(leaf[i]));
	put_frame(s, leaf);
}

void sparse_exit(struct sparse *s)
{
	for (uint64_t i = 0; i < s->n_leaves; i++)
		if (s->leaves[i])
			free_leaf(s, s->leaves[i]);
	kfree(s->leaves);
}

uint64_t sparse_memory(const struct sparse *s)
{
	return __atomic_load_n(&s->used, __ATOMIC_RELAXED) * PAGE_SIZE;
}
