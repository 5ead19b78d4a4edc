/*
 * Page tables of every format: mapping, unmapping, looking up. The formats
 * differ only in the numbers of struct pt_format.
 *
 * An entry changes by one 64-bit store, and a new table is linked only when its
 * contents are there, so that look-ups (ours and the hardware's) need no lock.
 */
#include <caisson/mm.h>
#include <caisson/pt.h>

#include <arch/pte.h>

#include <errno.h>
#include <string.h>

#define ENTRIES 512u
#define ADDR_BITS 56 /* of a physical address: 44 bits of page number and the offset */
#define PTE_LEAF (PTE_R | PTE_W | PTE_X)

const struct pt_format pt_sv39 = { .name = "sv39", .levels = 3, .mode = 8, .input_bits = 39 };
const struct pt_format pt_sv48 = { .name = "sv48", .levels = 4, .mode = 9, .input_bits = 48 };
const struct pt_format pt_sv57 = { .name = "sv57", .levels = 5, .mode = 10, .input_bits = 57 };
const struct pt_format pt_sv39x4 = {
	.name = "sv39x4", .levels = 3, .root_extra = 2, .mode = 8, .guest = true, .input_bits = 41,
};
const struct pt_format pt_sv48x4 = {
	.name = "sv48x4", .levels = 4, .root_extra = 2, .mode = 9, .guest = true, .input_bits = 50,
};
const struct pt_format pt_sv57x4 = {
	.name = "sv57x4", .levels = 5, .root_extra = 2, .mode = 10, .guest = true, .input_bits = 59,
};

static const struct pt_format *const formats[] = {
	&pt_sv39, &pt_sv48, &pt_sv57, &pt_sv39x4, &pt_sv48x4, &pt_sv57x4,
};

const struct pt_format *pt_format_by_name(const char *name)
{
	for (unsigned i = 0; i < ARRAY_SIZE(formats); i++)
		if (strcmp(formats[i]->name, name) == 0)
			return formats[i];
	return NULL;
}

/* --- entries --- */

static uint64_t pte_get(const uint64_t *pte)
{
	return __atomic_load_n(pte, __ATOMIC_ACQUIRE);
}

static void pte_set(uint64_t *pte, uint64_t value)
{
	__atomic_store_n(pte, value, __ATOMIC_RELEASE);
}

static hpa_t pte_hpa(uint64_t pte)
{
	return HPA((pte & PTE_PPN_MASK) >> PTE_PPN_SHIFT << PAGE_SHIFT);
}

static uint64_t pte_make(hpa_t hpa, uint64_t bits)
{
	return hpa.v >> PAGE_SHIFT << PTE_PPN_SHIFT | bits | PTE_V;
}

static bool pte_is_leaf(uint64_t pte)
{
	return (pte & PTE_V) && (pte & PTE_LEAF);
}

static bool pte_is_table(uint64_t pte)
{
	return (pte & PTE_V) && !(pte & PTE_LEAF);
}

static uint64_t leaf_bits(const struct pt_format *f, unsigned perm)
{
	uint64_t bits = PTE_A | PTE_D;

	if (perm & (PERM_R | PERM_W)) /* W without R is reserved */
		bits |= PTE_R;
	if (perm & PERM_W)
		bits |= PTE_W;
	if (perm & PERM_X)
		bits |= PTE_X;
	if (f->guest || (perm & PERM_U))
		bits |= PTE_U;
	return bits;
}

static unsigned leaf_perm(const struct pt_format *f, uint64_t pte)
{
	unsigned perm = 0;

	if (pte & PTE_R)
		perm |= PERM_R;
	if (pte & PTE_W)
		perm |= PERM_W;
	if (pte & PTE_X)
		perm |= PERM_X;
	if (!f->guest && (pte & PTE_U))
		perm |= PERM_U;
	return perm;
}

/* --- addresses --- */

static uint64_t level_size(unsigned level)
{
	return BIT(pt_level_shift(level));
}

/** Can an input address have this value? */
static bool addr_valid(const struct pt_format *f, uint64_t addr)
{
	if (f->guest)
		return addr >> f->input_bits == 0;
	return (uint64_t)((int64_t)(addr << (64 - f->input_bits)) >> (64 - f->input_bits)) == addr;
}

bool pt_range_valid(const struct pt_format *f, uint64_t addr, uint64_t size)
{
	uint64_t last = addr + size - 1;

	/* Both ends valid but in different halves: the range spans what no address can name. */
	return size > 0 && IS_ALIGNED(addr | size, PAGE_SIZE) && last >= addr &&
	       addr_valid(f, addr) && addr_valid(f, last) &&
	       (f->guest || addr >> 63 == last >> 63);
}

static unsigned entries_at(const struct pt_format *f, unsigned level)
{
	return level == f->levels - 1 ? ENTRIES << f->root_extra : ENTRIES;
}

static unsigned entry_number(const struct pt_format *f, unsigned level, uint64_t addr)
{
	return addr >> pt_level_shift(level) & (entries_at(f, level) - 1);
}

/** From the entry of an address to its table's end. */
static unsigned entries_left(const struct pt_format *f, unsigned level, uint64_t addr)
{
	return entries_at(f, level) - entry_number(f, level, addr);
}

static uint64_t *entry_of(const struct pt_format *f, uint64_t *table, unsigned level, uint64_t addr)
{
	return &table[entry_number(f, level, addr)];
}

/** Go down to `lowest` or the first entry that is not a table; *level says where that is. */
static uint64_t *descend(const struct pt_format *f, hpa_t root, uint64_t addr, unsigned lowest,
			 unsigned *level)
{
	uint64_t *pte = entry_of(f, hpa_to_kva(root), f->levels - 1, addr);

	*level = f->levels - 1;
	while (*level > lowest) {
		uint64_t value = pte_get(pte);

		if (!pte_is_table(value))
			break;
		(*level)--;
		pte = entry_of(f, hpa_to_kva(pte_hpa(value)), *level, addr);
	}
	return pte;
}

/* --- mapping --- */

static int new_table(uint64_t *pte, uint64_t *tables)
{
	hpa_t table;
	int err = frame_alloc(0, FRAME_ZERO, &table);

	if (err)
		return err;
	(*tables)++;
	pte_set(pte, pte_make(table, 0));
	return 0;
}

/** Find the entry for a leaf at `level`, with new tables where there are none on the way. */
static int make_way(const struct pt_format *f, hpa_t root, uint64_t addr, unsigned level,
		    uint64_t **pte, uint64_t *tables)
{
	for (;;) {
		unsigned at;
		int err;

		*pte = descend(f, root, addr, level, &at);
		if (at == level)
			return 0;
		if (pte_get(*pte) & PTE_V)
			return -EEXIST;
		err = new_table(*pte, tables);
		if (err)
			return err;
	}
}

static int put_leaves(uint64_t *pte, uint64_t n, uint64_t leaf, uint64_t step)
{
	for (; n > 0; n--, pte++, leaf += step) {
		if (pte_get(pte) & PTE_V)
			return -EEXIST;
		pte_set(pte, leaf);
	}
	return 0;
}

static unsigned largest_level(uint64_t addr, uint64_t size, hpa_t hpa, unsigned max_level)
{
	unsigned level = max_level;

	while (level > 0 &&
	       (!IS_ALIGNED(addr | hpa.v, level_size(level)) || size < level_size(level)))
		level--;
	return level;
}

static bool target_valid(hpa_t hpa, uint64_t size, unsigned perm)
{
	return IS_ALIGNED(hpa.v, PAGE_SIZE) && hpa.v < BIT(ADDR_BITS) &&
	       size <= BIT(ADDR_BITS) - hpa.v && (perm & (PERM_R | PERM_W | PERM_X));
}

int pt_map(const struct pt_format *f, hpa_t root, uint64_t addr, uint64_t size, hpa_t hpa,
	   unsigned perm, unsigned max_level, uint64_t *tables)
{
	uint64_t bits = leaf_bits(f, perm);

	if (!pt_range_valid(f, addr, size) || !target_valid(hpa, size, perm))
		return -EINVAL;
	max_level = MIN(max_level, f->levels - 1);
	while (size > 0) {
		unsigned level = largest_level(addr, size, hpa, max_level);
		/* The same level serves up to the table's end: only there can a larger leaf begin. */
		uint64_t n = MIN(size >> pt_level_shift(level), entries_left(f, level, addr));
		uint64_t *pte;
		int err = make_way(f, root, addr, level, &pte, tables);

		if (!err)
			err = put_leaves(pte, n, pte_make(hpa, bits),
					 level_size(level) >> PAGE_SHIFT << PTE_PPN_SHIFT);
		if (err)
			return err;
		addr += n << pt_level_shift(level);
		hpa.v += n << pt_level_shift(level);
		size -= n << pt_level_shift(level);
	}
	return 0;
}

int pt_keep_tables(const struct pt_format *f, hpa_t root, uint64_t addr, uint64_t size, uint64_t *tables)
{
	unsigned level = f->levels - 1;
	uint64_t last = addr + size - 1;

	if (!pt_range_valid(f, addr, size))
		return -EINVAL;
	addr = ALIGN_DOWN(addr, level_size(level));
	for (uint64_t n = ((last - addr) >> pt_level_shift(level)) + 1; n > 0; n--, addr += level_size(level)) {
		uint64_t *root_pte = entry_of(f, hpa_to_kva(root), level, addr), *pte;
		int err = make_way(f, root, addr, level - 1, &pte, tables);

		if (err)
			return err;
		pte_set(root_pte, *root_pte | PTE_KEEP);
	}
	return 0;
}

/* --- unmapping --- */

struct unmap {
	const struct pt_format *f;
	uint64_t first, last; /* the range, last byte included */
	void (*leaf)(void *arg, uint64_t addr, hpa_t hpa, unsigned order);
	void (*table)(void *arg, hpa_t table); /* NULL: it is freed at once */
	void *arg;
	uint64_t *tables;
};

static hpa_t take_table(uint64_t *pte, uint64_t *tables)
{
	hpa_t table = pte_hpa(*pte);

	pte_set(pte, 0);
	(*tables)--;
	return table;
}

static void drop_table(struct unmap *u, uint64_t *pte)
{
	hpa_t table = take_table(pte, u->tables);

	if (u->table)
		u->table(u->arg, table);
	else
		frame_free(table, 0);
}

static bool table_empty(const uint64_t *table)
{
	for (unsigned i = 0; i < ENTRIES; i++)
		if (table[i] & PTE_V)
			return false;
	return true;
}

static int unmap_leaf(struct unmap *u, uint64_t *pte, unsigned level, uint64_t addr)
{
	uint64_t old = *pte;

	if (addr < u->first || addr + level_size(level) - 1 > u->last)
		return -EINVAL;
	pte_set(pte, 0);
	if (u->leaf)
		u->leaf(u->arg, addr, pte_hpa(old), pt_level_shift(level) - PAGE_SHIFT);
	return 0;
}

static int unmap_table(struct unmap *u, uint64_t *table, unsigned level, uint64_t first,
		       uint64_t last);

/** Unmap what the range has of one entry, which maps from addr (aligned to the level) on. */
static int unmap_entry(struct unmap *u, uint64_t *pte, unsigned level, uint64_t addr)
{
	uint64_t end = addr + level_size(level) - 1;
	bool whole = addr >= u->first && end <= u->last; /* then nothing is left in its table */
	int err = 0;

	if (pte_is_leaf(*pte))
		return unmap_leaf(u, pte, level, addr);
	if (pte_is_table(*pte)) {
		uint64_t *table = hpa_to_kva(pte_hpa(*pte));

		err = unmap_table(u, table, level - 1, MAX(addr, u->first), MIN(end, u->last));
		if (!(*pte & PTE_KEEP) && ((whole && !err) || table_empty(table)))
			drop_table(u, pte);
	}
	return err;
}

/** As pt_unmap for [first, last] below one table. Recursion is as deep as the format has levels. */
static int unmap_table(struct unmap *u, uint64_t *table, unsigned level, uint64_t first,
		       uint64_t last)
{
	uint64_t addr = ALIGN_DOWN(first, level_size(level));
	uint64_t n = ((last - addr) >> pt_level_shift(level)) + 1;

	for (uint64_t *pte = entry_of(u->f, table, level, addr); n > 0; n--, addr += level_size(level), pte++) {
		int err = *pte & PTE_V ? unmap_entry(u, pte, level, addr) : 0;

		if (err)
			return err;
	}
	return 0;
}

int pt_detach(const struct pt_format *f, hpa_t root, uint64_t addr, uint64_t size,
	      void (*leaf)(void *arg, uint64_t addr, hpa_t hpa, unsigned order), void (*table)(void *arg, hpa_t table),
	      void *arg, uint64_t *tables)
{
	struct unmap u = { f, addr, addr + size - 1, leaf, table, arg, tables };

	if (!pt_range_valid(f, addr, size))
		return -EINVAL;
	return unmap_table(&u, hpa_to_kva(root), f->levels - 1, u.first, u.last);
}

int pt_unmap(const struct pt_format *f, hpa_t root, uint64_t addr, uint64_t size,
	     void (*leaf)(void *arg, uint64_t addr, hpa_t hpa, unsigned order), void *arg,
	     uint64_t *tables)
{
	return pt_detach(f, root, addr, size, leaf, NULL, arg, tables);
}

static void free_below(uint64_t *table, unsigned level, unsigned entries, uint64_t *tables)
{
	for (unsigned i = 0; i < entries; i++) {
		if (!pte_is_table(table[i]))
			continue;
		if (level > 1)
			free_below(hpa_to_kva(pte_hpa(table[i])), level - 1, ENTRIES, tables);
		frame_free(take_table(&table[i], tables), 0);
	}
}

void pt_free_tables(const struct pt_format *f, hpa_t root, uint64_t *tables)
{
	free_below(hpa_to_kva(root), f->levels - 1, entries_at(f, f->levels - 1), tables);
	frame_free(root, pt_root_order(f));
	*tables -= BIT(pt_root_order(f));
}

/* --- looking up and changing --- */

int pt_walk(const struct pt_format *f, hpa_t root, uint64_t addr, struct pt_leaf *leaf)
{
	uint64_t pte;

	leaf->level = f->levels - 1;
	if (!addr_valid(f, addr))
		return -ENOENT;
	pte = pte_get(descend(f, root, addr, 0, &leaf->level));
	if (!pte_is_leaf(pte))
		return -ENOENT;
	leaf->hpa = HPA(pte_hpa(pte).v | (addr & (level_size(leaf->level) - 1)));
	leaf->perm = leaf_perm(f, pte);
	return 0;
}

/** The entry that shows the table of 4 KiB leaves round addr, or NULL. */
static uint64_t *small_table(const struct pt_format *f, hpa_t root, uint64_t addr)
{
	unsigned level;
	uint64_t *pte = descend(f, root, addr, 1, &level);

	return level == 1 && pte_is_table(pte_get(pte)) ? pte : NULL;
}

int pt_small_leaves(const struct pt_format *f, hpa_t root, uint64_t addr, unsigned *n)
{
	const uint64_t *pte = addr_valid(f, addr) ? small_table(f, root, addr) : NULL;

	if (!pte)
		return -ENOENT;
	*n = 0;
	pte = hpa_to_kva(pte_hpa(pte_get(pte)));
	for (unsigned i = 0; i < ENTRIES; i++)
		*n += pte_is_leaf(pte_get(&pte[i]));
	return 0;
}

int pt_fold(const struct pt_format *f, hpa_t root, uint64_t addr, hpa_t hpa, unsigned perm, hpa_t *table,
	    uint64_t *tables)
{
	uint64_t *pte;

	if (!pt_range_valid(f, addr, level_size(1)) || !target_valid(hpa, level_size(1), perm) ||
	    !IS_ALIGNED(addr | hpa.v, level_size(1)))
		return -EINVAL;
	pte = small_table(f, root, addr);
	if (!pte)
		return -ENOENT;
	*table = pte_hpa(*pte);
	(*tables)--;
	pte_set(pte, pte_make(hpa, leaf_bits(f, perm)));
	return 0;
}

void pt_free_small(hpa_t table)
{
	const uint64_t *pte = hpa_to_kva(table);

	for (unsigned i = 0; i < ENTRIES; i++)
		if (pte_is_leaf(pte[i]))
			frame_free(pte_hpa(pte[i]), 0);
	frame_free(table, 0);
}

/** From an empty entry on, the first address in [addr, end) whose entry in the same table is not; or where that table ends. */
static uint64_t skip_empty(const struct pt_format *f, const uint64_t *pte, unsigned level, uint64_t addr, uint64_t end)
{
	unsigned left = entries_left(f, level, addr);

	for (addr = ALIGN_DOWN(addr, level_size(level)); left > 0 && addr < end && !(pte_get(pte) & PTE_V); left--, pte++)
		addr += level_size(level);
	return addr;
}

/** The entry of the first leaf in [*addr, end), *addr its address then (or as it was, if the leaf began before); or NULL. */
static uint64_t *first_leaf(const struct pt_format *f, hpa_t root, uint64_t *addr, uint64_t end, unsigned *level)
{
	while (*addr < end) {
		uint64_t *pte = descend(f, root, *addr, 0, level);

		if (pte_is_leaf(pte_get(pte)))
			return pte;
		*addr = skip_empty(f, pte, *level, *addr, end);
	}
	return NULL;
}

int pt_next_leaf(const struct pt_format *f, hpa_t root, uint64_t *addr, uint64_t end, struct pt_leaf *leaf)
{
	uint64_t *pte = first_leaf(f, root, addr, end, &leaf->level);
	uint64_t value;

	if (!pte)
		return -ENOENT;
	value = pte_get(pte);
	leaf->hpa = HPA(pte_hpa(value).v | (*addr & (level_size(leaf->level) - 1)));
	leaf->perm = leaf_perm(f, value);
	return 0;
}

/* Leaves from one table to another, both at the same place. @return how many. */
static unsigned share_leaves(uint64_t *from, uint64_t *to, unsigned n, uint64_t keep, void (*share)(hpa_t frame))
{
	unsigned shared = 0;

	for (; n > 0; n--, from++, to++) {
		uint64_t value = pte_get(from);

		if (!pte_is_leaf(value))
			continue;
		share(pte_hpa(value));
		if (value & ~keep)
			pte_set(from, value & keep);
		pte_set(to, value & keep);
		shared++;
	}
	return shared;
}

int pt_share(const struct pt_format *f, hpa_t from, hpa_t to, uint64_t *addr, uint64_t end, bool read_only,
	     void (*share)(hpa_t frame), unsigned *shared, uint64_t *tables)
{
	unsigned level, n;
	uint64_t *pte = first_leaf(f, from, addr, end, &level), *copy;
	int err;

	*shared = 0;
	if (!pte)
		return 0;
	if (level != 0)
		return -EINVAL;
	err = make_way(f, to, *addr, 0, &copy, tables);
	if (err)
		return err;
	n = (unsigned)MIN(entries_left(f, 0, *addr), (end - *addr) >> PAGE_SHIFT);
	*shared = share_leaves(pte, copy, n, read_only ? ~(uint64_t)PTE_W : UINT64_MAX, share);
	*addr += (uint64_t)n << PAGE_SHIFT;
	return 0;
}

/** Change the leaf at addr, which must lie within the `left` bytes from there. *size: what it maps. */
static int protect_leaf(const struct pt_format *f, hpa_t root, uint64_t addr, uint64_t left,
			uint64_t bits, uint64_t *size)
{
	unsigned level;
	uint64_t *pte = descend(f, root, addr, 0, &level);

	*size = level_size(level);
	if (!pte_is_leaf(*pte))
		return -ENOENT;
	if (!IS_ALIGNED(addr, *size) || *size > left)
		return -EINVAL;
	pte_set(pte, pte_make(pte_hpa(*pte), bits));
	return 0;
}

int pt_replace(const struct pt_format *f, hpa_t root, uint64_t addr, hpa_t hpa, unsigned perm)
{
	unsigned level;
	uint64_t *pte;

	if (!pt_range_valid(f, addr, PAGE_SIZE) || !target_valid(hpa, PAGE_SIZE, perm))
		return -EINVAL;
	pte = descend(f, root, addr, 0, &level);
	if (level != 0 || !pte_is_leaf(pte_get(pte)))
		return -ENOENT;
	pte_set(pte, pte_make(hpa, leaf_bits(f, perm)));
	return 0;
}

int pt_protect(const struct pt_format *f, hpa_t root, uint64_t addr, uint64_t size, unsigned perm)
{
	uint64_t bits = leaf_bits(f, perm);

	if (!pt_range_valid(f, addr, size) || !(perm & (PERM_R | PERM_W | PERM_X)))
		return -EINVAL;
	while (size > 0) {
		uint64_t done;
		int err = protect_leaf(f, root, addr, size, bits, &done);

		if (err)
			return err;
		addr += done;
		size -= done;
	}
	return 0;
}
