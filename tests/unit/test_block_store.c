/* Overlays with a store: against a plain array, with errors, and with crashes at any point of the store's writes. */
// sources: drivers/block/block.c drivers/block/claim.c drivers/block/segments.c drivers/block/child.c drivers/block/overlay_store.c drivers/block/overlay_map.c drivers/block/overlay_read.c drivers/block/crc32.c
#define MODEL_SECTORS_MAX (3 * 2048u)
#include <stdlib.h>

#include <caisson/block_stack.h>
#include <block_model.h>

static struct model_disk base, store;
static uint8_t data[MODEL_SECTORS * BLOCK_SECTOR];
static size_t heap_before;

static void init(void)
{
	model_init(&base, "vda", 1);
	model_init(&store, "vdb", 2);
	memset(store.medium, 0, sizeof(store.medium));
	store.dev.n_sectors = block_overlay_store_sectors(MODEL_SECTORS);
	assert_true(store.dev.n_sectors <= MODEL_SECTORS_MAX);
	base.dev.read_only = true;
}

static int setup(void **state)
{
	(void)state;
	init();
	memset(tries, 0, sizeof(tries));
	mock_alloc_fail_at = 0;
	heap_before = heap_in_use();
	mock_log_clear();
	return 0;
}

static int teardown(void **state)
{
	struct block_claim c;

	(void)state;
	assert_int_equal(heap_in_use(), heap_before);
	assert_int_equal(base.dev.users + store.dev.users, 0);
	assert_int_equal(block_claim(&c, &store.dev, BLOCK_EXCLUSIVE, "the next test"), 0);
	block_release(&c);
	return 0;
}

static struct block_device *open_overlay(void)
{
	struct block_device *o;

	assert_int_equal(block_overlay_open(&base.dev, &store.dev, "overlay", &o), 0);
	return o;
}

/* --- as a disk --- */

static void changes_are_there_again(void **state)
{
	static uint8_t before[sizeof(base.medium)];
	struct block_device *o = open_overlay();

	(void)state;
	assert_non_null(strstr(mock_log_text(), "vdb was empty: prepared for changes to vda"));
	memcpy(before, base.medium, sizeof(before));
	memset(data, 0xaa, 5 * BLOCK_SECTOR);
	assert_int_equal(block_write(o, 1000, data, 5), 0);
	block_put(o); /* which flushes */
	mock_log_clear();
	o = open_overlay();
	assert_null(strstr(mock_log_text(), "empty"));
	assert_int_equal(block_read(o, 998, data + MODEL_MAX * BLOCK_SECTOR, 10), 0);
	assert_memory_equal(data + MODEL_MAX * BLOCK_SECTOR, before + 998 * BLOCK_SECTOR, 2 * BLOCK_SECTOR);
	assert_memory_equal(data + (MODEL_MAX + 2) * BLOCK_SECTOR, data, 5 * BLOCK_SECTOR);
	assert_memory_equal(data + (MODEL_MAX + 7) * BLOCK_SECTOR, before + 1005 * BLOCK_SECTOR, 3 * BLOCK_SECTOR);
	assert_memory_equal(base.medium, before, sizeof(before));
	block_put(o);
}

static void a_flush_without_news_writes_nothing(void **state)
{
	struct block_device *o = open_overlay();
	unsigned before;

	(void)state;
	assert_int_equal(block_write(o, 0, data, 8), 0);
	before = store.n_requests;
	assert_int_equal(block_flush(o), 0);
	assert_int_equal(store.n_requests - before, 3);
	assert_int_equal(block_write(o, 0, data, 8), 0);
	assert_int_equal(block_flush(o), 0);
	assert_int_equal(store.n_requests - before, 5);
	assert_int_equal(block_write(o, 0, data, 9), 0);
	assert_int_equal(block_flush(o), 0);
	assert_int_equal(store.n_requests - before, 9);
	block_put(o);
}

static void one_round_serves_all_flushes_that_wait(void **state)
{
	struct block_device *o = open_overlay();
	uint64_t seed = 1;
	unsigned before;

	(void)state;
	assert_int_equal(block_write(o, 0, data, 8), 0);
	before = store.n_requests;
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(try_submit(&tries[i], o, BLOCK_FLUSH, 0, 0, &seed), 0);
	assert_int_equal(store.n_under_way, 1);
	try_poll(o);
	for (unsigned i = 0; i < 10; i++) {
		assert_int_equal(tries[i].n_done, 1);
		assert_int_equal(tries[i].rq.status, 0);
	}
	assert_int_equal(store.n_requests - before, 4); /* data, map, map's flush; and one for the nine */
	block_put(o);
}

static void it_behaves_like_an_array(void **state)
{
	static const struct { uint32_t base_unit, store_unit; bool at_once; } cases[] = {
		{ 1, 1, false }, { 1, 8, false }, { 8, 1, true }, { 2, 16, true },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct block_device *o;

		setup(state);
		base.dev.unit = cases[i].base_unit;
		store.dev.unit = cases[i].store_unit;
		base.at_once = store.at_once = cases[i].at_once;
		o = open_overlay();
		assert_int_equal(o->unit, MAX(cases[i].base_unit, cases[i].store_unit));
		memcpy(model, base.medium, sizeof(model));
		o->can_discard = false;
		for (unsigned part = 0; part < 4; part++) {
			try_at_random(o, &store, NULL, 40, 10 + 4 * i + part);
			block_put(o);
			o = open_overlay();
			o->can_discard = false;
			assert_int_equal(block_read(o, 0, data, MODEL_SECTORS), 0);
			assert_memory_equal(data, model, sizeof(model));
		}
		block_put(o);
	}
}

static void what_is_discarded_is_discarded_on_the_store(void **state)
{
	struct block_device *o = open_overlay();

	(void)state;
	memset(data, 0xaa, 8 * BLOCK_SECTOR);
	assert_int_equal(block_write(o, 8, data, 8), 0);
	assert_int_equal(block_discard(o, 4, 8), 0);
	assert_int_equal(block_read(o, 0, data, 16), 0);
	assert_memory_equal(data, base.medium, 8 * BLOCK_SECTOR);
	assert_int_equal(data[8 * BLOCK_SECTOR], 0xdd);
	assert_int_equal(data[12 * BLOCK_SECTOR], 0xaa);
	store.dev.can_discard = store.dev.can_write_zeroes = false;
	block_put(o);
	o = open_overlay();
	assert_false(o->can_discard || o->can_write_zeroes);
	block_put(o);
}

/* --- stores that do not fit --- */

static void assert_refused(int expected, const char *why)
{
	struct block_device *o;
	int error;

	mock_log_clear();
	error = block_overlay_open(&base.dev, &store.dev, "overlay", &o);
	assert_int_equal(error, expected);
	if (!strstr(mock_log_text(), why))
		fail_msg("%s", mock_log_text());
}

static void a_store_of_something_else_is_refused(void **state)
{
	(void)state;
	store.medium[1024 + 56] = 0x53; /* where ext4 has its first byte that is not 0 */
	assert_refused(-EINVAL, "vdb holds something else than an overlay");
	store.medium[1024 + 56] = 0;
	store.medium[MiB - 1] = 1;
	assert_refused(-EINVAL, "vdb holds something else than an overlay");
	store.medium[MiB - 1] = 0;
	block_put(open_overlay());
	for (unsigned i = 16; i < 56; i++) {
		store.medium[i]++;
		assert_refused(-EINVAL, i < 20 ? "another version" : "damaged header");
		store.medium[i]--;
	}
	base.medium[65535]++;
	assert_refused(-EINVAL, "belongs to another base, or the base was changed");
	base.medium[65535]--;
	base.dev.n_sectors--;
	assert_refused(-EINVAL, "belongs to another base");
	base.dev.n_sectors++;
	block_put(open_overlay());
}

static void a_store_that_cannot_be_used_is_refused(void **state)
{
	struct block_device *o;
	struct block_claim c;

	(void)state;
	store.dev.n_sectors--;
	assert_refused(-ENOSPC, "vdb is too small: 2560 KiB are needed for changes to vda");
	store.dev.n_sectors++;
	store.dev.read_only = true;
	assert_refused(-EROFS, "");
	store.dev.read_only = false;
	assert_int_equal(block_claim(&c, &store.dev, BLOCK_EXCLUSIVE, "anna"), 0);
	assert_refused(-EBUSY, "vdb: overlay cannot write it: anna writes it already");
	block_release(&c);
	assert_int_equal(block_overlay_open(&base.dev, &base.dev, "overlay", &o), -ENOSPC);
	base.dev.n_sectors = UINT64_MAX;
	assert_refused(-ENOSPC, "too small");
	base.dev.n_sectors = MODEL_SECTORS;
	store.dev.unit = 256;
	assert_refused(-ENOTSUP, "");
}

static void M1_each_allocation_may_fail(void **state)
{
	uint64_t n = 0;
	int error;

	(void)state;
	do {
		struct block_device *o;

		mock_alloc_fail_at = ++n;
		error = block_overlay_open(&base.dev, &store.dev, "overlay", &o);
		assert_true(error == -ENOMEM || error == 0);
		if (!error)
			block_put(o);
	} while (error);
	assert_int_equal(n, 9);
}

static void an_error_when_it_is_opened_is_the_answer(void **state)
{
	(void)state;
	for (uint64_t n = 1;; n++) { /* each request of preparing an empty one */
		struct block_device *o;
		int error;

		setup(state);
		store.fail_at = n;
		error = block_overlay_open(&base.dev, &store.dev, "overlay", &o);
		store.fail_at = 0;
		if (!error) {
			assert_true(n > 36); /* 32 reads, map, flush, header, flush */
			block_put(o);
			break;
		}
		assert_int_equal(error, -EIO);
		block_put(open_overlay());
	}
}

/* --- errors of the store and the base --- */

static void an_error_is_that_requests_alone(void **state)
{
	struct block_device *o = open_overlay();
	uint64_t seed = 7;

	(void)state;
	memcpy(model, base.medium, sizeof(model));
	for (unsigned i = 0; i < 300; i++) {
		struct model_disk *d = i % 3 ? &store : &base;
		uint64_t sector;
		uint32_t n = try_place(o, 20, &sector, &seed);
		unsigned n_failed = 0;

		(void)try_change(o, BLOCK_WRITE, sector, n, NULL, &seed); /* what failed has left the old data */
		base.fail_at = base.refuse_at = store.fail_at = store.refuse_at = 0;
		d->fail_at = mock_random(&seed) % 4 ? 0 : 1 + mock_random(&seed) % 10;
		d->refuse_at = mock_random(&seed) % 4 ? 0 : 1 + mock_random(&seed) % 10;
		for (unsigned r = 0; r < 8; r++) {
			n = try_place(o, MODEL_MAX, &sector, &seed);
			memcpy(tries[r].expected, model + sector * BLOCK_SECTOR, n * BLOCK_SECTOR);
			if (try_submit(&tries[r], o, BLOCK_READ, sector, n, &seed))
				tries[r].n_done = 1;
		}
		try_poll(o);
		for (unsigned r = 0; r < 8; r++) {
			assert_int_equal(tries[r].n_done, 1);
			n_failed += tries[r].rq.status != 0;
			if (!tries[r].rq.status)
				assert_memory_equal(tries[r].data, tries[r].expected, tries[r].rq.n_sectors * BLOCK_SECTOR);
		}
		assert_in_range(n_failed, 0, 2);
	}
	base.fail_at = store.fail_at = store.refuse_at = base.refuse_at = 0;
	block_put(o);
}

static void a_flush_that_failed_is_made_good_by_the_next(void **state)
{
	(void)state;
	for (unsigned fail = 1; fail <= 3; fail++) {
		struct block_device *o;

		setup(state);
		o = open_overlay();
		memset(data, 0xaa, BLOCK_SECTOR);
		assert_int_equal(block_write(o, 5, data, 1), 0);
		store.fail_at = fail;
		assert_int_equal(block_flush(o), -EIO);
		assert_int_equal(block_flush(o), 0);
		assert_int_equal(store.medium[2048 * BLOCK_SECTOR], 1 << 5);
		block_put(o);
	}
}

static unsigned n_written;

static void count(struct block_request *rq)
{
	assert_int_equal(rq->status, 0);
	n_written++;
}

static void more_writes_than_writers_wait(void **state)
{
	static struct block_request rqs[200];
	struct segment seg = { data, BLOCK_SECTOR };
	struct block_device *o = open_overlay();

	(void)state;
	memset(data, 0xaa, BLOCK_SECTOR);
	n_written = 0;
	for (unsigned i = 0; i < 200; i++) {
		rqs[i] = (struct block_request){ .op = BLOCK_WRITE, .sector = i * 2, .n_sectors = 1, .segs = &seg, .n_segs = 1,
						 .done = count };
		assert_int_equal(block_submit(o, &rqs[i]), 0);
	}
	assert_int_equal(store.n_under_way, 64);
	block_poll(o);
	assert_int_equal(n_written, 200);
	memcpy(model, base.medium, 400 * BLOCK_SECTOR);
	for (unsigned i = 0; i < 400; i += 2)
		memset(model + i * BLOCK_SECTOR, 0xaa, BLOCK_SECTOR);
	assert_int_equal(block_read(o, 0, data, 400), 0);
	assert_memory_equal(data, model, 400 * BLOCK_SECTOR);
	block_put(o);
}

/* --- crashes --- */

#define LOG_MAX 2000u
#define FLUSHES_MAX 200u

/* What the store has carried out, in order. */
struct entry {
	enum block_op op;
	uint64_t sector;
	uint32_t n;
	unsigned submitted;       /* entries that there were when it was submitted */
	uint8_t *data;
};

static struct entry entries[LOG_MAX];
static unsigned n_entries;

/* Versions of a sector: 0 is the base's. */
static uint16_t newest[MODEL_SECTORS], acknowledged[MODEL_SECTORS];
/* What flushes that ended have promised, and after how many entries. */
static struct { unsigned when; uint16_t least[MODEL_SECTORS]; } promises[FLUSHES_MAX];
static unsigned n_promises;

static void log_entry(struct model_disk *d, const struct block_request *rq)
{
	struct entry *e = &entries[n_entries++];

	assert_true(n_entries < LOG_MAX && n_entries == d->n_done + 1);
	*e = (struct entry){ .op = rq->op, .sector = rq->sector, .n = rq->op == BLOCK_WRITE ? rq->n_sectors : 0,
			     .submitted = (unsigned)rq->deadline };
	if (rq->op != BLOCK_WRITE)
		return;
	e->data = malloc(e->n * BLOCK_SECTOR);
	memcpy(e->data, d->medium + e->sector * BLOCK_SECTOR, e->n * BLOCK_SECTOR);
}

static void fill(uint8_t *at, uint64_t sector, unsigned version)
{
	uint64_t tag = UINT64_C(0xca15) << 48 | sector << 16 | version;

	for (unsigned i = 0; i < BLOCK_SECTOR; i += 8)
		memcpy(at + i, &tag, 8);
}

static bool meets_another(uint64_t sector, uint32_t n)
{
	for (unsigned i = 0; i < TRIES; i++) {
		const struct try *t = &tries[i];
		uint64_t first = (uintptr_t)t->rq.arg; /* not rq.sector: the device may have changed it */

		if (t->busy && t->rq.op == BLOCK_WRITE && first < sector + n && sector < first + t->rq.n_sectors)
			return true;
	}
	return false;
}

static void crash_done(struct block_request *rq)
{
	struct try *t = container_of(rq, struct try, rq);

	t->busy = false;
	if (rq->status)
		return;
	if (rq->op == BLOCK_FLUSH) {
		assert_true(n_promises < FLUSHES_MAX);
		promises[n_promises].when = n_entries;
		memcpy(promises[n_promises++].least, t->expected, sizeof(acknowledged));
		return;
	}
	for (uint32_t i = 0; i < t->rq.n_sectors; i++)
		acknowledged[(uintptr_t)rq->arg + i] = newest[(uintptr_t)rq->arg + i];
}

static void crash_submit(struct block_device *o, struct try *t, uint64_t *seed)
{
	uint64_t sector;
	uint32_t n = try_place(o, mock_random(seed) % 4 ? 4 : 32, &sector, seed);
	bool flush = mock_random(seed) % 5 == 0;

	if (!flush && meets_another(sector, n))
		return;
	t->busy = true;
	t->rq = (struct block_request){ .op = flush ? BLOCK_FLUSH : BLOCK_WRITE, .sector = sector, .n_sectors = n,
					.segs = t->segs, .n_segs = 1, .done = crash_done, .arg = (void *)(uintptr_t)sector };
	t->segs[0] = (struct segment){ t->data, n * BLOCK_SECTOR };
	for (uint32_t i = 0; i < n && !flush; i++)
		fill(t->data + i * BLOCK_SECTOR, sector + i, ++newest[sector + i]);
	_Static_assert(sizeof(acknowledged) <= sizeof(t->expected), "");
	if (flush)
		memcpy(t->expected, acknowledged, sizeof(acknowledged));
	if (block_submit(o, &t->rq))
		t->busy = false;
}

/* Writes and flushes, many at once, to an overlay on an empty store; everything the store does is logged. */
static void make_history(uint64_t seed, bool failing)
{
	struct block_device *o;

	for (unsigned i = 0; i < n_entries; i++)
		free(entries[i].data);
	n_entries = n_promises = 0;
	memset(newest, 0, sizeof(newest));
	memset(acknowledged, 0, sizeof(acknowledged));
	store.log = log_entry;
	o = open_overlay();
	for (unsigned i = 0; i < 700; i++) {
		struct try *t = &tries[mock_random(&seed) % TRIES];

		if (failing && mock_random(&seed) % 20 == 0)
			store.fail_at = 1 + mock_random(&seed) % 3;
		if (!t->busy)
			crash_submit(o, t, &seed);
		if (store.n_under_way && mock_random(&seed) % 3)
			model_answer(&store);
	}
	try_poll(o);
	store.fail_at = 0;
	store.log = NULL;
	block_put(o);
	assert_true(n_entries > 200 && n_promises > 20);
}

/* A write that no flush has covered: any of its sectors have reached the medium. */
static void apply(uint8_t *medium, const struct entry *e, bool all, uint64_t *seed)
{
	for (uint32_t i = 0; i < e->n; i++)
		if (all || mock_random(seed) % 2)
			memcpy(medium + (e->sector + i) * BLOCK_SECTOR, e->data + i * BLOCK_SECTOR, BLOCK_SECTOR);
}

/* What is on the medium when the machine stops after `when` entries. */
static void crash(unsigned when, uint64_t *seed)
{
	unsigned safe = 0;

	for (unsigned i = 0; i < when; i++)
		if (entries[i].op == BLOCK_FLUSH)
			safe = MAX(safe, entries[i].submitted);
	memset(store.medium, 0, sizeof(store.medium));
	for (unsigned i = 0; i < n_entries; i++)
		if (i < when || entries[i].submitted <= when)
			apply(store.medium, &entries[i], i < safe, seed);
}

static void check_sector(uint64_t sector, unsigned least)
{
	uint8_t expected[BLOCK_SECTOR];
	const uint8_t *found = data + sector * BLOCK_SECTOR;
	uint64_t tag;

	memcpy(&tag, found, sizeof(tag));
	if (least == 0 && memcmp(found, base.medium + sector * BLOCK_SECTOR, BLOCK_SECTOR) == 0)
		return;
	fill(expected, sector, (unsigned)(tag & 0xffff));
	assert_memory_equal(found, expected, BLOCK_SECTOR);
	assert_in_range(tag & 0xffff, MAX(least, 1u), newest[sector]);
}

/* What the flushes that had ended by then have promised is there, and nothing that was never written. */
static void check_after_crash(unsigned when)
{
	struct block_device *o = open_overlay();
	static uint16_t least[MODEL_SECTORS];

	memset(least, 0, sizeof(least));
	for (unsigned i = 0; i < n_promises && promises[i].when <= when; i++)
		for (unsigned s = 0; s < MODEL_SECTORS; s++)
			least[s] = MAX(least[s], promises[i].least[s]);
	assert_int_equal(block_read(o, 0, data, MODEL_SECTORS), 0);
	for (uint64_t s = 0; s < MODEL_SECTORS; s++)
		check_sector(s, least[s]);
	block_put(o);
}

static void crash_everywhere(uint64_t seed, bool failing, uint32_t unit)
{
	init();
	store.dev.unit = unit;
	make_history(seed, failing);
	for (unsigned when = 0; when <= n_entries; when += 1 + failing) {
		crash(when, &seed);
		check_after_crash(when);
	}
}

static void what_was_flushed_survives_a_crash_at_any_point(void **state)
{
	(void)state;
	crash_everywhere(1, false, 1);
	crash_everywhere(2, false, 8);
}

static void a_store_that_fails_now_and_then_keeps_its_promises_too(void **state)
{
	(void)state;
	crash_everywhere(3, true, 1);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(changes_are_there_again),
		T(a_flush_without_news_writes_nothing),
		T(one_round_serves_all_flushes_that_wait),
		T(it_behaves_like_an_array),
		T(what_is_discarded_is_discarded_on_the_store),
		T(a_store_of_something_else_is_refused),
		T(a_store_that_cannot_be_used_is_refused),
		T(M1_each_allocation_may_fail),
		T(an_error_when_it_is_opened_is_the_answer),
		T(an_error_is_that_requests_alone),
		T(a_flush_that_failed_is_made_good_by_the_next),
		T(more_writes_than_writers_wait),
		T(what_was_flushed_survives_a_crash_at_any_point),
		T(a_store_that_fails_now_and_then_keeps_its_promises_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
