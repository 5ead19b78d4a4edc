/* User areas: lazy pages, splitting, permissions, sources, fork with copy on write; against a plain model. */
// sources: core/mm/aspace.c core/mm/aspace_fault.c core/mm/aspace_user.c core/mm/pt.c
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <caisson/aspace.h>
#include <caisson/mm.h>
#include <mem.h>
#include <test.h>

#define PAGES 48
#define SPACES 3
#define BASE UINT64_C(0x10000000)
#define AT(page) (BASE + (uint64_t)(page) * PAGE_SIZE)
#define SOURCE_PAGES 32
#define R PERM_R
#define RW (PERM_R | PERM_W)

/* --- a source whose pages stay --- */

static struct {
	struct page_source source;
	hpa_t frames[SOURCE_PAGES];
	bool there[SOURCE_PAGES], dirty[SOURCE_PAGES];
	bool fails;
	unsigned releases;
} file;

static int file_page(struct page_source *s, uint64_t offset, hpa_t *out)
{
	uint64_t i = offset / PAGE_SIZE;

	assert_ptr_equal(s, &file.source);
	if (i >= SOURCE_PAGES)
		return -ENXIO;
	if (file.fails)
		return -EIO;
	if (!file.there[i] && frame_alloc(0, FRAME_ZERO, &file.frames[i]))
		return -ENOMEM;
	file.there[i] = true;
	frame_get(file.frames[i]);
	*out = file.frames[i];
	return 0;
}

static int file_dirty(struct page_source *s, uint64_t offset)
{
	(void)s;
	assert_true(file.there[offset / PAGE_SIZE]);
	if (file.fails)
		return -EIO;
	file.dirty[offset / PAGE_SIZE] = true;
	return 0;
}

static void file_release(struct page_source *s)
{
	assert_true(page_source_drop(s));
	file.releases++;
}

static const struct page_source_ops file_ops = { .page = file_page, .dirty = file_dirty, .release = file_release };

/* The file becomes shorter. */
static void file_cut(unsigned from)
{
	for (unsigned i = from; i < SOURCE_PAGES; i++) {
		if (file.there[i])
			frame_put(file.frames[i]);
		file.there[i] = file.dirty[i] = false;
	}
}

/* --- spaces --- */

static struct aspace spaces[SPACES];
#define A (&spaces[0])
#define B (&spaces[1])
static uint64_t frames_before;

static void no_flush_needed(struct aspace *as, uint64_t start, uint64_t size)
{
	(void)start;
	(void)size;
	assert_false(spin_is_locked(&as->lock));
}

/* Every second one is as one that nobody translates through. */
static void open_one(struct aspace *as)
{
	assert_int_equal(aspace_init(as, &pt_sv39, PAGE_SIZE, BIT(38) - 1), 0);
	as->flush = (as - spaces) % 2 ? NULL : no_flush_needed;
}

static int setup(void **state)
{
	static bool ready;

	(void)state;
	mock_alloc_fail_at = 0;
	if (!ready)
		assert_int_equal(aspace_user_init(), 0);
	ready = true;
	frames_before = mock_frames_used;
	memset(&file, 0, sizeof(file));
	file.source = (struct page_source){ &file_ops, 1 };
	for (unsigned i = 0; i < SPACES; i++)
		open_one(&spaces[i]);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	mock_alloc_fail_at = 0;
	for (unsigned i = 0; i < SPACES; i++) {
		aspace_destroy(&spaces[i]);
		assert_int_equal(spaces[i].resident, 0);
		assert_int_equal(spaces[i].tables, 0);
	}
	assert_int_equal(file.source.refs, 1);
	for (unsigned i = 0; i < SOURCE_PAGES; i++)
		assert_true(!file.there[i] || !frame_is_shared(file.frames[i]));
	file_cut(0);
	assert_int_equal(mock_frames_used, frames_before);
	assert_int_equal(heap_in_use(), 0);
	return 0;
}

/* As a user's access: the fault path, then what the leaf says. */
static enum fault_result get(struct aspace *as, unsigned page, unsigned char *value)
{
	enum fault_result result = aspace_fault(as, AT(page) + 7, PERM_R | PERM_U);
	struct pt_leaf leaf;

	if (result != FAULT_RESOLVED)
		return result;
	assert_int_equal(pt_walk(as->format, as->root, AT(page) + 7, &leaf), 0);
	assert_true((leaf.perm & (PERM_R | PERM_U)) == (PERM_R | PERM_U));
	*value = *(unsigned char *)hpa_to_kva(leaf.hpa);
	return result;
}

static enum fault_result put(struct aspace *as, unsigned page, unsigned char value)
{
	enum fault_result result = aspace_fault(as, AT(page) + 7, PERM_W | PERM_U);
	struct pt_leaf leaf;

	if (result != FAULT_RESOLVED)
		return result;
	assert_int_equal(pt_walk(as->format, as->root, AT(page) + 7, &leaf), 0);
	assert_true((leaf.perm & (PERM_W | PERM_U)) == (PERM_W | PERM_U));
	*(unsigned char *)hpa_to_kva(leaf.hpa) = value;
	return result;
}

static unsigned char value_at(struct aspace *as, unsigned page)
{
	unsigned char value = 0xee;

	assert_int_equal(get(as, page, &value), FAULT_RESOLVED);
	return value;
}

/* --- one thing at a time --- */

static void reading_takes_no_frame(void **state)
{
	uint64_t frames;

	(void)state;
	assert_int_equal(aspace_map_user(A, AT(0), 40 * PAGE_SIZE, RW, 0, NULL, 0), 0);
	assert_int_equal(value_at(A, 0), 0); /* its tables are there now */
	frames = mock_frames_used;
	for (unsigned i = 0; i < 40; i++)
		assert_int_equal(value_at(A, i), 0);
	assert_int_equal(mock_frames_used, frames);
	assert_int_equal(put(A, 3, 5), FAULT_RESOLVED);
	assert_int_equal(mock_frames_used, frames + 1);
	assert_int_equal(value_at(A, 3), 5);
	assert_int_equal(value_at(A, 4), 0);
	assert_int_equal(A->resident, 40);
}

static void neighbours_join_and_are_split(void **state)
{
	(void)state;
	assert_int_equal(aspace_map_user(A, AT(0), 4 * PAGE_SIZE, RW, 0, NULL, 0), 0);
	assert_int_equal(aspace_map_user(A, AT(8), 4 * PAGE_SIZE, RW, 0, NULL, 0), 0);
	assert_int_equal(aspace_map_user(A, AT(4), 4 * PAGE_SIZE, RW, 0, NULL, 0), 0);
	assert_int_equal(A->n_areas, 1);
	assert_int_equal(aspace_protect_user(A, AT(5), PAGE_SIZE, R), 0);
	assert_int_equal(A->n_areas, 3);
	assert_int_equal(put(A, 5, 1), FAULT_PERM);
	assert_int_equal(aspace_protect_user(A, AT(0), 12 * PAGE_SIZE, RW), 0);
	assert_int_equal(A->n_areas, 1);
	assert_int_equal(aspace_unmap_user(A, AT(2), 3 * PAGE_SIZE), 0);
	assert_int_equal(A->n_areas, 2);
	assert_int_equal(put(A, 1, 1), FAULT_RESOLVED);
	assert_int_equal(put(A, 2, 1), FAULT_NO_AREA);
	assert_int_equal(put(A, 4, 1), FAULT_NO_AREA);
	assert_int_equal(put(A, 5, 1), FAULT_RESOLVED);
	assert_int_equal(aspace_protect_user(A, AT(0), 12 * PAGE_SIZE, R), -ENOENT);
	assert_int_equal(aspace_map_user(A, AT(1), 4 * PAGE_SIZE, RW, 0, NULL, 0), -EEXIST);
	assert_int_equal(aspace_unmap_user(A, AT(0), BIT(30)), 0);
	assert_int_equal(A->n_areas, 0);
}

static void other_areas_are_left_alone(void **state)
{
	(void)state;
	assert_int_equal(aspace_map_alloc(A, AT(2), PAGE_SIZE, RW | PERM_U, 0), 0);
	assert_int_equal(aspace_map_user(A, AT(0), 2 * PAGE_SIZE, RW, 0, NULL, 0), 0);
	assert_int_equal(aspace_unmap_user(A, AT(0), 3 * PAGE_SIZE), -EINVAL);
	assert_int_equal(aspace_protect_user(A, AT(0), 3 * PAGE_SIZE, R), -EINVAL);
	assert_int_equal(A->n_areas, 2);
}

static void bad_ranges(void **state)
{
	static const uint64_t bad[][2] = {
		{ 0, PAGE_SIZE }, { BASE + 1, PAGE_SIZE }, { BASE, 5 }, { BASE, 0 }, { BASE, UINT64_MAX - 4095 },
		{ BIT(38), PAGE_SIZE }, { BIT(38) - PAGE_SIZE, 2 * PAGE_SIZE }, { UINT64_MAX - 4095, PAGE_SIZE },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(aspace_map_user(A, bad[i][0], bad[i][1], RW, 0, NULL, 0), -EINVAL);
		assert_int_equal(aspace_unmap_user(A, bad[i][0], bad[i][1]), -EINVAL);
		assert_int_equal(aspace_protect_user(A, bad[i][0], bad[i][1], R), -EINVAL);
	}
	assert_int_equal(aspace_map_user(A, BASE, PAGE_SIZE, RW, USER_SHARED, NULL, 0), -EINVAL);
	assert_int_equal(aspace_map_user(A, BASE, PAGE_SIZE, RW, 0, &file.source, 1), -EINVAL);
}

static void no_access_keeps_what_is_there(void **state)
{
	(void)state;
	assert_int_equal(aspace_map_user(A, AT(0), 2 * PAGE_SIZE, RW, 0, NULL, 0), 0);
	put(A, 0, 9);
	assert_int_equal(aspace_protect_user(A, AT(0), 2 * PAGE_SIZE, 0), 0);
	assert_int_equal(put(A, 0, 1), FAULT_PERM);
	assert_int_equal(get(A, 0, &(unsigned char){ 0 }), FAULT_PERM);
	assert_int_equal(aspace_protect_user(A, AT(0), 2 * PAGE_SIZE, R), 0);
	assert_int_equal(value_at(A, 0), 9);
	assert_int_equal(put(A, 0, 1), FAULT_PERM);
}

static void fork_shares_until_written(void **state)
{
	uint64_t frames;

	(void)state;
	assert_int_equal(aspace_map_user(A, AT(0), 8 * PAGE_SIZE, RW, 0, NULL, 0), 0);
	for (unsigned i = 0; i < 8; i++)
		put(A, i, (unsigned char)(10 + i));
	assert_int_equal(aspace_fork(B, A), 0);
	frames = mock_frames_used;
	for (unsigned i = 0; i < 8; i++) {
		assert_int_equal(value_at(A, i), 10 + i);
		assert_int_equal(value_at(B, i), 10 + i);
	}
	assert_int_equal(mock_frames_used, frames);
	put(B, 0, 77);                                   /* a copy */
	assert_int_equal(mock_frames_used, frames + 1);
	put(A, 0, 66);                                   /* the only owner again: in place */
	assert_int_equal(mock_frames_used, frames + 1);
	assert_int_equal(value_at(A, 0), 66);
	assert_int_equal(value_at(B, 0), 77);
	assert_int_equal(aspace_unmap_user(A, AT(1), PAGE_SIZE), 0);
	put(B, 1, 55);                                   /* likewise */
	assert_int_equal(mock_frames_used, frames + 1);
	assert_int_equal(value_at(B, 1), 55);
}

static void sources(void **state)
{
	(void)state;
	assert_int_equal(aspace_map_user(A, AT(0), 4 * PAGE_SIZE, RW, USER_SHARED, &file.source, 0), 0);
	assert_int_equal(aspace_map_user(A, AT(8), 4 * PAGE_SIZE, RW, 0, &file.source, PAGE_SIZE), 0);
	put(A, 1, 42);
	assert_int_equal(value_at(A, 8), 42);            /* private, not yet written: the file's */
	put(A, 8, 43);
	assert_int_equal(value_at(A, 1), 42);
	assert_int_equal(value_at(A, 8), 43);
	assert_int_equal(aspace_fork(B, A), 0);
	put(B, 1, 44);
	assert_int_equal(value_at(A, 1), 44);            /* shared stays shared */
	assert_int_equal(value_at(B, 8), 43);
	assert_int_equal(aspace_map_user(A, AT(20), 4 * PAGE_SIZE, R, 0, &file.source, (SOURCE_PAGES - 1) * PAGE_SIZE), 0);
	assert_int_equal(value_at(A, 20), 0);
	assert_int_equal(get(A, 21, &(unsigned char){ 0 }), FAULT_NO_PAGE); /* beyond its end */
	file.fails = true;
	assert_int_equal(get(A, 2, &(unsigned char){ 0 }), FAULT_NO_PAGE);
	assert_int_equal(file.releases, 0);
}

static void a_source_hears_of_the_first_write(void **state)
{
	(void)state;
	assert_int_equal(aspace_map_user(A, AT(0), 8 * PAGE_SIZE, RW, USER_SHARED, &file.source, 0), 0);
	assert_int_equal(aspace_map_user(A, AT(8), 8 * PAGE_SIZE, RW, 0, &file.source, 0), 0);
	value_at(A, 1);
	put(A, 8 + 2, 1);                                /* private: the file does not change */
	assert_int_equal(aspace_protect_user(A, AT(0), 8 * PAGE_SIZE, R), 0);
	assert_int_equal(aspace_protect_user(A, AT(0), 8 * PAGE_SIZE, RW), 0);
	assert_int_equal(aspace_fork(B, A), 0);
	value_at(B, 1);
	for (unsigned i = 0; i < SOURCE_PAGES; i++)
		assert_false(file.dirty[i]);
	put(B, 1, 1);
	put(A, 3, 1);
	assert_true(file.dirty[1] && file.dirty[3] && !file.dirty[2]);
	file.fails = true;
	assert_int_equal(put(A, 2, 1), FAULT_NO_PAGE);
	value_at(A, 1);
	assert_int_equal(put(A, 1, 1), FAULT_NO_PAGE);   /* A itself has not written it */
}

static void what_is_mapped_for_reading_stays_so(void **state)
{
	(void)state;
	assert_int_equal(aspace_map_user(A, AT(0), PAGE_SIZE, RW, USER_NO_WRITE, &file.source, 0), -EACCES);
	assert_int_equal(aspace_map_user(A, AT(0), 4 * PAGE_SIZE, R, USER_NO_WRITE | USER_SHARED, &file.source, 0), 0);
	assert_int_equal(aspace_map_user(A, AT(4), 4 * PAGE_SIZE, R, USER_SHARED, &file.source, 4 * PAGE_SIZE), 0);
	assert_int_equal(aspace_protect_user(A, AT(3), 2 * PAGE_SIZE, RW), -EACCES);
	assert_int_equal(A->n_areas, 2);
	assert_int_equal(aspace_protect_user(A, AT(4), PAGE_SIZE, RW), 0);
	assert_int_equal(aspace_protect_user(A, AT(0), 3 * PAGE_SIZE, 0), 0);
}

/* --- where others translate at the same time --- */

/* At the flush everything that was taken out must still be there: the sanitizer finds what is not. */
static struct { hpa_t frames[8]; unsigned n, calls; uint64_t before; } gone;

static void look_at_the_gone(struct aspace *as, uint64_t start, uint64_t size)
{
	struct pt_leaf leaf;

	gone.calls++;
	for (unsigned i = 0; i < gone.n; i++)
		gone.before += *(volatile unsigned char *)hpa_to_kva(gone.frames[i]);
	for (uint64_t at = start; size < GiB && at < start + size; at += PAGE_SIZE) /* none of them is writable any more */
		assert_true(pt_walk(as->format, as->root, at, &leaf) || !(leaf.perm & PERM_W) || !gone.n);
}

/* The frames from the root to a page: tables, and the page. */
static void note_way(struct aspace *as, uint64_t addr)
{
	hpa_t table = as->root;

	gone = (typeof(gone)){ .n = 0 };
	for (unsigned level = 3; level-- > 0;) {
		uint64_t pte = ((uint64_t *)hpa_to_kva(table))[addr >> (12 + 9 * level) & 511];

		table = HPA(pte >> 10 << 12);
		gone.frames[gone.n++] = table;
	}
}

static void frames_and_tables_stay_until_all_have_forgotten_them(void **state)
{
	(void)state;
	A->flush = look_at_the_gone;
	for (unsigned way = 0; way < 3; way++) {
		uint64_t frames = mock_frames_used;

		assert_int_equal(aspace_map_user(A, AT(0), PAGE_SIZE, RW, 0, NULL, 0), 0);
		put(A, 0, 1);
		note_way(A, AT(0));
		if (way == 0)
			assert_int_equal(aspace_unmap_user(A, AT(0), PAGE_SIZE), 0);
		else if (way == 1)
			assert_int_equal(aspace_clear_user(A, AT(0), PAGE_SIZE), 0);
		else
			assert_int_equal(aspace_move_user(A, AT(0), PAGE_SIZE, AT(0) + 4 * GiB), 0);
		assert_int_equal(gone.calls, 1);
		gone.n = 0;
		assert_int_equal(aspace_unmap_user(A, PAGE_SIZE, BIT(38) - PAGE_SIZE), 0);
		assert_int_equal(mock_frames_used, frames);
	}
}

static void less_is_flushed_before_it_counts(void **state)
{
	(void)state;
	A->flush = look_at_the_gone;
	assert_int_equal(aspace_map_user(A, AT(0), 2 * PAGE_SIZE, RW, 0, NULL, 0), 0);
	put(A, 0, 1);
	note_way(A, AT(0));
	assert_int_equal(aspace_protect_user(A, AT(0), 2 * PAGE_SIZE, R), 0);
	assert_int_equal(gone.calls, 1);
	gone.n = 0;
	assert_int_equal(aspace_protect_user(A, AT(0), 2 * PAGE_SIZE, RW), 0);
	put(A, 0, 1);
	gone.calls = 0;
	assert_int_equal(aspace_fork(B, A), 0);          /* A cannot write in place now: no hart may go on */
	assert_int_equal(gone.calls, 1);
	note_way(A, AT(0));
	put(A, 0, 2);                                    /* a copy is shown: nobody writes to it while others read the old one */
	assert_int_equal(gone.calls, 1);
	gone.n = 0;
}

static void there_are_so_many_areas_and_no_more(void **state)
{
	(void)state;
	assert_int_equal(aspace_map_user(A, AT(0), 3 * PAGE_SIZE, R, 0, NULL, 0), 0);
	for (unsigned i = 1; i < USER_AREAS_MAX; i++)
		assert_int_equal(aspace_map_user(A, AT(4 * i), PAGE_SIZE, R, 0, NULL, 0), 0);
	assert_int_equal(aspace_map_user(A, AT(-4), PAGE_SIZE, R, 0, NULL, 0), -ENOMEM);
	assert_int_equal(aspace_unmap_user(A, AT(1), PAGE_SIZE), -ENOMEM);
	assert_int_equal(aspace_protect_user(A, AT(0), PAGE_SIZE, RW), -ENOMEM);
	assert_int_equal(aspace_protect_user(A, AT(0), 3 * PAGE_SIZE, RW), 0);
	assert_int_equal(aspace_unmap_user(A, AT(4), PAGE_SIZE), 0);
	assert_int_equal(aspace_unmap_user(A, AT(2), PAGE_SIZE), 0);
	assert_int_equal(aspace_unmap_user(A, AT(0), 8 * PAGE_SIZE), 0);
}

static void instructions_are_forgotten_where_new_ones_are_shown(void **state)
{
	(void)state;
	A->flush = look_at_the_gone;
	gone = (typeof(gone)){ .n = 0 };
	assert_int_equal(aspace_map_user(A, AT(0), 2 * PAGE_SIZE, R, 0, &file.source, 0), 0);
	assert_int_equal(aspace_map_user(A, AT(2), 2 * PAGE_SIZE, R | PERM_X, 0, &file.source, 0), 0);
	value_at(A, 0);
	assert_int_equal(gone.calls, 0);
	value_at(A, 2);                                  /* by reading, too: the leaf lets instructions be fetched */
	assert_int_equal(gone.calls, 1);
	assert_int_equal(aspace_fault(A, AT(3), PERM_X | PERM_U), FAULT_RESOLVED);
	assert_int_equal(gone.calls, 2);
	assert_int_equal(aspace_fault(A, AT(3), PERM_X | PERM_U), FAULT_RESOLVED);
	assert_int_equal(gone.calls, 2);
}

/* --- anything, beside a model --- */

struct model_page { bool area, shared, from_file, written; unsigned perm, at; unsigned char value; };
static struct model_page model[SPACES][PAGES];
static unsigned char model_file[SOURCE_PAGES];

static unsigned pick(unsigned n)
{
	return (unsigned)rand() % n;
}

static unsigned pick_perm(void)
{
	static const unsigned perms[] = { 0, R, RW, RW, PERM_X, R | PERM_X, RW | PERM_X };

	return perms[pick(ARRAY_SIZE(perms))];
}

static void try_map(unsigned s, unsigned page, unsigned n)
{
	unsigned perm = pick_perm(), at = pick(SOURCE_PAGES);
	bool from_file = pick(2), shared = from_file && pick(2), taken = false;
	int result;

	for (unsigned i = page; i < page + n; i++)
		taken |= model[s][i].area;
	result = aspace_map_user(&spaces[s], AT(page), n * PAGE_SIZE, perm, shared ? USER_SHARED : 0,
				 from_file ? &file.source : NULL, at * PAGE_SIZE);
	if (result == -ENOMEM)
		return;
	assert_int_equal(result, taken ? -EEXIST : 0);
	for (unsigned i = 0; i < n && !taken; i++)
		model[s][page + i] = (struct model_page){
			.area = true, .shared = shared, .from_file = from_file, .perm = perm & PERM_W ? perm | R : perm, .at = at + i,
		};
}

static void try_unmap(unsigned s, unsigned page, unsigned n)
{
	if (aspace_unmap_user(&spaces[s], AT(page), n * PAGE_SIZE) == 0)
		memset(&model[s][page], 0, n * sizeof(model[s][0]));
}

static void try_protect(unsigned s, unsigned page, unsigned n)
{
	unsigned perm = pick_perm();
	bool whole = true;
	int result;

	for (unsigned i = page; i < page + n; i++)
		whole &= model[s][i].area;
	result = aspace_protect_user(&spaces[s], AT(page), n * PAGE_SIZE, perm);
	if (result == -ENOMEM)
		return;
	assert_int_equal(result, whole ? 0 : -ENOENT);
	for (unsigned i = page; i < page + n && whole; i++)
		model[s][i].perm = perm & PERM_W ? perm | R : perm;
}

static void try_clear(unsigned s, unsigned page, unsigned n)
{
	bool whole = true;

	for (unsigned i = page; i < page + n; i++)
		whole &= model[s][i].area;
	assert_int_equal(aspace_clear_user(&spaces[s], AT(page), n * PAGE_SIZE), whole ? 0 : -ENOENT);
	for (unsigned i = page; i < page + n; i++)
		model[s][i].written = false;
}

static void try_move(unsigned s, unsigned page, unsigned n)
{
	unsigned to = pick(PAGES - n + 1);
	bool whole = true, taken = false, meets = to < page + n && page < to + n;
	int result = aspace_move_user(&spaces[s], AT(page), n * PAGE_SIZE, AT(to));

	for (unsigned i = 0; i < n; i++) {
		whole &= model[s][page + i].area;
		taken |= model[s][to + i].area;
	}
	if (result == -ENOMEM)
		return;
	assert_int_equal(result, !whole ? -ENOENT : meets ? -EINVAL : taken ? -EEXIST : 0);
	if (result)
		return;
	memcpy(&model[s][to], &model[s][page], n * sizeof(model[s][0]));
	memset(&model[s][page], 0, n * sizeof(model[s][0]));
}

static void try_cut(unsigned from)
{
	file_cut(from);
	memset(&model_file[from], 0, SOURCE_PAGES - from);
	for (unsigned s = 0; s < SPACES; s++) {
		aspace_cut_source(&spaces[s], &file.source, from * PAGE_SIZE);
		for (unsigned i = 0; i < PAGES; i++)
			if (model[s][i].from_file && model[s][i].at >= from)
				model[s][i].written = false;
	}
}

static void try_fork(unsigned from, unsigned to)
{
	if (from == to)
		return;
	aspace_destroy(&spaces[to]);
	memset(model[to], 0, sizeof(model[to]));
	mock_alloc_fail_at = 0;
	open_one(&spaces[to]);
	if (aspace_fork(&spaces[to], &spaces[from]) == 0)
		memcpy(model[to], model[from], sizeof(model[to]));
}

static enum fault_result expected(const struct model_page *m, unsigned access)
{
	if (!m->area)
		return FAULT_NO_AREA;
	if ((m->perm & access) != access)
		return FAULT_PERM;
	if (m->from_file && m->at >= SOURCE_PAGES && !m->written)
		return FAULT_NO_PAGE;
	return FAULT_RESOLVED;
}

static void try_get(unsigned s, unsigned page)
{
	const struct model_page *m = &model[s][page];
	unsigned char value;
	enum fault_result result = get(&spaces[s], page, &value);

	if (result == FAULT_NOMEM)
		return;
	assert_int_equal(result, expected(m, PERM_R));
	if (result == FAULT_RESOLVED)
		assert_int_equal(value, m->written ? m->value : m->from_file ? model_file[m->at] : 0);
}

static void try_put(unsigned s, unsigned page)
{
	struct model_page *m = &model[s][page];
	unsigned char value = (unsigned char)rand();
	enum fault_result result = put(&spaces[s], page, value);

	if (result == FAULT_NOMEM)
		return;
	assert_int_equal(result, expected(m, PERM_W));
	if (result != FAULT_RESOLVED)
		return;
	if (m->shared) {
		model_file[m->at] = value;
		assert_true(file.dirty[m->at]);
		return;
	}
	m->written = true;
	m->value = value;
}

static void model_walk(bool failing)
{
	memset(model, 0, sizeof(model));
	memset(model_file, 0, sizeof(model_file));
	srand(4711);
	for (unsigned step = 0; step < 40000; step++) {
		unsigned s = pick(SPACES), page = pick(PAGES), n = 1 + pick(MIN(12u, PAGES - page));

		mock_alloc_fail_at = failing && pick(4) == 0 ? 1 + pick(3) : 0;
		switch (pick(16)) {
		case 0: case 1: try_map(s, page, n); break;
		case 2: try_unmap(s, page, n); break;
		case 3: try_protect(s, page, n); break;
		case 4:
			switch (pick(8)) {
			case 0: try_fork(s, pick(SPACES)); break;
			case 1: case 2: try_clear(s, page, n); break;
			case 3: try_cut(pick(SOURCE_PAGES)); break;
			default: try_move(s, page, n);
			}
			break;
		case 5: case 6: case 7: case 8: case 9: try_get(s, page); break;
		default: try_put(s, page);
		}
	}
	mock_alloc_fail_at = 0;
}

static void M4_behaves_as_the_model(void **state)
{
	(void)state;
	model_walk(false);
}

static void M4_also_when_memory_is_out_at_times(void **state)
{
	(void)state;
	model_walk(true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(reading_takes_no_frame), T(neighbours_join_and_are_split), T(other_areas_are_left_alone), T(bad_ranges),
		T(no_access_keeps_what_is_there), T(fork_shares_until_written), T(sources),
		T(a_source_hears_of_the_first_write), T(what_is_mapped_for_reading_stays_so),
		T(frames_and_tables_stay_until_all_have_forgotten_them), T(less_is_flushed_before_it_counts),
		T(instructions_are_forgotten_where_new_ones_are_shown), T(there_are_so_many_areas_and_no_more), T(M4_behaves_as_the_model),
		T(M4_also_when_memory_is_out_at_times),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
