/* M4: any sequence of calls on user areas does what a plain array of pages does, also when memory is out at times. */
// sources: core/mm/aspace.c core/mm/aspace_fault.c core/mm/aspace_user.c core/mm/page_source.c core/mm/pt.c
#include <user_spaces.h>

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
		T(M4_behaves_as_the_model), T(M4_also_when_memory_is_out_at_times),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
