/* Page tables of every format, also against a plain model. */
// sources: core/mm/pt.c
#include <caisson/mm.h>
#include <caisson/pt.h>

#include <arch/pte.h>

#include <errno.h>

#include <mem.h>
#include <test.h>

#define RWX (PERM_R | PERM_W | PERM_X)

/* Facts from the Privileged Architecture, written down once more to compare with. */
struct expected {
	const struct pt_format *f;
	const char *name;
	unsigned levels, root_entries, mode;
	uint64_t highest; /* largest input address, or largest of the lower half */
	bool upper_half;
};

static const struct expected formats[] = {
	{ &pt_sv39, "sv39", 3, 512, 8, 0x3fffffffff, true },
	{ &pt_sv48, "sv48", 4, 512, 9, 0x7fffffffffff, true },
	{ &pt_sv57, "sv57", 5, 512, 10, 0xffffffffffffff, true },
	{ &pt_sv39x4, "sv39x4", 3, 2048, 8, 0x1ffffffffff, false },
	{ &pt_sv48x4, "sv48x4", 4, 2048, 9, 0x3ffffffffffff, false },
	{ &pt_sv57x4, "sv57x4", 5, 2048, 10, 0x7ffffffffffffff, false },
};

static const struct pt_format *f;
static hpa_t root;
static uint64_t tables;

static void open_root(const struct pt_format *format)
{
	f = format;
	assert_int_equal(frame_alloc(pt_root_order(f), FRAME_ZERO, &root), 0);
	tables = BIT(pt_root_order(f));
}

static void close_root(void)
{
	pt_free_tables(f, root, &tables);
	assert_int_equal(tables, 0);
	assert_int_equal(mock_frames_used, 0);
}

static uint64_t root_tables(void)
{
	return BIT(pt_root_order(f));
}

static void formats_are_as_specified(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(formats); i++) {
		const struct expected *e = &formats[i];

		assert_ptr_equal(pt_format_by_name(e->name), e->f);
		assert_int_equal(e->f->levels, e->levels);
		assert_int_equal((PAGE_SIZE << pt_root_order(e->f)) / 8, e->root_entries);
		assert_int_equal(e->f->mode, e->mode);
		assert_int_equal(e->f->guest, !e->upper_half);
	}
	assert_null(pt_format_by_name("sv32"));
	assert_null(pt_format_by_name(""));
}

static void check_walk(uint64_t addr, uint64_t hpa, unsigned level, unsigned perm)
{
	struct pt_leaf leaf;

	assert_int_equal(pt_walk(f, root, addr, &leaf), 0);
	assert_int_equal(leaf.hpa.v, hpa);
	assert_int_equal(leaf.level, level);
	assert_int_equal(leaf.perm, perm);
}

static void check_hole(uint64_t addr, unsigned level)
{
	struct pt_leaf leaf;

	assert_int_equal(pt_walk(f, root, addr, &leaf), -ENOENT);
	assert_int_equal(leaf.level, level);
}

static int map(uint64_t addr, uint64_t size, uint64_t hpa, unsigned perm, unsigned max_level)
{
	return pt_map(f, root, addr, size, HPA(hpa), perm, max_level, &tables);
}

static int unmap(uint64_t addr, uint64_t size)
{
	return pt_unmap(f, root, addr, size, NULL, NULL, &tables);
}

/** The entry bytes that the hardware would see for addr. */
static uint64_t raw_entry(uint64_t addr)
{
	uint64_t *table = hpa_to_kva(root);
	unsigned top = f->levels - 1;
	uint64_t pte = table[(addr >> (12 + 9 * top)) % (512u << f->root_extra)];

	for (unsigned level = top; level-- > 0 && !(pte & 0xe);) {
		assert_int_equal(pte & 0xff, PTE_V); /* A, D and U are reserved in a pointer to a table */
		table = hpa_to_kva(HPA((pte >> 10) << 12));
		pte = table[(addr >> (12 + 9 * level)) % 512];
	}
	return pte;
}

/* The lowest and the highest page, and the page beyond. */
static void ends_of_each_format(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(formats); i++) {
		const struct expected *e = &formats[i];
		uint64_t top = ALIGN_DOWN(e->highest, PAGE_SIZE);

		open_root(e->f);
		assert_int_equal(map(0, PAGE_SIZE, 0x1000, PERM_R, 0), 0);
		assert_int_equal(map(top, PAGE_SIZE, 0x2000, PERM_R | PERM_W, 0), 0);
		check_walk(0xfff, 0x1fff, 0, PERM_R);
		check_walk(e->highest, 0x2fff, 0, PERM_R | PERM_W);
		assert_int_equal(tables, root_tables() + 2 * (f->levels - 1));
		assert_int_equal(map(top + PAGE_SIZE, PAGE_SIZE, 0x3000, PERM_R, 0), -EINVAL);
		assert_int_equal(map(top, 2 * PAGE_SIZE, 0x3000, PERM_R, 0), -EINVAL);
		check_hole(e->highest + 1, f->levels - 1);
		check_hole(e->highest - PAGE_SIZE, 0);
		assert_int_equal(unmap(0, PAGE_SIZE), 0);
		assert_int_equal(unmap(top, PAGE_SIZE), 0);
		assert_int_equal(tables, root_tables());
		close_root();
	}
}

static void upper_half_is_sign_extended(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(formats); i++) {
		uint64_t low = ~formats[i].highest;

		open_root(formats[i].f);
		if (formats[i].upper_half) {
			assert_int_equal(map(low, PAGE_SIZE, 0x5000, RWX, 2), 0);
			assert_int_equal(map(-PAGE_SIZE, PAGE_SIZE, 0x6000, PERM_X | PERM_U, 2), 0);
			check_walk(low, 0x5000, 0, RWX);
			check_walk(UINT64_MAX, 0x6fff, 0, PERM_X | PERM_U);
			assert_int_equal(map(low - PAGE_SIZE, PAGE_SIZE, 0, RWX, 2), -EINVAL);
			assert_true(pt_range_valid(f, low, -low));
			assert_false(pt_range_valid(f, 0, -PAGE_SIZE)); /* valid ends, a hole between */
			assert_int_equal(unmap(low, -low), 0);
			assert_int_equal(tables, root_tables());
		} else {
			assert_int_equal(map(-PAGE_SIZE, PAGE_SIZE, 0, RWX, 2), -EINVAL);
		}
		close_root();
	}
}

static void entry_bits(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(formats); i++) {
		uint64_t user;

		open_root(formats[i].f);
		user = f->guest ? PTE_U : 0;
		assert_int_equal(map(0x1000, PAGE_SIZE, 0x7000, PERM_W, 0), 0);
		assert_int_equal(map(0x2000, PAGE_SIZE, 0x8000, PERM_X, 0), 0);
		assert_int_equal(map(0x3000, PAGE_SIZE, 0x9000, PERM_R | PERM_U, 0), 0);
		assert_int_equal(map(0x4000, PAGE_SIZE, BITS(55, 12), RWX, 0), 0);
		assert_int_equal(raw_entry(0x1000), 7 << 10 | 0xc7 | user);  /* W brings R; A and D set, G not */
		assert_int_equal(raw_entry(0x2000), 8 << 10 | 0xc9 | user);
		assert_int_equal(raw_entry(0x3000), 9 << 10 | 0xd3);
		assert_int_equal(raw_entry(0x4000), BITS(53, 10) | 0xcf | user);
		assert_int_equal(unmap(0, 0x5000), 0);
		close_root();
	}
}

static void largest_leaves_that_fit(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(formats); i++) {
		open_root(formats[i].f);
		/* 4 KiB, then 2 MiB, then 1 GiB, then 2 MiB, then 4 KiB */
		assert_int_equal(map(GiB - 2 * MiB - PAGE_SIZE, GiB + 4 * MiB + 2 * PAGE_SIZE,
				     8 * GiB - 2 * MiB - PAGE_SIZE, RWX, 2), 0);
		check_hole(GiB - 2 * MiB - PAGE_SIZE - 1, 0);
		check_walk(GiB - 2 * MiB - 1, 8 * GiB - 2 * MiB - 1, 0, RWX);
		check_walk(GiB - 2 * MiB, 8 * GiB - 2 * MiB, 1, RWX);
		check_walk(GiB + 12345, 8 * GiB + 12345, 2, RWX);
		check_walk(2 * GiB, 9 * GiB, 1, RWX);
		check_walk(2 * GiB + 2 * MiB, 9 * GiB + 2 * MiB, 0, RWX);
		check_hole(2 * GiB + 2 * MiB + PAGE_SIZE, 0);
		check_hole(2 * GiB + 4 * MiB, 1);
		assert_int_equal(unmap(0, 4 * GiB), 0);

		/* never larger than asked for, nor where the two sides are not aligned alike */
		assert_int_equal(map(GiB, GiB, GiB, RWX, 1), 0);
		check_walk(GiB, GiB, 1, RWX);
		assert_int_equal(map(2 * GiB, 2 * MiB, GiB + PAGE_SIZE, RWX, 2), 0);
		check_walk(2 * GiB, GiB + PAGE_SIZE, 0, RWX);
		assert_int_equal(unmap(GiB, GiB + 2 * MiB), 0);
		assert_int_equal(tables, root_tables());
		close_root();
	}
}

static void taken_addresses_are_refused(void **state)
{
	(void)state;
	open_root(&pt_sv39x4);
	assert_int_equal(map(2 * MiB, 2 * MiB, 0, RWX, 2), 0);
	assert_int_equal(map(GiB, PAGE_SIZE, 0, RWX, 2), 0);
	assert_int_equal(map(2 * MiB, PAGE_SIZE, 0, RWX, 2), -EEXIST);  /* below a large leaf */
	assert_int_equal(map(4 * MiB - PAGE_SIZE, PAGE_SIZE, 0, RWX, 2), -EEXIST);
	assert_int_equal(map(GiB, GiB, 0, RWX, 2), -EEXIST);            /* above a small one */
	assert_int_equal(map(GiB, PAGE_SIZE, 0, RWX, 2), -EEXIST);
	assert_int_equal(map(0, 8 * MiB, GiB, RWX, 1), -EEXIST);        /* in the middle of a run */
	check_walk(0, GiB, 1, RWX);
	check_walk(2 * MiB, 0, 1, RWX);
	check_hole(4 * MiB, 1);
	assert_int_equal(unmap(0, 2 * GiB), 0);
	close_root();
}

static void bad_arguments_are_refused(void **state)
{
	(void)state;
	open_root(&pt_sv48);
	assert_int_equal(map(0x800, PAGE_SIZE, 0, RWX, 2), -EINVAL);
	assert_int_equal(map(0, 0x800, 0, RWX, 2), -EINVAL);
	assert_int_equal(map(0, PAGE_SIZE, 0x800, RWX, 2), -EINVAL);
	assert_int_equal(map(0, 0, 0, RWX, 2), -EINVAL);
	assert_int_equal(map(0, PAGE_SIZE, 0, 0, 2), -EINVAL);       /* would be a pointer to a table */
	assert_int_equal(map(0, PAGE_SIZE, 0, PERM_U, 2), -EINVAL);
	assert_int_equal(map(0, PAGE_SIZE, BIT(56), RWX, 2), -EINVAL);
	assert_int_equal(map(0, 2 * PAGE_SIZE, BIT(56) - PAGE_SIZE, RWX, 2), -EINVAL);
	assert_int_equal(unmap(0, 0), -EINVAL);
	assert_int_equal(unmap(0x10, PAGE_SIZE), -EINVAL);
	assert_int_equal(unmap(BIT(48), PAGE_SIZE), -EINVAL);
	assert_int_equal(tables, root_tables());
	close_root();
}

static void straddling_leaf_is_refused(void **state)
{
	(void)state;
	open_root(&pt_sv48x4);
	assert_int_equal(map(0, 2 * MiB, 0, RWX, 2), 0);
	assert_int_equal(unmap(0, PAGE_SIZE), -EINVAL);
	assert_int_equal(unmap(PAGE_SIZE, 2 * MiB), -EINVAL);
	check_walk(0, 0, 1, RWX);
	assert_int_equal(pt_protect(f, root, 0, PAGE_SIZE, PERM_R), -EINVAL);
	assert_int_equal(pt_protect(f, root, PAGE_SIZE, 2 * MiB, PERM_R), -EINVAL);
	assert_int_equal(unmap(0, 2 * MiB), 0);
	close_root();
}

static void protect_changes_every_leaf(void **state)
{
	(void)state;
	open_root(&pt_sv57);
	assert_int_equal(map(0x3000, 4 * MiB, 0x3000, PERM_R | PERM_W, 2), 0);
	assert_int_equal(pt_protect(f, root, 0x3000, 4 * MiB, PERM_R | PERM_X), 0);
	check_walk(0x3000, 0x3000, 0, PERM_R | PERM_X);
	check_walk(2 * MiB, 2 * MiB, 1, PERM_R | PERM_X);
	check_walk(4 * MiB + 0x2000, 4 * MiB + 0x2000, 0, PERM_R | PERM_X);
	assert_int_equal(pt_protect(f, root, 0x2000, 0x2000, PERM_R), -ENOENT);
	assert_int_equal(pt_protect(f, root, 0x3000, 4 * MiB, 0), -EINVAL);
	assert_int_equal(unmap(0x3000, 4 * MiB), 0);
	close_root();
}

struct seen {
	unsigned n;
	uint64_t addr[8];
	uint64_t hpa[8];
	unsigned order[8];
};

static void see_leaf(void *arg, uint64_t addr, hpa_t hpa, unsigned order)
{
	struct seen *s = arg;

	assert_true(s->n < 8);
	s->addr[s->n] = addr;
	s->hpa[s->n] = hpa.v;
	s->order[s->n++] = order;
}

static void unmap_reports_each_leaf(void **state)
{
	struct seen s = { 0 };

	(void)state;
	open_root(&pt_sv39);
	assert_int_equal(map(-GiB, GiB, GiB, RWX, 2), 0);
	assert_int_equal(map(-GiB - 2 * MiB, 2 * MiB, 4 * MiB, RWX, 2), 0);
	assert_int_equal(map(-GiB - 2 * MiB - PAGE_SIZE, PAGE_SIZE, 0x9000, RWX, 2), 0);
	assert_int_equal(pt_unmap(f, root, -2 * GiB, 2 * GiB, see_leaf, &s, &tables), 0);
	assert_int_equal(s.n, 3);
	assert_int_equal(s.addr[0], -GiB - 2 * MiB - PAGE_SIZE);
	assert_int_equal(s.hpa[0], 0x9000);
	assert_int_equal(s.order[0], 0);
	assert_int_equal(s.hpa[1], 4 * MiB);
	assert_int_equal(s.order[1], 9);
	assert_int_equal(s.addr[2], -GiB);
	assert_int_equal(s.order[2], 18);
	close_root();
}

/* Every allocation fails once; what was mapped can be taken away again without a rest. */
static void out_of_memory_leaves_nothing(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(formats); i++) {
		unsigned n = 1;
		int err;

		open_root(formats[i].f);
		do {
			mock_alloc_fail_at = n++;
			err = map(GiB - PAGE_SIZE, 4 * MiB, 0, RWX, 0);
			mock_alloc_fail_at = 0;
			assert_true(err == 0 || err == -ENOMEM);
			assert_int_equal(unmap(GiB - PAGE_SIZE, 4 * MiB), 0);
			assert_int_equal(tables, root_tables());
			assert_int_equal(mock_frames_used, root_tables());
		} while (err);
		assert_true(n > f->levels + 1);
		close_root();
	}
}

static void free_tables_does_not_touch_leaves(void **state)
{
	(void)state;
	open_root(&pt_sv57x4);
	assert_int_equal(map(0x1000, 3 * GiB, 0x1000, RWX, 2), 0);
	assert_int_equal(map(formats[5].highest - 0xfff, PAGE_SIZE, 0x123000, RWX, 2), 0);
	assert_int_equal(mock_frames_used, tables);
	close_root();
}

/* --- property test: random maps, unmaps and look-ups against a list of ranges --- */

#define RANGES 24

struct range {
	uint64_t addr, size, hpa;
	unsigned perm;
};

static struct range ranges[RANGES];
static unsigned n_ranges;
static uint64_t unmapped_bytes;

static const struct range *model_find(uint64_t addr)
{
	for (unsigned i = 0; i < n_ranges; i++)
		if (addr - ranges[i].addr < ranges[i].size)
			return &ranges[i];
	return NULL;
}

static bool model_overlaps(uint64_t addr, uint64_t size)
{
	for (unsigned i = 0; i < n_ranges; i++)
		if (addr <= ranges[i].addr + ranges[i].size - 1 && ranges[i].addr <= addr + size - 1)
			return true;
	return false;
}

/* Addresses close together, at both ends and round a few borders, so that ranges meet. */
static uint64_t random_addr(const struct expected *e, uint64_t *seed)
{
	static const uint64_t bases[] = { 0, GiB - 4 * MiB, 3 * GiB, 200 * GiB };
	uint64_t off = mock_random(seed) % (8 * MiB);

	if (mock_random(seed) % 4 == 0)
		off = ALIGN_DOWN(off, 2 * MiB);
	switch (mock_random(seed) % 6) {
	case 4: return ALIGN_DOWN(e->highest - off, PAGE_SIZE);
	case 5: return ALIGN_DOWN(e->upper_half ? UINT64_MAX - off : off, PAGE_SIZE);
	default: return ALIGN_DOWN(bases[mock_random(seed) % 4] + off, PAGE_SIZE);
	}
}

static uint64_t random_size(uint64_t *seed)
{
	switch (mock_random(seed) % 8) {
	case 0: return GiB;
	case 1: return 2 * MiB * (1 + mock_random(seed) % 3);
	case 2: return PAGE_SIZE * (1 + mock_random(seed) % 1024);
	default: return PAGE_SIZE * (1 + mock_random(seed) % 8);
	}
}

static void model_map(const struct expected *e, uint64_t *seed)
{
	static const unsigned perms[] = { PERM_R, PERM_R | PERM_W, PERM_X, RWX, PERM_R | PERM_X };
	struct range r = { random_addr(e, seed), random_size(seed), 0, perms[mock_random(seed) % 5] };
	uint64_t last = r.addr + r.size - 1;
	bool valid = last >= r.addr &&
		     (last <= e->highest || (e->upper_half && r.addr > e->highest));

	/* Half of the time the physical address is aligned like the input address. */
	r.hpa = mock_random(seed) % BIT(30) << PAGE_SHIFT;
	if (mock_random(seed) % 2)
		r.hpa = ALIGN_DOWN(r.hpa, GiB) + (r.addr & (GiB - 1));
	if (n_ranges == RANGES || (valid && model_overlaps(r.addr, r.size)))
		return;
	assert_int_equal(map(r.addr, r.size, r.hpa, r.perm, mock_random(seed) % 4), valid ? 0 : -EINVAL);
	if (valid)
		ranges[n_ranges++] = r;
}

static void count_leaf(void *arg, uint64_t addr, hpa_t hpa, unsigned order)
{
	struct range *r = arg;

	assert_int_equal(hpa.v, r->hpa + (addr - r->addr));
	unmapped_bytes += PAGE_SIZE << order;
}

static void model_unmap(uint64_t *seed)
{
	unsigned i;

	if (n_ranges == 0)
		return;
	i = mock_random(seed) % n_ranges;
	unmapped_bytes = 0;
	assert_int_equal(pt_unmap(f, root, ranges[i].addr, ranges[i].size, count_leaf, &ranges[i],
				  &tables), 0);
	assert_int_equal(unmapped_bytes, ranges[i].size);
	ranges[i] = ranges[--n_ranges];
}

static void model_walk(uint64_t addr)
{
	const struct range *r = model_find(addr);
	struct pt_leaf leaf;

	assert_int_equal(pt_walk(f, root, addr, &leaf), r ? 0 : -ENOENT);
	if (!r)
		return;
	assert_int_equal(leaf.hpa.v, r->hpa + (addr - r->addr));
	assert_int_equal(leaf.perm, r->perm);
}

/* The lowest mapped address in [addr, end), or end. */
static uint64_t model_next(uint64_t addr, uint64_t end)
{
	uint64_t first = end;

	for (unsigned i = 0; i < n_ranges; i++)
		if (ranges[i].addr < first && ranges[i].addr + ranges[i].size - 1 >= addr)
			first = MAX(addr, ranges[i].addr);
	return first;
}

static void model_next_leaf(const struct expected *e, uint64_t *seed)
{
	uint64_t addr = random_addr(e, seed) & e->highest, size = random_size(seed), at = addr;
	uint64_t end = MIN(addr + size, e->highest + 1), expected = model_next(addr, end);
	struct pt_leaf leaf;
	int err = pt_next_leaf(f, root, &at, end, &leaf);

	assert_int_equal(err, expected == end ? -ENOENT : 0);
	if (err)
		return;
	assert_int_equal(at, expected);
	assert_int_equal(leaf.hpa.v, model_find(at)->hpa + (at - model_find(at)->addr));
	assert_int_equal(leaf.perm, model_find(at)->perm);
}

static void model_walks(const struct expected *e, uint64_t *seed)
{
	for (unsigned i = 0; i < 4; i++)
		model_next_leaf(e, seed);
	for (unsigned i = 0; i < 4; i++)
		model_walk(random_addr(e, seed) + mock_random(seed) % PAGE_SIZE);
	for (unsigned i = 0; i < n_ranges; i++) {
		model_walk(ranges[i].addr);
		model_walk(ranges[i].addr + ranges[i].size - 1);
		model_walk(ranges[i].addr - 1);
		model_walk(ranges[i].addr + ranges[i].size);
	}
}

static void M4_random_against_model(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(formats); i++) {
		uint64_t seed = i;

		open_root(formats[i].f);
		for (unsigned step = 0; step < 1500; step++) {
			if (mock_random(&seed) % 100 < 55)
				model_map(&formats[i], &seed);
			else
				model_unmap(&seed);
			model_walks(&formats[i], &seed);
			assert_int_equal(tables, mock_frames_used);
		}
		while (n_ranges > 0)
			model_unmap(&seed);
		assert_int_equal(tables, root_tables());
		close_root();
	}
}

/* Copies of a root entry, as processes have them, see what is mapped below it later and are not left behind. */
static void kept_tables_outlive_what_is_mapped_in_them(void **state)
{
	const uint64_t addr = UINT64_C(0xfffffff000000000), size = 2 * GiB;
	uint64_t before;

	(void)state;
	open_root(&pt_sv39);
	assert_int_equal(pt_keep_tables(f, root, addr, size, &tables), 0);
	assert_int_equal(tables, root_tables() + 2);
	before = ((uint64_t *)hpa_to_kva(root))[addr >> 30 & 511];
	assert_true(before & PTE_V);
	assert_int_equal(pt_map(f, root, addr, PAGE_SIZE, HPA(0x80000000), RWX, 0, &tables), 0);
	assert_int_equal(pt_unmap(f, root, addr, PAGE_SIZE, NULL, NULL, &tables), 0);
	assert_int_equal(tables, root_tables() + 2);
	assert_int_equal(((uint64_t *)hpa_to_kva(root))[addr >> 30 & 511], before);
	assert_int_equal(pt_keep_tables(f, root, addr, size, &tables), 0);
	assert_int_equal(pt_keep_tables(f, root, addr + 1, size, &tables), -EINVAL);
	mock_alloc_fail_at = 1;
	assert_int_equal(pt_keep_tables(f, root, addr + size, size, &tables), -ENOMEM);
	mock_alloc_fail_at = 0;
	close_root();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(formats_are_as_specified),
		cmocka_unit_test(ends_of_each_format),
		cmocka_unit_test(kept_tables_outlive_what_is_mapped_in_them),
		cmocka_unit_test(upper_half_is_sign_extended),
		cmocka_unit_test(entry_bits),
		cmocka_unit_test(largest_leaves_that_fit),
		cmocka_unit_test(taken_addresses_are_refused),
		cmocka_unit_test(bad_arguments_are_refused),
		cmocka_unit_test(straddling_leaf_is_refused),
		cmocka_unit_test(protect_changes_every_leaf),
		cmocka_unit_test(unmap_reports_each_leaf),
		cmocka_unit_test(out_of_memory_leaves_nothing),
		cmocka_unit_test(free_tables_does_not_touch_leaves),
		cmocka_unit_test(M4_random_against_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
